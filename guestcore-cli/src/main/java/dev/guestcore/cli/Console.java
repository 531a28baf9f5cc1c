package dev.guestcore.cli;

import dev.guestcore.GuestcoreException;
import dev.guestcore.OutputException;
import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Where a command talks to: the standard streams, what is known of the terminal, and the user's wish to stop. */
final class Console {

    private static final int BUFFER = 1 << 13;
    private static final int USUAL_WIDTH = 80;

    private final NotingStream outBytes;
    private final PrintStream out;
    private final PrintStream err;
    private final WritableByteChannel outChannel;
    private final Terminal terminal;
    private final Cancellation cancellation = new Cancellation();
    private boolean json;

    /**
     * What the launcher found out about the streams.
     *
     * @param out whether standard output is a terminal
     * @param err whether standard error is a terminal
     * @param colour whether colours are welcome on a terminal
     * @param width columns of the terminal
     */
    record Terminal(boolean out, boolean err, boolean colour, int width) {

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
                    width < 40 ? USUAL_WIDTH : width);
        }
    }

    /** Talks to any streams. */
    Console(OutputStream out, OutputStream err, Terminal terminal) {
        this(out, err, Channels.newChannel(out), terminal);
    }

    private Console(OutputStream out, OutputStream err, WritableByteChannel outChannel, Terminal terminal) {
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

    /** From now on remarks and errors are for programs. */
    void speakJson() {
        json = true;
    }

    /** Whether remarks and errors are for programs. */
    boolean speaksJson() {
        return json;
    }

    /** Prints a line beside the result; for people it begins with the name of the program where it is a warning. */
    void remark(String line) {
        if (json) {
            String message = line.startsWith(Failures.PREFIX) ? line.substring(Failures.PREFIX.length()) : line;
            Json.writeLine(err, Json.document("remark", Map.of("message", message)));
            err.flush();
        } else {
            err.println(line);
        }
    }

    /** Standard output for bulk data, after everything that was printed so far. */
    WritableByteChannel outChannel() {
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
        return terminal.out() && terminal.colour() ? Style.COLOURED : Style.PLAIN;
    }

    /** How to paint what goes to {@link #err()}. */
    Style errorStyle() {
        return terminal.err() && terminal.colour() ? Style.COLOURED : Style.PLAIN;
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

        private final OutputStream target;
        private @Nullable IOException failure;

        NotingStream(OutputStream target) {
            this.target = target;
        }

        Optional<IOException> failure() {
            return Optional.ofNullable(failure);
        }

        @Override
        public void write(int value) throws IOException {
            write(new byte[] {(byte) value}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            try {
                target.write(bytes, offset, length);
            } catch (IOException e) {
                failure = e;
                throw e;
            }
        }

        @Override
        public void flush() throws IOException {
            try {
                target.flush();
            } catch (IOException e) {
                failure = e;
                throw e;
            }
        }
    }
}
