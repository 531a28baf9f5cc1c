package dev.guestcore.file;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.error.SourceException;
import dev.guestcore.inspect.GuestComparison;
import dev.guestcore.inspect.MemoryScan;
import dev.guestcore.internal.memory.FileMemory;
import dev.guestcore.internal.output.ForgetfulSink;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.internal.writer.MemoryCopier;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Holes of a file are passed over on a disk and in memory alike, and nothing else is. */
@Tag("slow")
class SparseFileTest {

    private static final long MIB = 1 << 20;
    private static final long TIB = 1L << 40;
    private static final long BASE = 0x1_0000_0000L;

    @TempDir
    private static Path onDisk;

    /** Where the temporary folder is, and a file system in memory if there is one. */
    static List<Path> folders() throws IOException {
        Path memory = Path.of("/dev/shm");
        return Stream.of(Files.createTempDirectory(onDisk, "ä b%c"), memory)
                .filter(Files::isWritable)
                .toList();
    }

    private static Path sparse(Path folder, long size, long... dataAt) throws IOException {
        Path file = Files.createTempFile(folder, "guestcore-sparse", ".img");
        Random random = new Random(size);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            for (long at : dataAt) {
                byte[] bytes = new byte[70_000 + random.nextInt(200_000)];
                random.nextBytes(bytes);
                channel.write(ByteBuffer.wrap(bytes), at);
            }
            channel.write(ByteBuffer.allocate(1), size - 1);
        }
        return file;
    }

    private static FileMemory memory(FileBytes file, Arena arena, long fileOffset) {
        Extents.Builder extents = new Extents.Builder(arena);
        extents.add(BASE, BASE + (file.size() - fileOffset) - 1, fileOffset);
        return new FileMemory(file, extents.build());
    }

    /** The bytes by whole runs: zeros where a run says so, read where it does not. */
    private static MemorySegment byRuns(GuestMemory memory, AddressRange range, Arena arena) {
        MemorySegment bytes = arena.allocate(range.size(), 1);
        long at = range.first();
        while (range.contains(at)) {
            PageRun run = memory.contentRunAt(at);
            assertEquals(at, run.range().first());
            long size = run.range().intersection(range).orElseThrow().size();
            if (run.state() == PageState.PRESENT) {
                memory.read(at, bytes.asSlice(at - range.first(), size));
            }
            assertTrue(run.range().last() == range.last() || (run.range().last() + 1 & 4095) == 0, run::toString);
            at += size;
        }
        return bytes;
    }

    @ParameterizedTest
    @MethodSource("folders")
    void holesReadAsTheFileDoes(Path folder) throws IOException {
        // At the very start, at the end of the memory, close to one another, and begun and ended within a page.
        long[] data = {0, 3 * MIB + 123, 4 * MIB, 20 * MIB + 4096, 21 * MIB, 40 * MIB - 1, 90 * MIB};
        for (long fileOffset : new long[] {0, 4096, 24 + 3 * MIB}) {
            Path path = sparse(folder, 96 * MIB, data);
            try (Arena arena = Arena.ofShared();
                    FileBytes file = FileBytes.open(path)) {
                FileMemory memory = memory(file, arena, fileOffset);
                AddressRange range = memory.regions().getFirst().range();
                MemorySegment expected = arena.allocate(range.size(), 1);
                memory.read(BASE, expected);
                assertEquals(-1, expected.mismatch(byRuns(memory, range, arena)));
                assertEquals(PageState.PRESENT, memory.runAt(BASE + 50 * MIB).state(), "the dump stores it");
                assertEquals(PageState.ZERO, memory.contentRunAt(BASE + 50 * MIB).state(), "nobody need read it");

                Path copy = folder.resolve(path.getFileName() + ".copy");
                try (OutputFile output = OutputFile.create(copy, OutputFile.IfExists.FAIL)) {
                    MemoryCopier copier = new MemoryCopier(memory, output.sink(), Progress.none());
                    copier.copy(range);
                    output.commit();
                    assertEquals(range.size(), copier.memoryBytes());
                    assertTrue(copier.zeroBytes() > 80 * MIB, "zeros: " + copier.zeroBytes());
                }
                try (FileChannel channel = FileChannel.open(copy)) {
                    MemorySegment copied = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
                    assertEquals(-1, expected.mismatch(copied));
                }
                Files.delete(copy);
            } finally {
                Files.delete(path);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("folders")
    void terabytesOfNothingAreNotRead(Path folder) throws IOException {
        Path path = sparse(folder, 4 * TIB, 5 * MIB, TIB, 4 * TIB - MIB);
        try (Arena arena = Arena.ofShared();
                FileBytes file = FileBytes.open(path)) {
            FileMemory memory = memory(file, arena, 0);
            long begin = System.nanoTime();
            MemoryScan scan = MemoryScan.run(memory, Progress.none());
            // To read as much would take a quarter of an hour on the quickest machine.
            assertTrue(System.nanoTime() - begin < 120_000_000_000L);
            assertEquals(4 * TIB / 4096, scan.pages());
            assertTrue(scan.presentPages() >= 3 * 17 && scan.presentPages() < 3 * 70, scan::toString);
            assertEquals(scan.pages(), scan.presentPages() + scan.zeroPages());
        } finally {
            Files.delete(path);
        }
    }

    @ParameterizedTest
    @MethodSource("folders")
    void holesNeedNoRoomOnTheDisk(Path folder) throws IOException {
        Path path = sparse(folder, 4 * TIB, TIB);
        Path raw = folder.resolve(path.getFileName() + ".raw");
        try (Guest guest = Guests.open("raw:" + path)) {
            Guests.format("raw").writer(Map.of()).write(guest, raw, Progress.none());
            assertEquals(4 * TIB, Files.size(raw));
            try (Guest copy = Guests.open("raw:" + raw)) {
                assertTrue(GuestComparison.compare(guest, copy, Progress.none()).isSameMemory());
            }
        } finally {
            Files.delete(path);
            Files.deleteIfExists(raw);
            Files.deleteIfExists(Path.of(raw + ".map.json"));
        }
    }

    @ParameterizedTest
    @MethodSource("folders")
    void aFileThatShrinksIsAnErrorAndNoHole(Path folder) throws IOException {
        Path path = sparse(folder, 96 * MIB, 0, 10 * MIB);
        try (Arena arena = Arena.ofShared();
                FileBytes file = FileBytes.open(path)) {
            FileMemory memory = memory(file, arena, 0);
            try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
                channel.truncate(20 * MIB);
            }
            MemoryCopier copier = new MemoryCopier(memory, new ForgetfulSink(), Progress.none());
            assertThrows(SourceException.class, () -> copier.copy(new AddressRange(BASE, BASE + 96 * MIB - 1)));
        } finally {
            Files.delete(path);
        }
    }

    @ParameterizedTest
    @MethodSource("folders")
    void anotherFileOfTheSameNameIsNotAsked(Path folder) throws IOException {
        Path path = sparse(folder, 96 * MIB, 0, 50 * MIB);
        Path other = sparse(folder, 96 * MIB);
        try (Arena arena = Arena.ofShared();
                FileBytes file = FileBytes.open(path)) {
            FileMemory memory = memory(file, arena, 0);
            Files.move(other, path, StandardCopyOption.REPLACE_EXISTING);
            assertEquals(PageState.PRESENT, memory.contentRunAt(BASE + 50 * MIB).state());
        } finally {
            Files.delete(path);
        }
    }
}
