package dev.guestcore.source.qemu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Numbers of files and sockets of this process. */
@EnabledOnOs(OS.LINUX)
class DescriptorsTest {

    @Test
    void theRightSocketIsFoundAndADescriptorGoesThroughIt(@TempDir Path folder) throws Exception {
        assertTrue(Descriptors.areSupported());
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(folder.resolve("socket"));
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(address);
                SocketChannel first = SocketChannel.open(address);
                SocketChannel firstServed = server.accept();
                SocketChannel second = SocketChannel.open(address);
                SocketChannel secondServed = server.accept()) {
            int ofFirst = Descriptors.of(first).orElseThrow();
            int ofSecond = Descriptors.of(second).orElseThrow();
            assertTrue(ofFirst != ofSecond);
            int passed = Descriptors.memoryFile();
            byte[] line = "{\"execute\": \"getfd\"}\n".getBytes(StandardCharsets.UTF_8);
            assertTrue(Descriptors.send(ofSecond, line, passed));
            Descriptors.close(passed);
            ByteBuffer received = ByteBuffer.allocate(100);
            assertEquals(line.length, secondServed.read(received));
            firstServed.configureBlocking(false);
            assertEquals(0, firstServed.read(received), "nothing went the other way");
        }
    }

    @Test
    void whatIsFreedReadsAsZerosAndTheFileStaysAsLong() throws Exception {
        int file = Descriptors.memoryFile();
        try (FileChannel channel = FileChannel.open(
                Descriptors.path(file), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            byte[] bytes = new byte[3 * 4096];
            Arrays.fill(bytes, (byte) 7);
            assertEquals(bytes.length, channel.write(ByteBuffer.wrap(bytes)));
            Descriptors.free(file, 0, 2 * 4096);
            assertEquals(bytes.length, channel.size());
            ByteBuffer read = ByteBuffer.allocate(bytes.length);
            assertEquals(bytes.length, channel.read(read, 0));
            Arrays.fill(bytes, 0, 2 * 4096, (byte) 0);
            assertArrayEquals(bytes, read.array());
        } finally {
            Descriptors.close(file);
        }
    }

    @Test
    void aLockEndsWithTheDescriptorThatHasIt() throws Exception {
        int file = Descriptors.memoryFile();
        int again = Descriptors.again(file);
        try (FileChannel channel = FileChannel.open(Descriptors.path(again), StandardOpenOption.WRITE)) {
            assertTrue(Descriptors.lock(file));
            assertFalse(Descriptors.lock(again));
            assertEquals(3, channel.write(ByteBuffer.wrap(new byte[] {1, 2, 3})));
            Descriptors.close(file);
            assertTrue(Descriptors.lock(again));
        } finally {
            Descriptors.close(again);
        }
    }
}
