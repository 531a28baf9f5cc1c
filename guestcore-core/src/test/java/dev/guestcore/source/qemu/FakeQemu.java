package dev.guestcore.source.qemu;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Listens at a UNIX socket and says what a test tells it to. */
final class FakeQemu implements AutoCloseable {

    static final String GREETING = "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 2, \"minor\": 1, \"major\": 9},"
            + " \"package\": \"test\"}, \"capabilities\": []}}\r\n";

    /** At the end of an answer: events without end, until the client hangs up. */
    static final String FLOOD = "(flood)";

    private static final String EVENT = "{\"event\": \"" + "E".repeat(1000) + "\"}\r\n";

    private static final JsonMapper JSON = new JsonMapper();

    private final ServerSocketChannel server;
    private final List<String> commands = new CopyOnWriteArrayList<>();

    /**
     * Begins to listen.
     *
     * @param greeting what everybody hears first
     * @param answers to a command and its whole message: lines without the id of the reply, where {@code %s} stands for
     *     it; null hangs up
     */
    FakeQemu(Path socket, String greeting, BiFunction<String, JsonNode, @Nullable String> answers) throws IOException {
        server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(socket));
        Thread.ofPlatform().daemon().start(() -> serve(greeting, answers));
    }

    private void serve(String greeting, BiFunction<String, JsonNode, @Nullable String> answers) {
        while (server.isOpen()) {
            try (SocketChannel client = server.accept()) {
                send(client, greeting);
                BufferedReader lines = new BufferedReader(Channels.newReader(client, StandardCharsets.UTF_8));
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    JsonNode message = JSON.readTree(line);
                    String command = message.path("execute").asString();
                    commands.add(command);
                    String answer = command.equals("qmp_capabilities") ? reply("{}") : answers.apply(command, message);
                    if (answer == null) {
                        break;
                    }
                    send(client, answer.replace("%s", message.path("id").toString()).replace(FLOOD, ""));
                    while (answer.endsWith(FLOOD)) {
                        send(client, EVENT);
                    }
                }
            } catch (ClosedChannelException e) {
                return;
            } catch (IOException e) {
                // the client hung up; there may be another
                continue;
            }
        }
    }

    static String reply(String value) {
        return "{\"return\": " + value + ", \"id\": %s}\r\n";
    }

    static String text(String value) {
        return reply(JSON.writeValueAsString(value));
    }

    private static void send(SocketChannel client, String text) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            client.write(bytes);
        }
    }

    /** All commands so far, in order. */
    List<String> commands() {
        return commands;
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
