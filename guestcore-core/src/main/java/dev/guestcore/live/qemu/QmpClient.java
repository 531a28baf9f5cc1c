package dev.guestcore.live.qemu;

import dev.guestcore.SourceException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.Serial;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipal;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import jdk.net.ExtendedSocketOptions;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A connection to a QMP socket: one JSON object a line, a greeting, then commands and replies with events between them
 * (QEMU Machine Protocol Specification). Thread-safe: one command at a time.
 *
 * <p>What QEMU answers with an error is a {@link SourceException} and leaves the connection usable; a connection that
 * is lost, late or not QMP at all is an {@link IOException} and closes it.
 */
final class QmpClient implements AutoCloseable {

    /** Long enough for the register text of hundreds of vCPUs, short enough for the heap. */
    static final int LONGEST_MESSAGE = 16 << 20;

    private static final JsonMapper JSON = new JsonMapper();

    /** An event that QEMU sent. */
    record Event(String name, long microseconds, long count) {}

    private final Path socket;
    private final SocketChannel channel;
    private final Selector selector;
    private final ReentrantLock lock = new ReentrantLock();
    private final ByteBuffer incoming = ByteBuffer.allocate(64 << 10).flip();
    private final ByteArrayOutputStream partialLine = new ByteArrayOutputStream();
    private final Map<String, Event> events = new HashMap<>();
    private final JsonNode version;
    private long nextId = 1;
    private volatile boolean lost;

