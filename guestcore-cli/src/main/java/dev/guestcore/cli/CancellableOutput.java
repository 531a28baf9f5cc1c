package dev.guestcore.cli;

/**
 * Standard output for a text that may be very long: notices now and then that its reader has left or that the user wants to
 * stop.
 */
final class CancellableOutput implements Appendable {

    private static final int NOW_AND_THEN = 1 << 16;

    private final Console console;
    private int unnoticed;

    /** Prints to {@code console}. */
    CancellableOutput(Console console) {
        this.console = console;
    }

    private Appendable after(int characters) {
        unnoticed += characters;
        if (unnoticed >= NOW_AND_THEN) {
            unnoticed = 0;
            console.cancellation().check();
            console.flush();
        }
        return this;
    }

    @Override
    public Appendable append(CharSequence text) {
        console.out().append(text);
        return after(text.length());
    }

    @Override
    public Appendable append(CharSequence text, int start, int end) {
        console.out().append(text, start, end);
        return after(end - start);
    }

    @Override
    public Appendable append(char character) {
        console.out().append(character);
        return after(1);
    }
}
