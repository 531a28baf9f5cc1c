package dev.guestcore.inspect;

import dev.guestcore.AddressRange;
import java.util.ArrayList;
import java.util.List;

/**
 * Ranges of guest-physical memory that have something in common: counted exactly, the first ones listed.
 *
 * @param bytes how many bytes; 2^63 - 1 where there are more
 * @param pages how many pages of 4096 bytes they touch; a page that two ranges touch counts once
 * @param rangeCount how many ranges, neighbours taken as one
 * @param listed the first {@link #MOST_LISTED} of them, ascending
 */
public record RangeTally(long bytes, long pages, long rangeCount, List<AddressRange> listed) {

    /** How many ranges are listed at most; all are counted. */
    public static final int MOST_LISTED = 1000;

    /** Copies the list. */
    public RangeTally {
        listed = List.copyOf(listed);
    }

    /** Whether there is no such range. */
    public boolean isEmpty() {
        return rangeCount == 0;
    }

    /** Whether the list is shorter than the count. */
    public boolean isCut() {
        return listed.size() < rangeCount;
    }

    /** Collects ranges in ascending order. Not thread-safe. */
    static final class Collector {

        private final List<AddressRange> listed = new ArrayList<>();
        private long bytes;
        private long pages;
        private long rangeCount;
        private long first;
        private long last;

        /** Adds a range behind all ranges so far. */
        void add(long from, long to) {
            bytes = Pages.add(bytes, Pages.size(from, to));
            pages += Pages.count(from, to);
            if (rangeCount > 0 && last >>> Pages.SHIFT == from >>> Pages.SHIFT) {
                pages--;
            }
            if (rangeCount > 0 && last + 1 == from) {
                last = to;
                return;
            }
            list();
            rangeCount++;
            first = from;
            last = to;
        }

        private void list() {
            if (rangeCount > 0 && listed.size() < MOST_LISTED) {
                listed.add(new AddressRange(first, last));
            }
        }

        /** The tally; nothing can be added behind. */
        RangeTally finish() {
            list();
            return new RangeTally(bytes, pages, rangeCount, listed);
        }
    }
}
