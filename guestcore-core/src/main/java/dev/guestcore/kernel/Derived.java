package dev.guestcore.kernel;

import java.util.Objects;

/**
 * A fact that was derived, not read from a field of the source.
 *
 * @param value the fact
 * @param how how it was derived, for the user
 * @param confidence how certain it is
 */
public record Derived<T>(T value, String how, Confidence confidence) {

    /** How sure a derived fact is. */
    public enum Confidence {
        /** The kernel says so itself, or two independent ways agree. */
        CERTAIN,
        /** One way leads there, and nothing speaks against it. */
        LIKELY,
        /** It rests on an assumption that some kernels break, or two ways disagree. */
        DOUBTFUL
    }

    /** Checks for null. */
    public Derived {
        Objects.requireNonNull(value);
        Objects.requireNonNull(how);
        Objects.requireNonNull(confidence);
    }

    @Override
    public String toString() {
        // Numbers among the facts are addresses and distances between such.
        String shown = value instanceof Long number
                ? number < 0 ? "-0x" + Long.toHexString(-number) : "0x" + Long.toHexString(number)
                : value.toString();
        return shown + " (" + confidence + ": " + how + ")";
    }
}
