package dev.guestcore.inspect;

import java.util.Objects;
import java.util.OptionalLong;

/**
 * How a search went.
 *
 * @param hits how many finds were reported
 * @param stoppedAt address from which on was not searched, because enough was found or the page tables never end
 * @param searchedBytes how much memory was looked at
 * @param unreadableBytes how much could not be looked at: left out of the dump, or failed to read
 * @param repeatedBytes how much virtual memory was passed over because it shows one and the same page again and again
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
