package dev.guestcore.cli;

import dev.guestcore.Progress;

/** Progress that is shown as the user wants it, and that ends when the user wants to stop. */
final class ShownProgress implements Progress, AutoCloseable {

    private final Cancellation cancellation;
    private final Progress shown;

    private ShownProgress(Cancellation cancellation, Progress shown) {
        this.cancellation = cancellation;
        this.shown = shown;
    }

    /** Begins to show progress. */
    static ShownProgress begin(Console console, ProgressMode mode) {
        Console.Terminal terminal = console.terminal();
        Progress shown = switch (mode) {
            case AUTO -> terminal.err() ? bar(console) : Progress.none();
            case BAR -> bar(console);
            case JSON -> new JsonProgress(console.err(), System::nanoTime);
            case NONE -> Progress.none();
        };
        return new ShownProgress(console.cancellation(), shown);
    }

    private static Progress bar(Console console) {
        return new TerminalProgress(console.err(), console.terminal().width(), System::nanoTime);
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

    @Override
    public void close() {
        if (shown instanceof TerminalProgress bar) {
            bar.close();
        }
    }
}
