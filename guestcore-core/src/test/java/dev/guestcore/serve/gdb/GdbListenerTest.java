package dev.guestcore.serve.gdb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.error.SourceException;
import dev.guestcore.testing.DebuggedGuest;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class GdbListenerTest {

    private final Guest guest = DebuggedGuest.create();

    /** Serves clients until the listener is closed; gives how many. */
    private CompletableFuture<Integer> serve(GdbListener listener) {
        return CompletableFuture.supplyAsync(() -> listener.serveAll(new GdbServer(guest)));
    }

    private static void send(SocketChannel client, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Wire.bytes(text));
        while (bytes.hasRemaining()) {
            client.write(bytes);
        }
    }

    private static void expect(SocketChannel client, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(text.length());
        while (bytes.hasRemaining() && client.read(bytes) >= 0) {
            // until all is there
        }
        assertEquals(text, new String(bytes.array(), 0, bytes.position(), StandardCharsets.ISO_8859_1));
    }

    private static void converse(SocketAddress address) throws IOException {
        try (SocketChannel client = SocketChannel.open(address)) {
            send(client, "+" + Wire.frame("qC"));
            expect(client, "+$QC1#c5");
        }
    }

    @Test
    void servesWhateverComes() throws Exception {
        GdbListener listener = GdbListener.onLoopback(0);
        try {
            CompletableFuture<Integer> served = serve(listener);
            assertTrue(((InetSocketAddress) listener.address()).getAddress().isLoopbackAddress());
            converse(listener.address());
            try (SocketChannel half = SocketChannel.open(listener.address())) {
                send(half, "$m1234");
            }
            try (SocketChannel rubbish = SocketChannel.open(listener.address())) {
                send(rubbish, "GET / HTTP/1.1\r\n" + "Header: value\r\n".repeat(100));
                assertEquals(-1, drain(rubbish));
            }
            try (SocketChannel rude = SocketChannel.open(listener.address())) {
                // Asks for much, reads nothing and leaves with a reset.
                rude.setOption(StandardSocketOptions.SO_LINGER, 0);
                send(rude, Wire.frame("m" + Long.toHexString(DebuggedGuest.BASE) + ",7000").repeat(50));
            }
            awaitService(listener.address()).close();
            listener.close();
            assertEquals(5, served.get(30, TimeUnit.SECONDS));
        } finally {
            listener.close();
        }
    }

    @Test
    void anIdleClientKeepsNobodyOut() throws Exception {
        GdbListener listener = GdbListener.onLoopback(0);
        List<SocketChannel> idle = new ArrayList<>();
        try {
            CompletableFuture<Integer> served = serve(listener);
            // One that says nothing, one in the midst of a packet, one that is waiting for its user.
            idle.add(SocketChannel.open(listener.address()));
            idle.add(SocketChannel.open(listener.address()));
            send(idle.getLast(), "$m1234");
            idle.add(SocketChannel.open(listener.address()));
            send(idle.getLast(), "+" + Wire.frame("qC"));
            expect(idle.getLast(), "+$QC1#c5");
            converse(listener.address());
            // Its session has ended once the one that is idle next is served.
            String refusal = "E.guestcore serves 4 debuggers already; disconnect one of them first";
            idle.add(awaitService(listener.address()));
            try (SocketChannel tooMany = SocketChannel.open(listener.address())) {
                send(tooMany, "+" + Wire.frame("qSupported:multiprocess+"));
                expect(tooMany, "+" + Wire.frame(refusal));
                assertEquals(-1, drain(tooMany));
            }
            try (SocketChannel silent = SocketChannel.open(listener.address())) {
                assertEquals(-1, drain(silent), "one that asks nothing is left");
            }
            // Who waited for its user still has its session, and whoever leaves makes room.
            send(idle.get(2), Wire.frame("qC"));
            expect(idle.get(2), "+$QC1#c5");
            idle.getFirst().close();
            awaitService(listener.address()).close();
            listener.close();
            assertTrue(served.get(30, TimeUnit.SECONDS) >= 6);
        } finally {
            listener.close();
            for (SocketChannel client : idle) {
                client.close();
            }
        }
    }

    /** Connects until it is served: the end of another's session takes a moment. */
    private static SocketChannel awaitService(SocketAddress address) throws IOException {
        while (true) {
            SocketChannel client = SocketChannel.open(address);
            send(client, "+" + Wire.frame("qC"));
            ByteBuffer bytes = ByteBuffer.allocate(3);
            while (bytes.hasRemaining() && client.read(bytes) >= 0) {
                // until the first letter of the reply
            }
            if (bytes.get(2) == 'Q') {
                expect(client, "C1#c5");
                return client;
            }
            client.close();
        }
    }

    @Test
    void whoIsServedAloneIsServedAlone() throws Exception {
        GdbListener listener = GdbListener.onLoopback(0);
        CompletableFuture<Boolean> served =
                CompletableFuture.supplyAsync(() -> listener.serveFirst(new GdbServer(guest)));
        SocketAddress address = listener.address();
        try (SocketChannel first = SocketChannel.open(address)) {
            send(first, "+" + Wire.frame("qC"));
            expect(first, "+$QC1#c5");
            try (SocketChannel second = SocketChannel.open(address)) {
                send(second, "+" + Wire.frame("qC"));
                expect(second, "+" + Wire.frame(
                        "E.guestcore serves another debugger, and exits when that one disconnects"));
                assertEquals(-1, drain(second));
            }
            assertFalse(served.isDone());
        }
        assertTrue(served.get(30, TimeUnit.SECONDS));
        assertThrows(IOException.class, () -> SocketChannel.open(address));
    }

    /** Reads to the end; a reset is an end too. */
    private static int drain(SocketChannel client) {
        try {
            int read = 0;
            while (read >= 0) {
                read = client.read(ByteBuffer.allocate(1024));
            }
            return read;
        } catch (IOException e) {
            return -1;
        }
    }

    @Test
    void closingEndsASessionUnderWay() throws Exception {
        GdbListener listener = GdbListener.onLoopback(0);
        CompletableFuture<Integer> served = serve(listener);
        try (SocketChannel client = SocketChannel.open(listener.address())) {
            send(client, Wire.frame("qC"));
            expect(client, "+$QC1#c5");
            listener.close();
            assertEquals(1, served.get(30, TimeUnit.SECONDS));
            assertEquals(-1, drain(client));
        }
    }

    @Test
    void aSocketIsItsOwnersAlone(@TempDir Path folder) throws Exception {
        Path socket = folder.resolve("debug");
        GdbListener listener = GdbListener.onSocket(socket);
        try {
            serve(listener);
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)));
            try (Stream<Path> files = Files.list(folder)) {
                assertEquals(1, files.count());
            }
            converse(UnixDomainSocketAddress.of(socket));
            converse(UnixDomainSocketAddress.of(socket));
            SourceException second = assertThrows(SourceException.class, () -> GdbListener.onSocket(socket));
            assertTrue(second.getMessage().contains("exists already"), second.getMessage());
        } finally {
            listener.close();
        }
        assertFalse(Files.exists(socket));
    }

    @Test
    void aPortInUseIsAnError() {
        try (GdbListener listener = GdbListener.onLoopback(0)) {
            int port = ((InetSocketAddress) listener.address()).getPort();
            SourceException error = assertThrows(SourceException.class, () -> GdbListener.onLoopback(port));
            assertTrue(error.getMessage().contains("in use"), error.getMessage());
        }
    }
}