    private QmpClient(Path socket, SocketChannel channel, Selector selector, Duration timeout) throws IOException {
        this.socket = socket;
        this.channel = channel;
        this.selector = selector;
        long deadline = System.nanoTime() + timeout.toNanos();
        version = greeting(deadline);
        try {
            call("qmp_capabilities", Map.of(), deadline);
        } catch (SourceException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    /**
     * Connects and negotiates.
     *
     * @throws IOException one line that says what is there instead of a QMP socket
     */
    static QmpClient connect(Path socket, Duration timeout) throws IOException {
        if (!Files.exists(socket)) {
            throw new IOException("there is no such socket; start QEMU with -qmp unix:" + socket + ",server,nowait");
        }
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        Selector selector = null;
        try {
            try {
                channel.connect(UnixDomainSocketAddress.of(socket));
            } catch (IOException e) {
                throw new IOException(
                        "cannot connect (" + e.getMessage() + "): it must be a UNIX socket at which a running QEMU"
                                + " listens and that you may write to",
                        e);
            }
            channel.configureBlocking(false);
            selector = Selector.open();
            channel.register(selector, SelectionKey.OP_READ);
            return new QmpClient(socket, channel, selector, timeout);
        } catch (IOException | RuntimeException | Error e) {
            channel.close();
            if (selector != null) {
                selector.close();
            }
            throw e;
        }
    }

    private JsonNode greeting(long deadline) throws IOException {
        JsonNode greeting;
        try {
            greeting = nextMessage(deadline);
        } catch (TimeoutException e) {
            throw new IOException(
                    "no QMP greeting came in time: either this is no QMP socket, or another client holds it (QEMU"
                            + " serves one at a time; give it a second -qmp socket)",
                    e);
        }
        JsonNode qmp = greeting.path("QMP");
        if (!qmp.isObject()) {
            throw new IOException("this is not a QMP socket: expected a greeting {\"QMP\": ...}, found "
                    + shorten(greeting.toString()));
        }
        return qmp.path("version");
    }

    /** The {@code version} object of the greeting. */
    JsonNode version() {
        return version;
    }

    /** The socket's path. */
    Path socket() {
        return socket;
    }

    /** The user who listens at the other end: QEMU's, or that of a manager which opened the socket for it. */
    UserPrincipal listener() throws IOException {
        return channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user();
    }

    /** Whether the connection is of no more use. */
    boolean isLost() {
        return lost;
    }

    /** The last event of that name, and how many there were. */
    Optional<Event> event(String name) {
        lock.lock();
        try {
            return Optional.ofNullable(events.get(name));
        } finally {
            lock.unlock();
        }
    }

    /**
     * Runs a command.
     *
     * @param name of the command
     * @param arguments by name: strings, numbers, booleans, lists and maps of them
     * @param timeout how long to wait for the reply
     * @return what stands under {@code return}
     * @throws SourceException if QEMU answers with an error; the message holds it whole
     * @throws IOException if the connection is lost or no reply comes in time
     */
    JsonNode execute(String name, Map<String, ?> arguments, Duration timeout) throws IOException {
        lock.lock();
        try {
            return call(name, arguments, System.nanoTime() + timeout.toNanos());
        } finally {
            lock.unlock();
        }
    }

    /**
     * Runs a command with which QEMU gets a copy of a file descriptor ({@code getfd}).
     *
     * @throws SourceException if QEMU answers with an error, or the descriptor cannot be passed
     * @throws IOException if the connection is lost or no reply comes in time
     */
    JsonNode executeWithDescriptor(String name, Map<String, ?> arguments, int descriptor, Duration timeout)
            throws IOException {
        lock.lock();
        try {
            int own = Descriptors.of(channel)
                    .orElseThrow(() -> new SourceException("the descriptor of the monitor's socket was not found"));
            long deadline = System.nanoTime() + timeout.toNanos();
            return call(name, arguments, deadline, (line, end) -> {
                while (!Descriptors.send(own, line, descriptor)) {
                    channel.keyFor(selector).interestOps(SelectionKey.OP_WRITE);
                    try {
                        await(end);
                    } finally {
                        channel.keyFor(selector).interestOps(SelectionKey.OP_READ);
                    }
                }
            });
        } finally {
            lock.unlock();
        }
    }

    private interface Sending {
        void send(byte[] line, long deadline) throws IOException;
    }

    private JsonNode call(String name, Map<String, ?> arguments, long deadline) throws IOException {
        return call(name, arguments, deadline, this::send);
    }

    private JsonNode call(String name, Map<String, ?> arguments, long deadline, Sending sending) throws IOException {
        if (lost) {
            throw new IOException("the connection to QEMU was lost before");
        }
        boolean interrupted = Thread.interrupted();
        boolean answered = false;
        try {
            long id = nextId++;
            Map<String, Object> message = new LinkedHashMap<>();
            message.put("execute", name);
            message.put("arguments", arguments);
            message.put("id", id);
            sending.send((JSON.writeValueAsString(message) + "\n").getBytes(StandardCharsets.UTF_8), deadline);
            while (true) {
                JsonNode reply = nextMessage(deadline);
                if (reply.has("event")) {
                    remember(reply);
                } else if (reply.has("error") && (!reply.has("id") || reply.path("id").asLong(-1) == id)) {
                    answered = true;
                    throw new SourceException("QMP command " + name + " failed: "
                            + reply.path("error").path("class").asString("unknown class") + ": "
                            + reply.path("error").path("desc").asString(reply.toString()));
                } else if (reply.has("return") && reply.path("id").asLong(-1) == id) {
                    answered = true;
                    return reply.path("return");
                } else {
                    throw new IOException("expected the reply to QMP command " + name + " (id " + id + "), found "
                            + shorten(reply.toString()));
                }
            }
        } catch (TimeoutException e) {
            throw new IOException("QEMU did not answer QMP command " + name + " in time", e);
        } finally {
            // After a half-done exchange nobody knows which reply belongs to which command.
            if (!answered) {
                close();
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Runs a command of the human monitor and gives its text, lines separated by a line feed. */
    String monitor(String commandLine, Duration timeout) throws IOException {
        JsonNode text = execute("human-monitor-command", Map.of("command-line", commandLine), timeout);
        return text.asString("").replace("\r", "");
    }

    /** Takes in what has come without a command: events, the end of the connection. */
    void poll() throws IOException {
        lock.lock();
        try {
            while (true) {
                JsonNode message = nextMessage(System.nanoTime());
                if (message.has("event")) {
                    remember(message);
                }
            }
        } catch (TimeoutException e) {
            // nothing more has come
        } catch (IOException e) {
            close();
            throw e;
        } finally {
            lock.unlock();
        }
    }

    private void remember(JsonNode message) {
        String name = message.path("event").asString("");
        JsonNode stamp = message.path("timestamp");
        long microseconds = stamp.path("seconds").asLong(0) * 1_000_000 + stamp.path("microseconds").asLong(0);
        Event before = events.get(name);
        events.put(name, new Event(name, microseconds, before == null ? 1 : before.count() + 1));
    }

    private void send(byte[] line, long deadline) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(line);
        SelectionKey key = channel.keyFor(selector);
        try {
            while (true) {
                channel.write(bytes);
                if (!bytes.hasRemaining()) {
                    return;
                }
                key.interestOps(SelectionKey.OP_WRITE);
                await(deadline);
            }
        } finally {
            if (key.isValid()) {
                key.interestOps(SelectionKey.OP_READ);
            }
        }
    }

    private JsonNode nextMessage(long deadline) throws IOException {
        while (true) {
            String line = nextLine(deadline);
            if (line.isBlank()) {
                continue;
            }
            try {
                JsonNode message = JSON.readTree(line);
                if (message.isObject()) {
                    return message;
                }
            } catch (JacksonException e) {
                throw notQmp(line, e);
            }
            throw notQmp(line, null);
        }
    }

    private static IOException notQmp(String line, @Nullable Throwable cause) {
        String hint = line.startsWith("QEMU ") ? " (a human monitor; QMP is -qmp or -mon mode=control)" : "";
        return new IOException("this is not a QMP socket: expected a JSON object, found " + shorten(line) + hint,
                cause);
    }

    private String nextLine(long deadline) throws IOException {
        while (true) {
            while (incoming.hasRemaining()) {
                byte next = incoming.get();
                if (next == '\n') {
                    String line = partialLine.toString(StandardCharsets.UTF_8);
                    partialLine.reset();
                    return line;
                }
                if (partialLine.size() == LONGEST_MESSAGE) {
                    throw new IOException("a QMP message is longer than " + LONGEST_MESSAGE + " bytes");
                }
                partialLine.write(next);
            }
            incoming.clear();
            int count;
            try {
                count = channel.read(incoming);
            } finally {
                incoming.flip();
            }
            if (count < 0) {
                throw new IOException("QEMU closed the connection: it has ended, or the monitor was removed");
            }
            if (count == 0) {
                await(deadline);
            }
        }
    }

    private void await(long deadline) throws IOException {
        long left = deadline - System.nanoTime();
        if (left <= 0) {
            if (partialLine.size() > 0) {
                throw new TimeoutException("time is over in the middle of: "
                        + shorten(partialLine.toString(StandardCharsets.UTF_8)));
            }
            throw new TimeoutException("time is over");
        }
        selector.select(Math.max(1, left / 1_000_000));
        selector.selectedKeys().clear();
    }

    private static String shorten(String text) {
        String printable = text.strip().replaceAll("\\p{Cntrl}", "?");
        return printable.length() <= 200 ? "'" + printable + "'" : "'" + printable.substring(0, 200) + "...'";
    }

    @Override
    public void close() {
        lost = true;
        try (channel;
                selector) {
            // both are closed, the selector first
        } catch (IOException e) {
            // A socket that cannot be closed is of no use to anybody; there is nothing to lose.
            lost = true;
        }
    }

    private static final class TimeoutException extends IOException {

        @Serial
        private static final long serialVersionUID = 1L;

        TimeoutException(String message) {
            super(message);
        }
    }
}
