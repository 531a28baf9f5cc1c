package dev.guestcore.internal.output;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.OutputException;
import dev.guestcore.internal.output.OutputFile.IfExists;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutputFileTest {

    @TempDir
    Path folder;

    @Test
    void hasItsNameOnlyWhenWhole() throws IOException {
        Path target = folder.resolve("core");
        try (OutputFile output = OutputFile.create(target, IfExists.FAIL)) {
            output.sink().write(MemorySegment.ofArray(new byte[] {1, 2, 3}));
            assertFalse(Files.exists(target));
            output.commit();
        }
        assertArrayEquals(new byte[] {1, 2, 3}, Files.readAllBytes(target));
        assertEquals(List.of("core"), names());
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(target)));
    }

    @Test
    void leavesNothingWhenNotCommitted() throws IOException {
        try (OutputFile output = OutputFile.create(folder.resolve("core"), IfExists.FAIL)) {
            output.sink().write(MemorySegment.ofArray(new byte[3 << 20]));
        }
        assertEquals(List.of(), names());
    }

    @Test
    void refusesAnExistingFileAndSaysHowToReplaceIt() throws IOException {
        Path target = Files.writeString(folder.resolve("core"), "precious");
        OutputException error =
                assertThrows(OutputException.class, () -> OutputFile.create(target, IfExists.FAIL));
        assertEquals(
                target + ": exists already; choose another name, or say --force to replace it", error.getMessage());
        assertEquals("precious", Files.readString(target));
    }

    @Test
    void doesNotReplaceAFileThatAppearsMeanwhile() throws IOException {
        Path target = folder.resolve("core");
        try (OutputFile output = OutputFile.create(target, IfExists.FAIL)) {
            Files.writeString(target, "somebody else's");
            assertThrows(OutputException.class, output::commit);
        }
        assertEquals("somebody else's", Files.readString(target));
        assertEquals(List.of("core"), names());
    }

    @Test
    void replacesALinkAndLeavesWhatItPointsTo() throws IOException {
        Path elsewhere = Files.writeString(folder.resolve("elsewhere"), "untouched");
        Path target = Files.createSymbolicLink(folder.resolve("core"), elsewhere);
        try (OutputFile output = OutputFile.create(target, IfExists.REPLACE)) {
            output.sink().write(MemorySegment.ofArray(new byte[] {7}));
            output.commit();
        }
        assertEquals("untouched", Files.readString(elsewhere));
        assertTrue(Files.isRegularFile(target, LinkOption.NOFOLLOW_LINKS));
    }

    @Test
    void saysWhichFolderIsMissing() {
        Path target = folder.resolve("missing").resolve("core");
        OutputException error =
                assertThrows(OutputException.class, () -> OutputFile.create(target, IfExists.FAIL));
        assertEquals(
                target + ": the folder " + target.getParent() + " does not exist; create it first",
                error.getMessage());
    }

    @Test
    void refusesMoreThanTheDiskHolds() {
        try (OutputFile output = OutputFile.create(folder.resolve("core"), IfExists.FAIL)) {
            OutputException error =
                    assertThrows(OutputException.class, () -> output.requireSpace(Long.MAX_VALUE));
            assertTrue(error.getMessage().contains("needs " + Long.MAX_VALUE + " bytes, but only"));
        }
    }

    @Test
    void turnsZerosIntoHolesAndKeepsTheLength() throws IOException {
        Path target = folder.resolve("core");
        long size = 1L << 40;
        try (OutputFile output = OutputFile.create(target, IfExists.FAIL)) {
            output.sink().write(MemorySegment.ofArray(new byte[] {1}));
            output.sink().writeZeros(size - 1);
            output.commit();
        }
        assertEquals(size, Files.size(target));
    }

    private List<String> names() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }
}
