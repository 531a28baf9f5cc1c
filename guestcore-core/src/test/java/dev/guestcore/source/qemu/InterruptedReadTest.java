package dev.guestcore.source.qemu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.internal.migration.RamBlock;
import dev.guestcore.testing.Patterns;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.jspecify.annotations.Nullable;

/** Java closes a channel when a thread is interrupted in it, for all threads; what QEMU gave can be had only once. */
@Timeout(60)
class InterruptedReadTest {

    private static final int PAGE = 4096;

    @TempDir
    private Path folder;

    @Test
    void aSnapshotIsReadOn() throws IOException {
        byte[] pages = Patterns.bytes(2 * PAGE, 1);
        Path file = Files.write(folder.resolve("stream"), pages);
        FileChannel stream = FileChannel.open(file, StandardOpenOption.READ);
        Files.delete(file);
        SnapshotMemory memory = new SnapshotMemory(stream, Progress.none());
        RamBlock block = new RamBlock(0, "pc.ram", 2 * PAGE);
        memory.block(block);
        MemorySegment ignored = MemorySegment.ofArray(new byte[PAGE]);
        // No page lies at 0, which stands for zeros.
        memory.page(block, 0, ignored, 8);
        memory.page(block, PAGE, ignored, PAGE);
        memory.complete();
        RegionContents contents = memory.contents(
                new MemoryRegion(AddressRange.ofSize(0, 2 * PAGE), MemoryRegion.Kind.RAM, "pc.ram"), block, 0);
        try (memory) {
            Thread.currentThread().interrupt();
            assertThrows(ClosedByInterruptException.class, () -> stream.read(ByteBuffer.allocate(1), 0));
            assertTrue(Thread.interrupted());
            byte[] read = new byte[PAGE];
            assertEquals(PAGE, contents.readAvailable(PAGE, MemorySegment.ofArray(read)));
            assertArrayEquals(Arrays.copyOfRange(pages, PAGE, 2 * PAGE), read);
        }
        assertThrows(IllegalStateException.class,
                () -> contents.readAvailable(PAGE, MemorySegment.ofArray(new byte[PAGE])));
    }

    /** A thread reads all the time, and is interrupted all the time; most interruptions hit it in a read. */
    @Test
    void savedMemoryIsReadOn() throws Exception {
        int size = 8 << 20;
        byte[] bytes = Patterns.bytes(size, 3);
        Path socket = folder.resolve("qmp");
        try (FakeQemu qemu = new FakeQemu(socket, FakeQemu.GREETING, (command, message) -> {
            if (command.equals("pmemsave")) {
                try {
                    Files.write(
                            Path.of(message.path("arguments").path("filename").asString()), bytes,
                            StandardOpenOption.WRITE);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }
            return FakeQemu.reply("{}");
        });
                QmpClient qmp = QmpClient.connect(socket, Duration.ofSeconds(20));
                Watchdog watchdog = new Watchdog(socket);
                SavedMemory memory = new SavedMemory(qmp, watchdog, folder)) {
            byte[] read = new byte[size];
            memory.read(0, 0, size - 1, MemorySegment.ofArray(read));
            assertArrayEquals(bytes, read);
            AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
            AtomicBoolean done = new AtomicBoolean();
            Thread reader = Thread.ofPlatform().start(() -> {
                try {
                    byte[] again = new byte[size];
                    for (int i = 0; i < 50; i++) {
                        Thread.interrupted();
                        memory.read(0, 0, size - 1, MemorySegment.ofArray(again));
                        assertArrayEquals(bytes, again);
                    }
                } catch (Throwable e) {
                    failure.set(e);
                } finally {
                    done.set(true);
                }
            });
            while (!done.get()) {
                reader.interrupt();
                Thread.onSpinWait();
            }
            reader.join();
            assertEquals(null, failure.get());
            assertTrue(qemu.commands().contains("pmemsave"));
        }
    }
}
