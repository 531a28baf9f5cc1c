package dev.guestcore.file;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Progress;
import dev.guestcore.error.SourceException;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Dumps of several files. */
class FileSetTest {

    @TempDir
    Path folder;

    private Path dump;

    @BeforeEach
    void write() throws IOException {
        dump = Files.createDirectory(folder.resolve("dump"));
        Files.writeString(dump.resolve("vm.vmss"), "state");
        Files.writeString(dump.resolve("vm.vmem"), "memory");
        Files.writeString(folder.resolve("secret"), "secret");
    }

    private FileSet state() {
        return FileSet.of(FileBytes.open(dump.resolve("vm.vmss")));
    }

    @Test
    void aFileBesideTheFirstOpensAndClosesWithTheSet() {
        FileBytes memory;
        try (FileSet files = state()) {
            assertTrue(files.isOneFile());
            assertEquals("vm.vmss", files.lastName());
            assertTrue(files.hasBeside("vm.vmem"));
            assertFalse(files.hasBeside("vm.vmsn"));
            assertEquals(Optional.empty(), files.beside("vm.vmsn"));
            memory = files.beside("vm.vmem").orElseThrow();
            assertEquals('m', memory.u8(0, "first"));
        }
        assertThrows(IllegalStateException.class, () -> memory.u8(0, "first"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"../secret", "/etc/passwd", "..", ".", "", "..\\secret", "sub/vm.vmem"})
    void aNameThatLeadsElsewhereIsRefused(String name) {
        try (FileSet files = state()) {
            assertThrows(IllegalArgumentException.class, () -> files.beside(name));
            assertThrows(IllegalArgumentException.class, () -> files.hasBeside(name));
        }
        try (FileSet files = FileSet.inFolder(dump)) {
            assertThrows(IllegalArgumentException.class, () -> files.beside(name));
        }
    }

    @Test
    void aLinkThatLeadsElsewhereIsRefused() throws IOException {
        Files.createSymbolicLink(dump.resolve("memory-ranges"), folder.resolve("secret"));
        try (FileSet files = state()) {
            String error = assertThrows(SourceException.class, () -> files.beside("memory-ranges")).getMessage();
            assertTrue(error.contains("is a link to a file in another folder"), error);
        }
        try (FileSet files = FileSet.inFolder(dump)) {
            String error = assertThrows(SourceException.class, () -> files.beside("memory-ranges")).getMessage();
            assertTrue(error.contains("is a link to a file in another folder"), error);
        }
    }

    @Test
    void aFolderBesideIsNoPart() throws IOException {
        Files.createDirectory(dump.resolve("state.json"));
        try (FileSet files = FileSet.inFolder(dump)) {
            assertFalse(files.hasBeside("state.json"));
            assertTrue(assertThrows(SourceException.class, () -> files.beside("state.json"))
                    .getMessage()
                    .endsWith("is not a regular file"));
        }
    }

    @Test
    void aFolderIsASetOfWhatLiesInIt() {
        try (FileSet files = FileSet.inFolder(dump);
                FileSet again = files.reopen()) {
            assertTrue(files.parts().isEmpty());
            assertFalse(files.isOneFile());
            assertEquals("dump", files.lastName());
            assertEquals('s', files.beside("vm.vmss").orElseThrow().u8(0, "first"));
            assertEquals('m', again.beside("vm.vmem").orElseThrow().u8(0, "first"));
        }
    }

    @Test
    void aFolderThatNoFormatClaimsIsSaidToBeOne() {
        assertEquals(dump + ": is a directory; name the dump file in it",
                assertThrows(SourceException.class, () -> Guests.open(dump.toString())).getMessage());
        assertEquals(dump + ": is a directory; name the dump file in it",
                assertThrows(SourceException.class, () -> Guests.verify(dump.toString(), false, Progress.none()))
                        .getMessage());
    }

    @Test
    void partsKeepTheirNamesAndOrder() {
        List<FileSet.NamedFile> named = List.of(
                new FileSet.NamedFile("0x0", dump.resolve("vm.vmem").toString()),
                new FileSet.NamedFile("0x1000", dump.resolve("vm.vmss").toString()));
        FileSet files = FileSet.open(named, Progress.none());
        try (FileSet again = files.reopen()) {
            files.close();
            assertEquals(List.of("0x0", "0x1000"), again.parts().stream().map(FileSet.Part::name).toList());
            assertEquals('s', again.parts().getLast().file().u8(0, "first"));
        }
    }

    @Test
    void onePartThatCannotBeOpenedLeavesNoneOpen() {
        List<FileSet.NamedFile> named = List.of(
                new FileSet.NamedFile("", dump.resolve("vm.vmem").toString()),
                new FileSet.NamedFile("", dump.resolve("none").toString()));
        assertTrue(assertThrows(SourceException.class, () -> FileSet.open(named, Progress.none()))
                .getMessage()
                .endsWith("no such file"));
    }

    @Test
    void whatIsNoFileHasNothingBesideIt() {
        try (FileSet files = FileSet.of(FileBytes.of("in memory", MemorySegment.ofArray(new byte[8])))) {
            assertEquals(Optional.empty(), files.beside("vm.vmem"));
            assertEquals("", files.lastName());
        }
    }
}
