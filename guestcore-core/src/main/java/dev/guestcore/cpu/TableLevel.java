package dev.guestcore.cpu;

import java.util.Objects;

/**
 * One level of page tables in one paging mode.
 *
 * @param entryName what the manuals call an entry of such a table ("PDPTE")
 * @param number 0 for the level whose entries map the smallest pages, 1 for the one above it, and so on
 * @param shift number of the lowest address bit that an entry decides: it speaks for {@code 1 << shift} bytes
 * @param entries how many a whole table has, a power of two
 */
public record TableLevel(String entryName, int number, int shift, int entries) {

    /** Checks for null. */
    public TableLevel {
        Objects.requireNonNull(entryName);
    }

    /** Index into a table of this level that {@code virtual} selects. */
    public int index(long virtual) {
        return (int) (virtual >>> shift) & entries - 1;
    }
}
