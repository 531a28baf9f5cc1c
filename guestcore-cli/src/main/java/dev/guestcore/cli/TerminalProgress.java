package dev.guestcore.cli;

import dev.guestcore.Progress;
import dev.guestcore.internal.text.Amounts;
import java.io.PrintStream;
import java.util.function.LongSupplier;

/**
 * One line on a terminal that is drawn anew a few times a second: the phase, and of the whole job bar, percentage, rate and
 * time left.
 */
final class TerminalProgress implements Progress, AutoCloseable {

    private static final long NANOS = 1_000_000_000L;
    private static final long REDRAW_NANOS = NANOS / 10;
    private static final int SMALLEST_BAR = 10;
    private static final int LARGEST_BAR = 40;

    private final PrintStream terminal;
    private final int width;
    private final LongSupplier clock;
    private String phase = "";
    private final Job job;
    private long started;
    private long drawn;
    private boolean begun;
    private boolean visible;

    /**
     * Draws on a terminal.
     *
     * @param width columns that it has
     * @param job counts over all phases
     * @param clock nanoseconds from any origin
     */
    TerminalProgress(PrintStream terminal, int width, Job job, LongSupplier clock) {
        this.job = job;
        this.terminal = terminal;
        this.width = width;
        this.clock = clock;
    }

    @Override
    public void begin(String newPhase, long totalBytes) {
        phase = newPhase;
        job.begin(totalBytes);
        if (!begun) {
            begun = true;
            started = clock.getAsLong();
            drawn = started;
        }
    }

    @Override
    public void advance(long bytes) {
        job.advance(bytes);
        long now = clock.getAsLong();
        if (now - drawn >= REDRAW_NANOS) {
            drawn = now;
            draw(now);
        }
    }

    private void draw(long now) {
        double share = job.share();
        long done = job.done();
        long total = job.total();
        double seconds = Math.max(1, now - started) / (double) NANOS;
        long rate = (long) (done / seconds);
        long left = rate == 0 ? 0 : Math.max(0, total - done) / rate;
        String text = "%3d%%  %s of %s  %s/s  %s left".formatted(
                (int) (share * 100), Amounts.human(done), Amounts.human(total), Amounts.human(rate), time(left));
        int bar = Math.clamp(width - phase.length() - text.length() - 6L, 0, LARGEST_BAR);
        String line = phase + "  " + (bar < SMALLEST_BAR ? "" : bar(share, bar) + "  ") + text;
        terminal.print("\r" + line.substring(0, Math.min(line.length(), width - 1)) + "\u001b[K");
        terminal.flush();
        visible = true;
    }

    private static String bar(double share, int cells) {
        int full = (int) (share * cells);
        return "█".repeat(full) + "░".repeat(cells - full);
    }

    private static String time(long seconds) {
        return seconds < 3600
                ? "%d:%02d".formatted(seconds / 60, seconds % 60)
                : "%d:%02d:%02d".formatted(seconds / 3600, seconds / 60 % 60, seconds % 60);
    }

    /** Takes the line away, so that what is printed next stands where it was. */
    @Override
    public void close() {
        if (visible) {
            terminal.print("\r\u001b[K");
            terminal.flush();
            visible = false;
        }
    }
}
