package dev.guestcore.file;

import dev.guestcore.internal.ranges.Extents;

/** Which part of a file is stored, where a table of that is known; the rest is zero. */
final class StoredRuns {

    private StoredRuns() {}

    /** The first offset, from {@code offset} on, at which bytes are stored; {@code size} if none. */
    static long nextData(Extents stored, long size, long offset) {
        long index = stored.floor(offset);
        if (stored.contains(index, offset)) {
            return offset;
        }
        return index + 1 < stored.count() ? stored.first(index + 1) : size;
    }

    /** The first offset, from {@code offset} on, at which a hole begins; at most {@code size}. */
    static long nextHole(Extents stored, long size, long offset) {
        long index = stored.floor(offset);
        return stored.contains(index, offset) ? Math.min(size, stored.last(index) + 1) : offset;
    }
}
