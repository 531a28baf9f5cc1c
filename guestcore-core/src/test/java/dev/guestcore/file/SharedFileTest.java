package dev.guestcore.file;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Threads that share an open file: one is interrupted, one closes it. */
class SharedFileTest {

    private static final int SIZE = 1 << 20;

    @TempDir
    Path folder;

    /** What becomes of the name of a file while it is open. */
    enum Name {
        STAYS,
        GOES,
        IS_ANOTHERS
    }

    private static byte[] bytes() {
        byte[] bytes = new byte[SIZE];
        new Random(3).nextBytes(bytes);
        return bytes;
    }

    /** Java closes a channel when a thread is interrupted in it, for all threads. */
    @ParameterizedTest
    @EnumSource(Name.class)
    void aThreadThatIsInterruptedWhileItReadsReadsOn(Name name) throws IOException {
        Path path = Files.write(folder.resolve("file"), bytes());
        AtomicBoolean interrupts = new AtomicBoolean(true);
        try (FileBytes file = FileBytes.open(path, (channel, target, offset) -> {
            if (interrupts.getAndSet(false)) {
                Thread.currentThread().interrupt();
            }
            return channel.read(target, offset);
        })) {
            switch (name) {
                case STAYS -> {}
                case GOES -> Files.delete(path);
                case IS_ANOTHERS -> Files.move(
                        Files.write(folder.resolve("other"), new byte[SIZE]), path,
                        StandardCopyOption.REPLACE_EXISTING);
                default -> throw new AssertionError(name);
            }
            byte[] read = new byte[SIZE];
            assertEquals(SIZE, file.read(0, MemorySegment.ofArray(read)));
            assertTrue(Thread.interrupted(), "it stays interrupted");
            assertArrayEquals(bytes(), read);
            assertEquals(100, file.read(SIZE - 100, MemorySegment.ofArray(read)));
            interrupts.set(true);
            assertEquals(SIZE, file.read(0, MemorySegment.ofArray(read)));
            assertEquals(name == Name.STAYS, Thread.interrupted());
            assertArrayEquals(bytes(), read);
        }
    }

    @Test
    void anInterruptedThreadOpensAndReads() throws IOException {
        Path path = Files.write(folder.resolve("file"), bytes());
        Thread.currentThread().interrupt();
        try (FileBytes file = FileBytes.open(path)) {
            byte[] read = new byte[SIZE];
            assertEquals(SIZE, file.read(0, MemorySegment.ofArray(read)));
            assertTrue(Thread.interrupted());
            assertArrayEquals(bytes(), read);
            assertEquals(SIZE, file.read(0, MemorySegment.ofArray(read)));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"elf", "kdump", "vbox"})
    void closingWaitsForReadsAndLeavesNothing(String format) throws Exception {
        Path dump = folder.resolve("shared-" + format);
        try (Guest guest = Guest.builder().ram(0, MemorySegment.ofArray(bytes())).build()) {
            Guests.format(format).writer(Map.of()).write(guest, dump, Progress.none());
        }
        for (int round = 0; round < 15; round++) {
            Guest guest = Guests.open(dump);
            AtomicReference<Throwable> unexpected = new AtomicReference<>();
            List<Thread> readers = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                readers.add(Thread.ofPlatform().start(() -> readUntilClosed(guest.memory(), unexpected)));
            }
            Thread.sleep(5);
            assertDoesNotThrow(guest::close);
            assertDoesNotThrow(guest::close);
            for (Thread reader : readers) {
                reader.join();
            }
            assertEquals(null, unexpected.get());
            GuestMemory memory = guest.memory();
            assertThrows(
                    IllegalStateException.class,
                    () -> memory.readAvailable(0, MemorySegment.ofArray(new byte[SIZE])));
        }
        if (Files.isReadable(Path.of("/proc/self/maps"))) {
            String name = dump.getFileName().toString();
            assertEquals(0, Files.readAllLines(Path.of("/proc/self/maps")).stream().filter(line -> line.contains(name))
                    .count());
            try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
                assertEquals(0, open.filter(descriptor -> leadsTo(descriptor, name)).count());
            }
        }
    }

    private static void readUntilClosed(GuestMemory memory, AtomicReference<Throwable> unexpected) {
        MemorySegment target = MemorySegment.ofArray(new byte[SIZE]);
        try {
            while (true) {
                memory.readAvailable(0, target);
                for (long at = 0; at < 1 << 16; at += 1 << 10) {
                    memory.readAvailable(at, target.asSlice(0, 1 << 10));
                }
            }
        } catch (IllegalStateException closed) {
            // As GuestMemory promises.
            return;
        } catch (GuestcoreException | Error e) {
            unexpected.set(e);
        }
    }

    private static boolean leadsTo(Path descriptor, String name) {
        try {
            return Files.readSymbolicLink(descriptor).toString().endsWith(name);
        } catch (IOException e) {
            return false;
        }
    }
}
