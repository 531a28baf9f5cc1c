package dev.guestcore.linux;

import java.util.Objects;

/**
 * Records that cannot be shown.
 *
 * @param count how many there are
 * @param reason what became of them, for the user
 */
public record LogGap(long count, String reason) implements LogEntry {

    /** Checks for null. */
    public LogGap {
        Objects.requireNonNull(reason);
    }
}
