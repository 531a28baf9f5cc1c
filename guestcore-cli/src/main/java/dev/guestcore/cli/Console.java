package dev.guestcore.cli;

import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.OutputException;
import dev.guestcore.file.Locations;
import dev.guestcore.json.Json;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Where a command talks to: the standard streams, what is known of the terminal, and the user's wish to stop. */
final class Console {

    private static final int BUFFER = 1 << 13;
    private static final int USUAL_WIDTH = 80;
    private static final int USUAL_HEIGHT = 24;
    /** What cannot be started shows everything all the same. */
    private static final String USUAL_PAGER = "if command -v less >/dev/null; then exec less; else exec cat; fi";

    private final OutputStream rawOut;
    private final NotingStream outBytes;
    private final PrintStream out;
    private final PrintStream err;
    private final WritableByteChannel outChannel;
    private final Terminal terminal;
    private final Cancellation cancellation = new Cancellation();
    private final List<String> deferred = new ArrayList<>();
    private Optional<Pager> pager = Optional.empty();
    private ColourMode colours = ColourMode.AUTO;
    private boolean json;

    /** What the user typed that has a secret in it, and how that is shown. */
    private final Map<String, String> secrets = new LinkedHashMap<>();

    /**
     * What the launcher found out about the streams.
     *
     * @param out whether standard output is a terminal
     * @param err whether standard error is a terminal
     * @param colour whether colours are welcome on a terminal
     * @param width columns of the terminal
     * @param height its rows
     * @param pager the user's pager, for a shell; empty for none
     */
    record Terminal(boolean out, boolean err, boolean colour, int width, int height, String pager) {

        /** A terminal without a pager. */
        Terminal(boolean out, boolean err, boolean colour, int width) {
            this(out, err, colour, width, USUAL_HEIGHT, "");
        }

        /** No terminal at all: pipes, files, tests. */
        static Terminal none() {
            return new Terminal(false, false, false, USUAL_WIDTH);
        }

        /** What the launcher says in system properties, and the user in the environment. */
        static Terminal ofProcess(Map<String, String> environment) {
            String noColour = environment.getOrDefault("NO_COLOR", "");
            boolean colour = noColour.isEmpty() && !"dumb".equals(environment.get("TERM"));
            int width = Integer.getInteger("guestcore.terminal.width", USUAL_WIDTH);
            return new Terminal(
                    Boolean.getBoolean("guestcore.terminal.out"),
                    Boolean.getBoolean("guestcore.terminal.err"),
                    colour,
                    width < 40 ? USUAL_WIDTH : width,
                    Math.max(2, Integer.getInteger("guestcore.terminal.height", USUAL_HEIGHT)),
                    environment.getOrDefault("PAGER", USUAL_PAGER).strip());
        }
    }

    /** Talks to any streams. */
    Console(OutputStream out, OutputStream err, Terminal terminal) {
        this(out, err, Channels.newChannel(out), terminal);
    }

    private Console(OutputStream out, OutputStream err, WritableByteChannel outChannel, Terminal terminal) {
        this.rawOut = out;
        this.outBytes = new NotingStream(out);
        this.out = new PrintStream(outBytes, false, StandardCharsets.UTF_8);
        this.err = new PrintStream(err, true, StandardCharsets.UTF_8);
        this.outChannel = outChannel;
        this.terminal = terminal;
    }

    /** Talks to the standard streams of the process. */
    static Console ofProcess() {
        FileChannel out = new FileOutputStream(FileDescriptor.out).getChannel();
        // Through the channel, because closing it, unlike the stream, ends a write that waits for the reader of a pipe.
        return new Console(
                new BufferedOutputStream(Channels.newOutputStream(out), BUFFER),
                new FileOutputStream(FileDescriptor.err),
                out,
                Terminal.ofProcess(System.getenv()));
    }

    /** Standard output, for what was asked for. */
    PrintStream out() {
        return out;
    }

    /** Standard error, for everything else. */
    PrintStream err() {
        return err;
    }

    /** From now on the secrets in addresses among these words are not shown. */
    void hideSecrets(List<String> words) {
        for (String word : words) {
            String shown = Locations.printable(word);
            if (!shown.equals(word)) {
                secrets.put(word, shown);
            }
        }
    }

    /** A line without the secrets that the user typed. */
    String withoutSecrets(String line) {
        String shown = line;
        for (Map.Entry<String, String> secret : secrets.entrySet()) {
            shown = shown.replace(secret.getKey(), secret.getValue());
        }
        return shown;
    }

    /** From now on remarks and errors are for programs. */
    void speakJson() {
        json = true;
    }

    /** Whether remarks and errors are for programs. */
    boolean speaksJson() {
        return json;
    }

    /** Does work of which nobody sees what it prints, because it is done again. */
    void unheard(Runnable work) {
        out.flush();
        outBytes.unheard = true;
        try {
            work.run();
        } finally {
            out.flush();
            outBytes.unheard = false;
        }
    }

