package dev.guestcore.internal.file;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SteadyFileTest {

    @TempDir
    Path folder;

    @Test
    void outlivesAThreadThatIsInterruptedInARead() throws IOException {
        byte[] bytes = new byte[10_000];
        new Random(4).nextBytes(bytes);
        Path path = Files.write(folder.resolve("file"), bytes);
        FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
        Files.delete(path);
        byte[] read = new byte[bytes.length];
        SteadyFile file = new SteadyFile(channel);
        try (file) {
            assertEquals(bytes.length, file.read(MemorySegment.ofArray(read), 0));
            Thread.currentThread().interrupt();
            assertEquals(bytes.length, file.read(MemorySegment.ofArray(read), 0));
            assertTrue(Thread.interrupted(), "it stays interrupted");
            assertTrue(channel.isOpen());
            Thread.currentThread().interrupt();
            assertThrows(ClosedByInterruptException.class, () -> channel.read(ByteBuffer.allocate(1), 0));
            assertTrue(Thread.interrupted());
            assertFalse(channel.isOpen());
            read = new byte[bytes.length];
            assertEquals(bytes.length, file.read(MemorySegment.ofArray(read), 0));
            assertArrayEquals(bytes, read);
            assertEquals(100, file.read(MemorySegment.ofArray(read), bytes.length - 100));
            assertEquals(-1, file.read(MemorySegment.ofArray(read), bytes.length));
        }
        assertThrows(ClosedChannelException.class, () -> file.read(MemorySegment.ofArray(new byte[1]), 0));
    }
}
