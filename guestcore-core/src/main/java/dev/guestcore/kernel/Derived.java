package dev.guestcore.kernel;

import java.util.Objects;

/**
 * A fact that no field of the source states, with the way it was found.
 *
 * @param value the fact
 * @param how from what it was concluded, for people
 * @param confidence how sure it is
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
