package dev.guestcore.inspect;

import java.util.List;

/**
 * How much of an area differs in another guest. Pages have 4096 bytes and are counted whole.
 *
 * @param pages pages of the area, holes between put-together regions included
 * @param changedPages how many of them are not the same
 * @param profile for each 64th of the area, from its start on, the share of pages that are not the same, 0 to 1
 */
public record AreaChanges(long pages, long changedPages, List<Double> profile) {

    /** Copies the list. */
    public AreaChanges {
        profile = List.copyOf(profile);
    }

    /** Share of pages that are not the same, 0 to 1. */
    public double share() {
        return Math.min(1, (double) changedPages / pages);
    }
}