    /** Prints a line beside the result; for people it begins with the name of the program where it is a warning. */
    void remark(String spoken) {
        if (outBytes.unheard) {
            return;
        }
        String line = withoutSecrets(spoken);
        if (json) {
            String message = line.startsWith(Failures.PREFIX) ? line.substring(Failures.PREFIX.length()) : line;
            Json.writeLine(err, Json.document("remark", Map.of("message", message)));
            err.flush();
        } else {
            complain(line);
        }
    }

    /** Standard output for bulk data, after everything that was printed so far. */
    WritableByteChannel outChannel() {
        release();
        settle();
        flush();
        return outChannel;
    }

    /** The terminal. */
    Terminal terminal() {
        return terminal;
    }

    /** How long a line of prose may be: what the terminal has, up to a readable width. */
    int proseWidth() {
        return Math.min(terminal.width(), Text.WIDEST);
    }

    /** The same for lines that only people want broken; a pipe takes them as they are. */
    int lineWidth() {
        return terminal.out() ? proseWidth() : Integer.MAX_VALUE;
    }

    /** How to paint what goes to {@link #out()}. */
    Style style() {
        return style(terminal.out());
    }

    /** How to paint what goes to {@link #err()}. */
    Style errorStyle() {
        return style(terminal.err());
    }

    private Style style(boolean isTerminal) {
        return switch (colours) {
            case ALWAYS -> Style.COLOURED;
            case NEVER -> Style.PLAIN;
            case AUTO -> isTerminal && terminal.colour() ? Style.COLOURED : Style.PLAIN;
        };
    }

    /** What the user wants of colours. */
    void paint(ColourMode mode) {
        colours = mode;
    }

    /** From now on, what is printed on a terminal goes through the user's pager if it is long. */
    void page() {
        boolean wanted = !terminal.pager().isEmpty() && !terminal.pager().equals("cat");
        if (terminal.out() && wanted && pager.isEmpty()) {
            Pager started = new Pager(rawOut, terminal.pager(), terminal.height());
            pager = Optional.of(started);
            outBytes.target = started;
            cancellation.onRequest(started::await);
        }
    }

    /** Everything is printed: waits for the pager, and shows what had to wait for it. */
    void finish() {
        out.flush();
        if (pager.isPresent()) {
            try {
                pager.get().close();
            } catch (IOException e) {
                outBytes.failure = e;
            }
        }
        deferred.forEach(err::println);
        deferred.clear();
        flush();
    }

    /** Whether the user has quit the pager before the end. */
    boolean isPagerQuit() {
        return outBytes.failure != null && pager.map(Pager::hasTerminal).orElse(false);
    }

    /**
     * Keeps what is printed from now on, up to a limit, so that nobody waits for a pipe or a pager while a guest stands
     * still; {@link #release} sends it on its way.
     */
    void hold() {
        out.flush();
        outBytes.held = new ByteArrayOutputStream();
    }

    /** Ends {@link #hold}. */
    void release() {
        out.flush();
        outBytes.release();
    }

    /** Nothing that was printed is held back any more: something else comes to the terminal, or bulk data. */
    private void settle() {
        out.flush();
        if (pager.isPresent()) {
            try {
                pager.get().settle();
                pager.get().flush();
            } catch (IOException e) {
                outBytes.failure = e;
            }
        }
    }

    /** Prints a line on standard error; while a pager has the terminal, the line waits for it. */
    void complain(String line) {
        if (outBytes.unheard) {
            return;
        }
        if (pager.map(Pager::hasTerminal).orElse(false)) {
            deferred.add(line);
        } else {
            settle();
            err.println(line);
        }
    }

    /** The user's wish to stop. */
    Cancellation cancellation() {
        return cancellation;
    }

    /**
     * Sends what was printed on its way.
     *
     * @throws GuestcoreException if it does not arrive
     */
    void flush() {
        out.flush();
        Optional<IOException> failure = outBytes.failure();
        if (failure.isPresent()) {
            throw new OutputException(
                    "standard output: writing failed: " + failure.get().getMessage(), failure.get());
        }
    }

    /** A print stream swallows errors; this one is asked for them. */
    private static final class NotingStream extends OutputStream {

        private static final int MOST_HELD = 8 << 20;

        private OutputStream target;
        private @Nullable ByteArrayOutputStream held;
        private @Nullable IOException failure;
        private boolean unheard;

        NotingStream(OutputStream target) {
            this.target = target;
        }

        Optional<IOException> failure() {
            return Optional.ofNullable(failure);
        }

        void release() {
            ByteArrayOutputStream kept = held;
            held = null;
            if (kept != null) {
                try {
                    kept.writeTo(target);
                } catch (IOException e) {
                    failure = e;
                }
            }
        }

        @Override
        public void write(int value) throws IOException {
            write(new byte[] {(byte) value}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            if (unheard) {
                return;
            }
            if (held != null && held.size() + length <= MOST_HELD) {
                held.write(bytes, offset, length);
                return;
            }
            release();
            try {
                target.write(bytes, offset, length);
            } catch (IOException e) {
                failure = e;
                throw e;
            }
        }

        @Override
        public void flush() throws IOException {
            if (held != null) {
                return;
            }
            try {
                target.flush();
            } catch (IOException e) {
                failure = e;
                throw e;
            }
        }
    }
}
