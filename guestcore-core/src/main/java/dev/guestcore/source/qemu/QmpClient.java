package dev.guestcore.source.qemu;

import dev.guestcore.error.SourceException;
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
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import jdk.net.ExtendedSocketOptions;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.json.JsonFactory;
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
    static final int LONGEST_MESSAGE = 4 << 20;

    /** Many times what thousands of vCPUs take, short enough for the heap. */
    private static final int MOST_TOKENS = 200_000;

    private static final int MOST_EVENTS = 1000;

    /** Characters of what others sent that an error shows. */
    private static final int SHOWN = 200;

    /** Characters; QEMU names every device that stands against a migration. */
    private static final int LONGEST_ERROR = 4000;

    /** Bytes; a buffer that has become larger for one long message is let go after it. */
    private static final int KEPT_BUFFER = 1 << 20;

    /** Nanoseconds; what had come when time was over is still looked at, but not without end. */
    private static final long PATIENCE_WITH_FLOODS = 1_000_000_000;

    /** End of the year 9999. */
    private static final long LATEST_SECOND = 253_402_300_799L;

    private static final JsonMapper JSON = new JsonMapper(JsonFactory.builder()
            .streamReadConstraints(
                    StreamReadConstraints.builder().maxTokenCount(MOST_TOKENS).build())
            .build());

    /** The events that tell whether the guest stands still, and why. All others are passed over. */
    private static final Set<String> REMEMBERED = Set.of("STOP", "RESUME", "GUEST_PANICKED");

    /**
     * An event that QEMU sent.
     *
     * @param name STOP, RESUME or GUEST_PANICKED
     * @param at by QEMU's clock
     * @param action what QEMU did about a panic ("pause", "poweroff", "run"); else empty
     */
    record Event(String name, Instant at, String action) {}

    private final Path socket;
    private final SocketChannel channel;
    private final Selector selector;
    private final ReentrantLock lock = new ReentrantLock();
    private final ByteBuffer incoming = ByteBuffer.allocate(64 << 10).flip();
    private ByteArrayOutputStream partialLine = new ByteArrayOutputStream();
    private final ArrayDeque<Event> events = new ArrayDeque<>();
    private long eventsDropped;
    private final JsonNode version;
    private @Nullable Integer descriptor;
    private long nextId = 1;
    private volatile boolean lost;
    private volatile OptionalLong limit = OptionalLong.empty();

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
                    + quoted(greeting.toString()));
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

    /** The process that listens at the other end, as far as the kernel tells; empty where it does not. */
    Optional<Descriptors.Peer> peer() {
        if (!Descriptors.areSupported()) {
            return Optional.empty();
        }
        lock.lock();
        try {
            return Optional.of(Descriptors.peer(descriptor()));
        } catch (IOException | SourceException e) {
            // Without it nobody's memory is read.
            return Optional.empty();
        } finally {
            lock.unlock();
        }
    }

    private int descriptor() throws IOException {
        Integer known = descriptor;
        if (known == null) {
            known = Descriptors.of(channel)
                    .orElseThrow(() -> new SourceException("the descriptor of the monitor's socket was not found"));
            descriptor = known;
        }
        return known;
    }

    /** Whether the connection is of no more use. */
    boolean isLost() {
        return lost;
    }

    /** How many of the events that count have come so far: what {@link #eventsSince} begins after. */
    long eventCount() {
        lock.lock();
        try {
            return eventsDropped + events.size();
        } finally {
            lock.unlock();
        }
    }

    /** The events that count and came after so many, in their order; of a flood only the last thousand. */
    List<Event> eventsSince(long count) {
        lock.lock();
        try {
            return events.stream().skip(Math.max(0, count - eventsDropped)).toList();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Lets no command take longer than until then, however long it may take by itself.
     *
     * @param deadline by {@link System#nanoTime}; empty for no such limit
     */
    void limit(OptionalLong deadline) {
        limit = deadline;
    }

    private long deadline(Duration timeout) {
        long own = System.nanoTime() + timeout.toNanos();
        OptionalLong all = limit;
        return all.isPresent() && all.getAsLong() - own < 0 ? all.getAsLong() : own;
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
            return call(name, arguments, deadline(timeout));
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
            int own = descriptor();
            long deadline = deadline(timeout);
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
                            + printable(reply.path("error").path("class").asString("unknown class"), SHOWN) + ": "
                            + printable(reply.path("error").path("desc").asString(reply.toString()), LONGEST_ERROR));
                } else if (reply.has("return") && reply.path("id").asLong(-1) == id) {
                    answered = true;
                    return reply.path("return");
                } else {
                    throw new IOException("expected the reply to QMP command " + name + " (id " + id + "), found "
                            + quoted(reply.toString()));
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

    /** Takes in what has come without a command: events, the end of the connection. Of a flood, only some. */
    void poll() throws IOException {
        lock.lock();
        try {
            long begin = System.nanoTime();
            while (System.nanoTime() - begin < PATIENCE_WITH_FLOODS) {
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
        if (!REMEMBERED.contains(name)) {
            return;
        }
        JsonNode stamp = message.path("timestamp");
        Instant at = Instant.EPOCH
                .plusSeconds(Math.clamp(stamp.path("seconds").asLong(0), 0, LATEST_SECOND))
                .plus(Math.clamp(stamp.path("microseconds").asLong(0), 0, 999_999), ChronoUnit.MICROS);
        if (events.size() == MOST_EVENTS) {
            events.removeFirst();
            eventsDropped++;
        }
        events.add(new Event(name, at, printable(message.path("data").path("action").asString(""), SHOWN)));
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

    /** Also where messages come without end the deadline holds; one that is here already is given in any case. */
    private JsonNode nextMessage(long deadline) throws IOException {
        while (true) {
            byte[] line = nextLine(deadline);
            if (isBlank(line)) {
                continue;
            }
            try {
                JsonNode message = JSON.readTree(line);
                if (message.isObject()) {
                    return message;
                }
            } catch (JacksonException | ArithmeticException e) {
                throw notQmp(line, e);
            }
            throw notQmp(line, null);
        }
    }

    private static boolean isBlank(byte[] line) {
        for (byte one : line) {
            if (one != ' ' && one != '\r' && one != '\t') {
                return false;
            }
        }
        return true;
    }

    private static IOException notQmp(byte[] line, @Nullable Throwable cause) {
        String text = new String(line, 0, Math.min(line.length, SHOWN * 4), StandardCharsets.UTF_8).strip();
        if (cause instanceof StreamConstraintsException) {
            return new IOException("a QMP message of " + line.length + " bytes has more values, or deeper ones, than"
                    + " any of QEMU's: expected at most " + MOST_TOKENS, cause);
        }
        String hint = text.startsWith("QEMU ") ? " (a human monitor; QMP is -qmp or -mon mode=control)" : "";
        return new IOException("this is not a QMP socket: expected a JSON object, found " + quoted(text) + hint, cause);
    }

    private byte[] nextLine(long deadline) throws IOException {
        while (true) {
            int start = incoming.position();
            int end = start;
            while (end < incoming.limit() && incoming.get(end) != '\n') {
                end++;
            }
            if (partialLine.size() + (end - start) > LONGEST_MESSAGE) {
                throw new IOException("a QMP message is longer than " + LONGEST_MESSAGE + " bytes");
            }
            partialLine.write(incoming.array(), incoming.arrayOffset() + start, end - start);
            if (end < incoming.limit()) {
                incoming.position(end + 1);
                byte[] line = partialLine.toByteArray();
                partialLine = line.length > KEPT_BUFFER ? new ByteArrayOutputStream() : partialLine;
                partialLine.reset();
                return line;
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
            } else if (deadline - System.nanoTime() <= -PATIENCE_WITH_FLOODS) {
                throw new TimeoutException("the time limit passed while QEMU was still sending");
            }
        }
    }

    private void await(long deadline) throws IOException {
        long left = deadline - System.nanoTime();
        if (left <= 0) {
            if (partialLine.size() > 0) {
                throw new TimeoutException("the time limit passed in the middle of a message");
            }
            throw new TimeoutException("the time limit passed");
        }
        selector.select(Math.max(1, left / 1_000_000));
        selector.selectedKeys().clear();
    }

    private static String quoted(String text) {
        return "'" + printable(text, SHOWN) + "'";
    }

    /** What others sent, fit for a line of ours. */
    static String printable(String text, int longest) {
        String start = text.substring(0, Math.min(text.length(), longest + 1))
                .replaceAll("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]", "?")
                .strip();
        return start.length() <= longest ? start : start.substring(0, longest) + "...";
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
