package dev.guestcore.inspect;

import java.util.List;

/**
 * What a scan found in one region. All counts are pages of 4096 bytes, whole or in part.
 *
 * @param presentPages pages with a byte other than zero
 * @param zeroPages pages that are all zero
 * @param missingPages pages that give no bytes: unreadable, left out, or without backing
 * @param profile for each 64th of the region, from its start on, the share of pages with a byte other than zero, 0 to
 *     1; empty where the memory has too many regions for that, and for devices
 */
public record RegionScan(long presentPages, long zeroPages, long missingPages, List<Double> profile) {

    /** Copies the list. */
    public RegionScan {
        profile = List.copyOf(profile);
    }

    /** Pages of all kinds. */
    public long pages() {
        return presentPages + zeroPages + missingPages;
    }

    /** Share of pages with a byte other than zero, 0 to 1; 0 for a region without pages. */
    public double density() {
        return pages() == 0 ? 0 : (double) presentPages / pages();
    }
}
