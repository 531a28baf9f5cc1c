package dev.guestcore.internal.output;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.RegionContents;
import dev.guestcore.error.OutputException;
import dev.guestcore.format.WritePlan;
import dev.guestcore.internal.output.OutputFile.IfExists;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class OutputFileTest {

    @TempDir
    Path folder;

    @Test
    void hasItsNameOnlyWhenWhole() throws IOException {
        Path target = folder.resolve("core");
        try (OutputFile output = OutputFile.create(target, IfExists.FAIL)) {
            output.sink().write(MemorySegment.ofArray(new byte[] {1, 2, 3}));
            assertFalse(Files.exists(target));
            Path hidden = folder.resolve(names().getFirst());
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(hidden)));
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
    void refusesAnExistingFile() throws IOException {
        Path target = Files.writeString(folder.resolve("core"), "precious");
        OutputException error =
                assertThrows(OutputException.class, () -> OutputFile.create(target, IfExists.FAIL));
        assertEquals(target + ": exists already; choose another name", error.getMessage());
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
    void leavesWhatIsBeingWrittenToItsWriter() throws IOException {
        Path target = folder.resolve("core");
        try (OutputFile first = OutputFile.create(target, IfExists.FAIL)) {
            first.sink().write(MemorySegment.ofArray(new byte[] {1}));
            String hidden = names().getFirst();
            OutputException error =
                    assertThrows(OutputException.class, () -> OutputFile.create(target, IfExists.FAIL));
            assertEquals(
                    target + ": is being written right now (as " + hidden
                            + "); wait until that is done, or choose another name",
                    error.getMessage());
            assertEquals(List.of(hidden), names());
            first.commit();
        }
        assertArrayEquals(new byte[] {1}, Files.readAllBytes(target));
    }

    @Test
    void twoThatReplaceDoNotTouchEachOther() throws IOException {
        Path target = folder.resolve("core");
        try (OutputFile first = OutputFile.create(target, IfExists.REPLACE);
                OutputFile second = OutputFile.create(target, IfExists.REPLACE)) {
            first.sink().write(MemorySegment.ofArray(new byte[] {1}));
            second.sink().write(MemorySegment.ofArray(new byte[] {2}));
            second.commit();
            first.commit();
        }
        assertArrayEquals(new byte[] {1}, Files.readAllBytes(target));
        assertEquals(List.of("core"), names());
    }

    @Test
    void deletesWhatNobodyWritesAnyMore() throws IOException {
        Path target = folder.resolve("core");
        Files.writeString(folder.resolve(".core.0123abcd.partial"), "left by a writer that was killed");
        try (OutputFile output = OutputFile.create(target, IfExists.FAIL)) {
            assertEquals(1, names().size());
            output.commit();
        }
        assertEquals(List.of("core"), names());
    }

    /** Whoever runs with the rights to it would lose a device that the whole machine needs. */
    @ParameterizedTest
    @EnumSource(IfExists.class)
    void neverReplacesWhatIsNoFile(IfExists ifExists) throws Exception {
        Path pipe = folder.resolve("pipe");
        assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
        Path linkToDevice = Files.createSymbolicLink(folder.resolve("null"), Path.of("/dev/null"));
        Path linkToPipe = Files.createSymbolicLink(folder.resolve("link"), pipe);
        Path socket = folder.resolve("socket");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(socket));
            for (Path special : List.of(Path.of("/dev/null"), pipe, socket, linkToDevice, linkToPipe)) {
                OutputException error =
                        assertThrows(OutputException.class, () -> OutputFile.create(special, ifExists),
                                special::toString);
                assertEquals(
                        special + ": is a device, a pipe or a socket, which a file must not replace; choose another name,"
                                + " or write to standard output and redirect that",
                        error.getMessage());
            }
        }
        assertTrue(Files.isSymbolicLink(linkToDevice));
        assertTrue(Files.readAttributes(pipe, BasicFileAttributes.class).isOther());
        assertEquals(4, names().size());
    }

    @Test
    void refusesAFolderAndALinkToOne() throws IOException {
        Path inner = Files.createDirectory(folder.resolve("inner"));
        Path link = Files.createSymbolicLink(folder.resolve("link"), inner);
        for (Path taken : List.of(inner, link)) {
            OutputException error =
                    assertThrows(OutputException.class, () -> OutputFile.create(taken, IfExists.REPLACE));
            assertEquals(taken + ": is a directory; name a file in it", error.getMessage());
        }
        assertTrue(Files.isSymbolicLink(link));
    }

    @Test
    void doesNotReplaceAPipeThatAppearsMeanwhile() throws Exception {
        Path target = folder.resolve("core");
        try (OutputFile output = OutputFile.create(target, IfExists.REPLACE)) {
            assertEquals(0, new ProcessBuilder("mkfifo", target.toString()).start().waitFor());
            assertThrows(OutputException.class, output::commit);
        }
        assertTrue(Files.readAttributes(target, BasicFileAttributes.class).isOther());
        assertEquals(List.of("core"), names());
    }

    @Test
    void replacesALinkToNothing() throws IOException {
        Path target = Files.createSymbolicLink(folder.resolve("core"), folder.resolve("gone"));
        try (OutputFile output = OutputFile.create(target, IfExists.REPLACE)) {
            output.commit();
        }
        assertTrue(Files.isRegularFile(target, LinkOption.NOFOLLOW_LINKS));
        assertEquals(List.of("core"), names());
    }

    @Test
    void saysThatItsFolderHasGone() throws IOException {
        Path inner = Files.createDirectory(folder.resolve("inner"));
        Path target = inner.resolve("core");
        try (OutputFile output = OutputFile.create(target, IfExists.FAIL)) {
            output.sink().write(MemorySegment.ofArray(new byte[] {1}));
            try (Stream<Path> files = Files.list(inner)) {
                for (Path file : files.toList()) {
                    Files.delete(file);
                }
            }
            Files.delete(inner);
            OutputException error = assertThrows(OutputException.class, output::commit);
            assertEquals(
                    target + ": naming the finished file failed: the folder no longer exists; check that folder and its"
                            + " disk, or choose another",
                    error.getMessage());
        }
        assertEquals(List.of(), names());
    }

    @Test
    void saysThatItsThreadWasInterrupted() {
        try (OutputFile output = OutputFile.create(folder.resolve("core"), IfExists.FAIL)) {
            Thread.currentThread().interrupt();
            OutputException error = assertThrows(
                    OutputException.class, () -> output.sink().write(MemorySegment.ofArray(new byte[8 << 20])));
            assertTrue(Thread.interrupted());
            assertTrue(error.getMessage().contains("the thread was interrupted"), error.getMessage());
        }
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
    void saysWhereAFileMayNotFit() {
        try (OutputFile output = OutputFile.create(folder.resolve("core"), IfExists.FAIL)) {
            assertEquals(Optional.empty(), output.doubtfulSpace(1));
            String doubt = output.doubtfulSpace(Long.MAX_VALUE).orElseThrow();
            assertTrue(doubt.contains("core: may need up to " + Long.MAX_VALUE + " bytes, but only "), doubt);
        }
        Path missing = folder.resolve("missing").resolve("core");
        assertTrue(OutputFile.freeSpace(folder.resolve("core")) > 0);
        assertThrows(OutputException.class, () -> OutputFile.freeSpace(missing));
    }

    /** Zeros that the source knows of take no room; what is there may be zero as well, and may be compressed. */
    @Test
    void aCoreThatMayNotFitIsNoError() throws IOException {
        long more = Files.getFileStore(folder).getUsableSpace() + (1L << 30) & -4096L;
        MemoryRegion region = new MemoryRegion(AddressRange.ofSize(0, more), MemoryRegion.Kind.RAM, "ram");
        for (PageState state : List.of(PageState.ZERO, PageState.PRESENT)) {
            RegionContents contents = new RegionContents() {
                @Override
                public Run runAt(long offset, long remaining) {
                    return new Run(state, remaining);
                }

                @Override
                public long readAvailable(long offset, MemorySegment target) {
                    target.fill((byte) 0);
                    return target.byteSize();
                }
            };
            try (Guest guest = Guest.builder().region(region, contents).build();
                    OutputFile output = OutputFile.create(folder.resolve("core"), IfExists.FAIL)) {
                WritePlan plan = Guests.format("lime").writer(Map.of()).plan(guest);
                Optional<String> doubt = output.doubtfulSpace(plan.size(), plan.storedSize(), guest.memory());
                assertEquals(state == PageState.PRESENT, doubt.isPresent(), () -> state + ": " + doubt);
            }
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

    /** A hole at the end is no write; the file has its length all the same, also if the hole is one page. */
    @Test
    void aZeroPageAtTheEndBelongsToTheFile() throws IOException {
        for (int zeros : new int[] {1, 4095, 4096, 4097, 1 << 20}) {
            Path target = folder.resolve("core-" + zeros);
            try (OutputFile output = OutputFile.create(target, IfExists.FAIL)) {
                byte[] page = new byte[4096];
                Arrays.fill(page, (byte) 1);
                output.sink().memory().write(0, MemorySegment.ofArray(page));
                output.sink().memory().writeZeros(4096, zeros);
                output.commit();
            }
            assertEquals(4096 + zeros, Files.size(target));
        }
    }

    private List<String> names() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }
}
