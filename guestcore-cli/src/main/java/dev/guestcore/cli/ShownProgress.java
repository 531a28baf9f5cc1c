package dev.guestcore.cli;

import dev.guestcore.Progress;

/** Progress that is shown as the user wants it, and that ends when the user wants to stop. */
final class ShownProgress implements Progress, AutoCloseable {

    private final Cancellation cancellation;
    private final Progress shown;
    private final Job job;

    private ShownProgress(Cancellation cancellation, Progress shown, Job job) {
        this.job = job;
        this.cancellation = cancellation;
        this.shown = shown;
    }

    /** Begins to show progress. */
    static ShownProgress begin(Console console, ProgressMode mode) {
        Console.Terminal terminal = console.terminal();
        Job job = new Job();
        Progress shown = switch (mode) {
            case AUTO -> terminal.err() ? bar(console, job) : Progress.none();
            case BAR -> bar(console, job);
            case JSON -> new JsonProgress(console.err(), job, System::nanoTime);
            case NONE -> Progress.none();
        };
        return new ShownProgress(console.cancellation(), shown, job);
    }

    private static Progress bar(Console console, Job job) {
        return new TerminalProgress(console.err(), console.terminal().width(), job, System::nanoTime);
    }

    /** So many phases will come, each of about as many bytes as the first. */
    void expectPasses(int count) {
        job.expectPasses(count);
    }

    /** So many more bytes will be handled, in phases to come: for one bar and one time left over all of them. */
    void expect(long bytes) {
        job.expect(bytes);
    }

    @Override
    public void begin(String phase, long totalBytes) {
        cancellation.check();
        shown.begin(phase, totalBytes);
    }

    @Override
    public void advance(long bytes) {
        shown.advance(bytes);
        cancellation.check();
    }

    /** Takes the bar away, so that something else can be printed; a further phase brings it back. */
    @Override
    public void close() {
        if (shown instanceof TerminalProgress bar) {
            bar.close();
        }
    }
}
