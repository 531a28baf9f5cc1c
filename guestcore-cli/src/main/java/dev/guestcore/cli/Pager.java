package dev.guestcore.cli;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Optional;

/**
 * Standard output on a terminal, of which more than fits goes through the user's pager. Nothing is shown before it is known
 * whether that is so; then all of it. Not thread-safe, but for {@link #await}.
 */
final class Pager extends OutputStream {

    private static final int LONGEST_LINE = 4096;

    private final OutputStream terminal;
    private final String command;
    private final int rows;
    private final ByteArrayOutputStream held = new ByteArrayOutputStream();
    private OutputStream target;
    private boolean decided;
    private int lines;
    private volatile Optional<Process> process = Optional.empty();

    /**
     * Holds back output until it is known to be long.
     *
     * @param terminal where short output goes
     * @param command the pager, for a shell
     * @param rows how many lines are not long
     */
    Pager(OutputStream terminal, String command, int rows) {
        this.terminal = terminal;
        this.target = terminal;
        this.command = command;
        this.rows = rows;
    }

    @Override
    public void write(int value) throws IOException {
        write(new byte[] {(byte) value}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        if (decided) {
            target.write(bytes, offset, length);
            return;
        }
        held.write(bytes, offset, length);
        for (int i = offset; i < offset + length; i++) {
            lines += bytes[i] == '\n' ? 1 : 0;
        }
        if (lines >= rows || held.size() > rows * LONGEST_LINE) {
            start();
        }
    }

    private void start() throws IOException {
        decided = true;
        try {
            ProcessBuilder builder = new ProcessBuilder("sh", "-c", command)
                    .redirectOutput(ProcessBuilder.Redirect.INHERIT)
                    .redirectError(ProcessBuilder.Redirect.INHERIT);
            // As git does: colours, nothing cleared, no pager for what fits after all.
            builder.environment().putIfAbsent("LESS", "FRX");
            Process started = builder.start();
            process = Optional.of(started);
            target = started.getOutputStream();
        } catch (IOException e) {
            // Without a shell there is no pager, and the terminal scrolls.
            target = terminal;
        }
        held.writeTo(target);
        held.reset();
    }

    /** Whether the pager has the terminal. */
    boolean hasTerminal() {
        return process.isPresent();
    }

    /** Nothing is held back any more; what comes goes straight to the terminal unless the pager has it. */
    void settle() throws IOException {
        if (!decided) {
            decided = true;
            held.writeTo(target);
            held.reset();
        }
    }

    /** What is held back stays so: this is called now and then while a command prints. */
    @Override
    public void flush() throws IOException {
        if (decided) {
            target.flush();
        }
    }

    /** Everything is printed: shows what was held back, or waits until the user has read. */
    @Override
    public void close() throws IOException {
        settle();
        target.flush();
        process.ifPresent(pager -> {
            try {
                pager.getOutputStream().close();
            } catch (IOException e) {
                // Quit before the end, which is the user's right.
                System.getLogger(Pager.class.getName()).log(System.Logger.Level.DEBUG, "closing the pager", e);
            }
            await();
        });
    }

    /** Waits until the user has left the pager, so that it does not fight with the shell over the terminal. */
    void await() {
        process.ifPresent(pager -> {
            boolean interrupted = false;
            while (true) {
                try {
                    pager.waitFor();
                    break;
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        });
    }
}
