package dev.guestcore.file;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.error.SourceException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReadAheadTest {

    private static final int SIZE = 1 << 20;

    private final MemorySegment content = MemorySegment.ofArray(bytes());
    private final AtomicInteger reads = new AtomicInteger();
    private long size = SIZE;

    @TempDir
    Path folder;

    private static byte[] bytes() {
        byte[] bytes = new byte[SIZE];
        new Random(4).nextBytes(bytes);
        return bytes;
    }

    private long source(long offset, MemorySegment target, long wanted) {
        reads.incrementAndGet();
        long count = Math.clamp(size - offset, 0, wanted);
        MemorySegment.copy(content, offset, target, 0, count);
        return count;
    }

    private void check(ReadAhead readAhead, long offset, int wanted) {
        MemorySegment target = MemorySegment.ofArray(new byte[wanted]);
        long expected = Math.clamp(size - offset, 0, wanted);
        assertEquals(expected, readAhead.read(offset, target, wanted));
        assertEquals(-1, MemorySegment.mismatch(target, 0, expected, content, offset, offset + expected));
    }

    private void checkThroughWindow(ReadAhead readAhead, long offset, int wanted) {
        MemorySegment target = MemorySegment.ofArray(new byte[wanted]);
        long expected = Math.clamp(size - offset, 0, wanted);
        assertEquals(expected, readAhead.readThroughWindow(offset, target, wanted));
        assertEquals(-1, MemorySegment.mismatch(target, 0, expected, content, offset, offset + expected));
    }

    @Test
    void smallReadsInARowBecomeLargeOnes() {
        try (Arena arena = Arena.ofShared()) {
            ReadAhead readAhead = new ReadAhead(arena, this::source);
            for (int offset = 0; offset < SIZE; offset += 4096) {
                check(readAhead, offset, 4096);
            }
            assertTrue(reads.get() <= SIZE / 65536 + 2, reads + " reads");
        }
    }

    @Test
    void smallReadsInARowBeforeTheWindowBecomeLargeOnesToo() {
        try (Arena arena = Arena.ofShared()) {
            ReadAhead readAhead = new ReadAhead(arena, this::source);
            for (int offset = SIZE / 2; offset < SIZE / 2 + (1 << 16); offset += 4096) {
                check(readAhead, offset, 4096);
            }
            reads.set(0);
            for (int offset = 0; offset < 1 << 18; offset += 4096) {
                check(readAhead, offset, 4096);
            }
            assertTrue(reads.get() <= 6, reads + " reads for 64 pages");
        }
    }

    @Test
    void largeReadsThroughAWindowGiveTheFile() {
        Random random = new Random(7);
        try (Arena arena = Arena.ofShared()) {
            ReadAhead readAhead = new ReadAhead(arena, this::source);
            for (int i = 0; i < 2000; i++) {
                checkThroughWindow(readAhead, random.nextInt(SIZE), random.nextInt(1 << 18));
                check(readAhead, random.nextInt(SIZE - 8192), random.nextInt(8192));
            }
        }
    }

    @Test
    void knowsMemoryIntoWhichTheSystemCopiesSlowly() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment room = arena.allocate(3 * 4096, 4096);
            assertTrue(ReadAhead.isSlowTarget(0, MemorySegment.ofArray(new byte[16])));
            assertTrue(ReadAhead.isSlowTarget(1 << 20, room.asSlice(16)));
            assertTrue(ReadAhead.isSlowTarget((1 << 20) + 4095, room));
            assertTrue(ReadAhead.isSlowTarget((1 << 20) + 100, room.asSlice(4096 + 131)));
            assertFalse(ReadAhead.isSlowTarget(1 << 20, room));
            assertFalse(ReadAhead.isSlowTarget(1 << 20, room.asSlice(32)));
            assertFalse(ReadAhead.isSlowTarget((1 << 20) + 16, room));
            assertFalse(ReadAhead.isSlowTarget((1 << 20) + 16, room.asSlice(16)));
        }
    }

    @Test
    void otherReadsFetchNothingElse() {
        long[] most = {0};
        try (Arena arena = Arena.ofShared()) {
            ReadAhead readAhead = new ReadAhead(arena, (offset, target, wanted) -> {
                most[0] = Math.max(most[0], wanted);
                return source(offset, target, wanted);
            });
            for (int i = 0; i < 200; i++) {
                check(readAhead, (i * 37 % 200) * 5000L, 4096);
            }
            assertEquals(200, reads.get());
            assertEquals(4096, most[0]);
        }
    }

    @Test
    void everyMixtureOfReadsGivesTheFile() {
        Random random = new Random(6);
        try (Arena arena = Arena.ofShared()) {
            ReadAhead readAhead = new ReadAhead(arena, this::source);
            long at = 0;
            for (int i = 0; i < 20_000; i++) {
                at = random.nextInt(5) == 0 ? random.nextInt(SIZE) : at;
                int wanted = (int) Math.min(SIZE - at, 1 + random.nextInt(ReadAhead.LARGEST_READ));
                check(readAhead, at, wanted);
                at = at + wanted == SIZE ? 0 : at + wanted;
            }
        }
    }

    @Test
    void endsWhereTheFileEnds() {
        size = 100_000;
        try (Arena arena = Arena.ofShared()) {
            ReadAhead readAhead = new ReadAhead(arena, this::source);
            for (int offset = 0; offset < 120_000; offset += 1000) {
                check(readAhead, offset, 1500);
                check(readAhead, offset + 1500, 1500);
            }
        }
    }

    @Test
    void afterAFailureTheNextReadIsRight() {
        try (Arena arena = Arena.ofShared()) {
            boolean[] fails = {false};
            ReadAhead readAhead = new ReadAhead(arena, (offset, target, wanted) -> {
                if (fails[0]) {
                    target.fill((byte) 0x5a);
                    throw new SourceException("the disk fails");
                }
                return source(offset, target, wanted);
            });
            check(readAhead, 0, 4096);
            check(readAhead, 4096, 4096);
            fails[0] = true;
            MemorySegment target = MemorySegment.ofArray(new byte[4096]);
            for (int offset = 8192; offset < 65536 + 4096; offset += 4096) {
                readAhead.read(offset, target, 4096);
            }
            assertThrows(SourceException.class, () -> readAhead.read(65536 + 4096, target, 4096));
            fails[0] = false;
            check(readAhead, 8192, 4096);
            check(readAhead, 65536 + 4096, 4096);
            check(readAhead, 65536 + 8192, 4096);
        }
    }

    @Test
    void threadsReadSideBySide() throws InterruptedException, ExecutionException {
        try (Arena arena = Arena.ofShared();
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            ReadAhead readAhead = new ReadAhead(arena, this::source);
            List<Future<Void>> all = new ArrayList<>();
            for (int thread = 0; thread < 64; thread++) {
                int start = thread * 1000;
                Callable<Void> reading = () -> {
                    for (int offset = start; offset + 4096 <= SIZE; offset += 4096) {
                        check(readAhead, offset, 4096);
                        if (offset % 16 == 0) {
                            checkThroughWindow(readAhead, offset, 100_000);
                        }
                    }
                    return null;
                };
                all.add(threads.submit(reading));
            }
            for (Future<Void> one : all) {
                one.get();
            }
        }
    }

    @Test
    void aFileThatShrinksIsNoticed() throws IOException {
        Path path = folder.resolve("file");
        Files.write(path, bytes());
        try (FileBytes file = FileBytes.open(path)) {
            MemorySegment target = MemorySegment.ofArray(new byte[4096]);
            for (int offset = 0; offset < 8192; offset += 4096) {
                assertEquals(4096, file.read(offset, target));
            }
            try (RandomAccessFile writer = new RandomAccessFile(path.toFile(), "rw")) {
                writer.setLength(200_000);
            }
            long read = 0;
            for (int offset = 8192; offset < SIZE; offset += 4096) {
                long count = file.read(offset, target);
                assertEquals(-1, MemorySegment.mismatch(target, 0, count, content, offset, offset + count));
                read = offset + count;
                if (count < 4096) {
                    break;
                }
            }
            assertEquals(200_000, read);
            MemorySegment all = MemorySegment.ofArray(new byte[SIZE]);
            assertEquals(200_000, file.read(0, all));
            assertEquals(-1, MemorySegment.mismatch(all, 0, 200_000, content, 0, 200_000));
        }
    }

    @Test
    void nothingIsReadAfterClosing() throws IOException {
        Path path = folder.resolve("file");
        Files.write(path, bytes());
        FileBytes file = FileBytes.open(path);
        MemorySegment target = MemorySegment.ofArray(new byte[4096]);
        file.read(0, target);
        file.read(4096, target);
        file.close();
        assertThrows(RuntimeException.class, () -> file.read(8192, target));
    }
}
