package dev.guestcore.format.xen;

import dev.guestcore.facts.FrameTable;

/**
 * Entries of a frame table that cannot be right, whatever the table is otherwise: one pass, no memory of its own.
 *
 * @param strangers entries that stand between two neighbours whose numbers leave room for one frame, and name another
 * @param firstStranger index of the first of them, or -1
 * @param expected the frame that belongs there
 * @param found the frame that it names
 * @param beyond entries whose machine frame lies beyond 2^52 bytes, which no processor addresses
 * @param firstBeyond index of the first of them, or -1
 */
record FrameOutliers(long strangers, long firstStranger, long expected, long found, long beyond, long firstBeyond) {

    /** Beyond it, no frame of any page size has an address. */
    private static final int ADDRESS_BITS = 52;

    static FrameOutliers of(FrameTable table, int pageShift) {
        long[] pfns = new long[FrameIndex.CHUNK];
        long[] mfns = new long[FrameIndex.CHUNK];
        long beyond = 0;
        long firstBeyond = -1;
        long strangers = 0;
        long firstStranger = -1;
        long expected = 0;
        long found = 0;
        long before = FrameTable.INVALID;
        long last = FrameTable.INVALID;
        for (long index = 0; index < table.size(); index += FrameIndex.CHUNK) {
            int count = (int) Math.min(FrameIndex.CHUNK, table.size() - index);
            table.read(index, pfns, mfns, count);
            for (int i = 0; i < count; i++) {
                if (table.hasMachineFrames() && mfns[i] != FrameTable.INVALID
                        && mfns[i] >>> ADDRESS_BITS - pageShift != 0) {
                    firstBeyond = beyond++ == 0 ? index + i : firstBeyond;
                }
                long next = pfns[i];
                // The first entry has one neighbour only, and of what is counted from 0 that is enough.
                boolean inside = index + i >= 2 && before >= 0 && next == before + 2 && last != before + 1;
                boolean first = index + i == 1 && next == 1 && last != 0;
                if (inside || first) {
                    if (strangers++ == 0) {
                        firstStranger = index + i - 1;
                        expected = next - 1;
                        found = last;
                    }
                }
                before = last;
                last = next;
            }
        }
        return new FrameOutliers(strangers, firstStranger, expected, found, beyond, firstBeyond);
    }
}
