package dev.guestcore.internal.ranges;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Which bytes of a file belong to what: each byte of a whole dump is accounted for once. Outside the heap; n places take
 * O(n log n), and places that follow each other in the file take no room. Not thread-safe.
 *
 * <p>Each place has a mark. Places that share bytes contradict each other unless their marks are equal: with the distance of
 * address and offset for a mark, bytes may be named twice for the same address.
 */
public final class FileUse {

    /** More places than this, not one behind the other, are not kept: their table would take 400 MiB. */
    private static final long MOST_PLACES = 1L << 24;

    private final LayeredExtents places;
    private long first;
    private long end;
    private long mark;
    private boolean full;

    /**
     * Begins with nothing used.
     *
     * @param scratch memory for the work
     */
    public FileUse(Arena scratch) {
        this.places = new LayeredExtents(scratch);
    }

    /**
     * What was found.
     *
     * @param overlaps how many places begin within another one of a different mark
     * @param overlapAt file offset of the first of them, or -1
     * @param overlapMark mark of that place
     * @param overlappedMark mark of the place in which it begins
     * @param gaps how many stretches of the file belong to nothing
     * @param gapBytes how long they are together
     * @param gapAt file offset of the first of them, or -1
     * @param tail how many bytes at the end of the file belong to nothing; they count as a gap as well
     * @param complete whether all places were looked at; false if there were too many
     */
    public record Result(
            long overlaps,
            long overlapAt,
            long overlapMark,
            long overlappedMark,
            long gaps,
            long gapBytes,
            long gapAt,
            long tail,
            boolean complete) {}

    /** Decides which unused stretches do not count, because a writer aligns what comes behind. */
    public interface Padding {
        /**
         * Whether a stretch is padding.
         *
         * @param offset where it begins
         * @param size its length
         * @param nextMark mark of the place behind it
         */
        boolean isPadding(long offset, long size, long nextMark);
    }

    /**
     * Adds a place. One that does not lie within 2^63 bytes, or is empty, is ignored: other rules speak of it.
     *
     * @param offset where it begins in the file
     * @param size its bytes
     * @param ofMark its mark
     */
    public void add(long offset, long size, long ofMark) {
        if (offset < 0 || size <= 0 || offset > Long.MAX_VALUE - size) {
            return;
        }
        if (offset == end && ofMark == mark && end > first) {
            end += size;
            return;
        }
        flush();
        first = offset;
        end = offset + size;
        mark = ofMark;
    }

    private void flush() {
        if (end > first) {
            full |= places.count() >= MOST_PLACES;
            if (!full) {
                places.add(first, end - 1, mark);
            }
        }
        first = 0;
        end = 0;
    }

    /**
     * Goes over all places by offset.
     *
     * @param fileSize how long the file is
     * @param padding which gaps do not count
     */
    public Result result(long fileSize, Padding padding) {
        flush();
        MemorySegment order = places.isOrdered() ? MemorySegment.NULL : places.sorted();
        long overlaps = 0;
        long overlapAt = -1;
        long overlapMark = 0;
        long overlappedMark = 0;
        long gaps = 0;
        long gapBytes = 0;
        long gapAt = -1;
        long used = 0;
        long usedMark = 0;
        for (long i = 0; i < places.count(); i++) {
            long index = places.isOrdered() ? i : LayeredExtents.at(order, i);
            long from = places.first(index);
            long to = places.last(index) + 1;
            if (from < used && places.value(index) != usedMark) {
                if (overlaps++ == 0) {
                    overlapAt = from;
                    overlapMark = places.value(index);
                    overlappedMark = usedMark;
                }
            } else if (from > used && used < fileSize && !padding.isPadding(used, from - used, places.value(index))) {
                long size = Math.min(from, fileSize) - used;
                gapAt = gaps++ == 0 ? used : gapAt;
                gapBytes += size;
            }
            if (to > used) {
                used = to;
                usedMark = places.value(index);
            }
        }
        long tail = Math.max(0, fileSize - used);
        if (tail > 0) {
            gapAt = gaps++ == 0 ? used : gapAt;
            gapBytes += tail;
        }
        return new Result(
                overlaps, overlapAt, overlapMark, overlappedMark, gaps, gapBytes, gapAt, tail, !full);
    }
}
