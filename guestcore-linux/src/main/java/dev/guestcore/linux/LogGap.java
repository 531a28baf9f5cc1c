package dev.guestcore.linux;

import java.util.Objects;

/**
 * Records that cannot be shown.
 *
 * @param count how many there are
 * @param reason what became of them, for the user
 * @param damage whether they should be there, and no kernel leaves its log like this
 */
public record LogGap(long count, String reason, boolean damage) implements LogEntry {

    /** Checks for null. */
    public LogGap {
        Objects.requireNonNull(reason);
    }
}
