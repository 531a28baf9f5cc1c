package dev.guestcore.manifest;

import java.util.ArrayList;
import java.util.List;

/**
 * Watches whether each piece of memory comes once. Most formats write memory upwards, some in a few runs; a dump of a
 * Xen PV guest may have its frames in any order.
 */
final class MemoryOrder {

    private static final int MOST_RUNS = 64;

    private final List<Run> earlier = new ArrayList<>();
    private boolean begun;
    private long first;
    private long last;
    private long lastRegion;

    private record Run(long first, long last) {}

    /** Whether the page at {@code address} belongs to the piece that was told last or to one that never was. */
    boolean follows(long region, long address) {
        long block = address & -Piece.SIZE;
        boolean backInBlock = begun && block == last && region < lastRegion;
        lastRegion = region;
        if (backInBlock) {
            return false;
        }
        if (!begun) {
            begun = true;
            first = block;
            last = block;
        } else if (Long.compareUnsigned(block, last) > 0) {
            last = block;
        } else if (block != last) {
            if (Long.compareUnsigned(block, first) >= 0 || earlier.size() == MOST_RUNS) {
                return false;
            }
            earlier.add(new Run(first, last));
            first = block;
            last = block;
        }
        return earlier.stream()
                .noneMatch(run -> Long.compareUnsigned(run.first(), block) <= 0
                        && Long.compareUnsigned(block, run.last()) <= 0);
    }
}
