package dev.guestcore.search;

import java.util.Objects;
import java.util.OptionalLong;

/**
 * How a search went.
 *
 * @param hits how many matches were reported
 * @param stoppedAt first address that was not searched, because the limit of matches was reached or the page tables are
 *     cyclic
 * @param searchedBytes how much memory was looked at
 * @param unreadableBytes how much could not be looked at: left out of the dump, or failed to read
 * @param repeatedBytes how much virtual memory was skipped because it maps the same page repeatedly
 */
public record SearchSummary(
        long hits, OptionalLong stoppedAt, long searchedBytes, long unreadableBytes, long repeatedBytes) {

    /** Checks for null. */
    public SearchSummary {
        Objects.requireNonNull(stoppedAt);
    }

    @Override
    public String toString() {
        String stop = stoppedAt.isPresent() ? ", stopped at 0x" + Long.toHexString(stoppedAt.getAsLong()) : "";
        return hits + " hits in " + searchedBytes + " bytes, " + unreadableBytes + " unreadable, " + repeatedBytes
                + " repeated" + stop;
    }
}
