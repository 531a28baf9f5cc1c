package dev.guestcore.source.qemu;

import dev.guestcore.error.GuestcoreException;
import dev.guestcore.fuzz.Target;
import dev.guestcore.open.Guests;
import dev.guestcore.source.GuestSource;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** A hypervisor that answers anything when we connect. */
public final class QmpTarget implements Target {

    private final Path socket;
    private final ServerSocketChannel server;
    private final BlockingQueue<byte[]> answers = new LinkedBlockingQueue<>();

    /**
     * Begins to listen.
     *
     * @param folder where the socket is made
     */
    public QmpTarget(Path folder) throws IOException {
        socket = Files.createTempDirectory(folder, "qmp").resolve("socket");
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(socket));
        Thread.ofPlatform().daemon().start(this::serve);
    }

    /** Says all of it at once: replies are numbered from 1 on, so they can be given before the question. */
    private void serve() {
        ByteBuffer ignored = ByteBuffer.allocate(1 << 16);
        while (server.isOpen()) {
            try (SocketChannel client = server.accept()) {
                ByteBuffer answer = ByteBuffer.wrap(answers.take());
                while (answer.hasRemaining()) {
                    client.write(answer);
                }
                client.shutdownOutput();
                while (client.read(ignored.clear()) >= 0) {
                    // Whatever it asks, the answer is given.
                }
            } catch (IOException e) {
                // The client hung up, as it should on most inputs.
                continue;
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    @Override
    public String name() {
        return "qmp";
    }

    @Override
    public String title() {
        return "QEMU's answers when we connect";
    }

    @Override
    public void run(byte[] input) {
        answers.add(input);
        try (GuestSource source = Guests.source("qemu:" + socket)) {
            if (source.description().isEmpty() || source.vcpuCount() < 0 || !source.isLive()) {
                throw new AssertionError("a source that contradicts itself: " + source.description());
            }
            source.regions().forEach(Object::toString);
        } catch (GuestcoreException e) {
            if (e.getMessage().indexOf('\n') >= 0) {
                throw new AssertionError("an error of several lines", e);
            }
        }
    }

    @Override
    public List<byte[]> seeds() throws IOException {
        String greeting = "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":2,\"minor\":1,\"major\":9},\"package\":\"x\"},"
                + "\"capabilities\":[]}}\r\n{\"return\":{},\"id\":1}\r\n";
        String event = "{\"timestamp\":{\"seconds\":1700000000,\"microseconds\":250000},\"event\":\"RESUME\"}\r\n";
        String layout = MonitorTextTarget.resource("flat-view.txt").replace("\n", "\\r\\n").replace("\"", "\\\"");
        String whole = greeting + "{\"return\":{\"arch\":\"x86_64\"},\"id\":2}\r\n" + event
                + "{\"return\":[{\"cpu-index\":0,\"thread-id\":77}],\"id\":3}\r\n{\"return\":\"" + layout
                + "\",\"id\":4}\r\n{\"return\":{\"name\":\"fake\"},\"id\":5}\r\n"
                + "{\"return\":{\"status\":\"running\"},\"id\":6}\r\n";
        String refused = greeting + "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"no\"},\"id\":2}\r\n";
        return List.of(bytes(whole), bytes(refused), bytes(greeting), bytes("QEMU 7.2.0 monitor\r\n(qemu) "));
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public List<byte[]> dictionary() {
        return List.of("{\"return\":", "{\"error\":{\"class\":", "\"desc\":", "\"id\":", "\"event\":", "\"timestamp\":",
                "\"seconds\":", "\"QMP\":", "\"version\":", "\"qemu\":", "\"cpu-index\":", "\"thread-id\":",
                "\"arch\":\"i386\"", "\"status\":", "\"name\":", "null", "[]", "{}", "}\r\n", "1e400", "-1",
                "(prio 0, ram): ", "FlatView #", "18446744073709551616")
                .stream()
                .map(QmpTarget::bytes)
                .toList();
    }

    @Override
    public int longest() {
        return 8192;
    }
}
