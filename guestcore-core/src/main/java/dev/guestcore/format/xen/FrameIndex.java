package dev.guestcore.format.xen;

import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A frame table turned round: from address to place in the file, as runs of frames that follow one another both in
 * number and in the file. Outside the heap; the first of several entries for one frame wins.
 *
 * @param runs address ranges; beside each where its first page is
 * @param valid entries that gave a page
 * @param invalid entries that are all ones
 * @param firstInvalid index of the first of those, or -1
 * @param invalidInside whether one of those stands before a valid one
 * @param duplicates entries whose frame had an earlier entry
 * @param firstDuplicate index of the first of those found, or -1
 * @param outOfRange entries whose frame lies beyond 64-bit addresses
 * @param firstOutOfRange index of the first of those, or -1
 * @param firstDescent index of the first entry that is lower than the one before it, or -1
 */
record FrameIndex(
        Extents runs,
        long valid,
        long invalid,
        long firstInvalid,
        boolean invalidInside,
        long duplicates,
        long firstDuplicate,
        long outOfRange,
        long firstOutOfRange,
        long firstDescent) {

    /** How many entries are read at once. */
    static final int CHUNK = 1 << 15;

    /** Sorting takes 32 bytes an entry; a dump that claims more is not worth the machine's memory. */
    static final long MOST_SORTED = 1L << 27;

    private static final long PAIR = 2L * Long.BYTES;
    private static final int RADIX_BITS = 16;

    /**
     * Turns a table round.
     *
     * @param machine by machine frame, not by page frame
     * @param pageShift binary logarithm of the page size
     * @param base where the page of entry 0 is
     * @param arena the runs live as long
     * @throws UnsupportedRequestException if the entries are not in order and too many to sort
     */
    static FrameIndex build(FrameTable table, boolean machine, int pageShift, long base, Arena arena) {
        Scan scan = new Scan(table, machine, pageShift, base, arena);
        if (!scan.ascending()) {
            if (table.size() > MOST_SORTED) {
                throw new UnsupportedRequestException("the frame table of this Xen dump-core has " + table.size()
                        + " entries that are not in order; more than " + MOST_SORTED + " are not sorted, because"
                        + " that takes gigabytes of memory; in an undamaged dump page frames ascend");
            }
            try (Arena scratch = Arena.ofConfined()) {
                scan.sorted(scratch);
            }
        }
        return scan.result();
    }

    private static final class Scan {

        private final FrameTable table;
        private final boolean machine;
        private final int pageShift;
        private final long base;
        private final Arena arena;
        private final long[] pfns = new long[CHUNK];
        private final long[] mfns = new long[CHUNK];
        private Extents.Builder runs;
        private long previousFrame;
        private long previousIndex;
        private long valid;
        private long invalid;
        private long firstInvalid = -1;
        private boolean invalidInside;
        private long duplicates;
        private long firstDuplicate = -1;
        private long outOfRange;
        private long firstOutOfRange = -1;
        private long firstDescent = -1;

        Scan(FrameTable table, boolean machine, int pageShift, long base, Arena arena) {
            this.table = table;
            this.machine = machine;
            this.pageShift = pageShift;
            this.base = base;
            this.arena = arena;
            this.runs = new Extents.Builder(arena);
        }

        private long[] chunk(long index, int count) {
            table.read(index, pfns, mfns, count);
            return machine ? mfns : pfns;
        }

        private boolean isInvalid(int i) {
            return pfns[i] == FrameTable.INVALID || machine && mfns[i] == FrameTable.INVALID;
        }

        /** One pass, enough for every table that Xen wrote since 2007; false if the entries are not in order. */
        boolean ascending() {
            for (long index = 0; index < table.size(); index += CHUNK) {
                int count = (int) Math.min(CHUNK, table.size() - index);
                long[] frames = chunk(index, count);
                for (int i = 0; i < count; i++) {
                    long frame = frames[i];
                    if (isInvalid(i)) {
                        firstInvalid = invalid++ == 0 ? index + i : firstInvalid;
                    } else if (frame >>> Long.SIZE - pageShift != 0) {
                        firstOutOfRange = outOfRange++ == 0 ? index + i : firstOutOfRange;
                    } else if (valid > 0 && frame < previousFrame) {
                        firstDescent = index + i;
                        return false;
                    } else {
                        take(frame, index + i);
                    }
                }
            }
            return true;
        }

        /** The frames by number, equal ones in file order. */
        void sorted(Arena scratch) {
            runs = new Extents.Builder(arena);
            valid = 0;
            invalid = 0;
            firstInvalid = -1;
            invalidInside = false;
            duplicates = 0;
            firstDuplicate = -1;
            outOfRange = 0;
            firstOutOfRange = -1;
            MemorySegment pairs = scratch.allocate(table.size() * PAIR, Long.BYTES);
            long count = 0;
            long highest = 0;
            for (long index = 0; index < table.size(); index += CHUNK) {
                int chunk = (int) Math.min(CHUNK, table.size() - index);
                long[] frames = chunk(index, chunk);
                for (int i = 0; i < chunk; i++) {
                    long frame = frames[i];
                    if (isInvalid(i)) {
                        firstInvalid = invalid++ == 0 ? index + i : firstInvalid;
                    } else if (frame >>> Long.SIZE - pageShift != 0) {
                        firstOutOfRange = outOfRange++ == 0 ? index + i : firstOutOfRange;
                    } else {
                        invalidInside |= invalid > 0;
                        highest |= frame;
                        pairs.set(ValueLayout.JAVA_LONG, count * PAIR, frame);
                        pairs.set(ValueLayout.JAVA_LONG, count * PAIR + Long.BYTES, index + i);
                        count++;
                    }
                }
            }
            boolean inside = invalidInside;
            MemorySegment ordered = sort(pairs, count, highest, scratch);
            for (long i = 0; i < count; i++) {
                take(
                        ordered.get(ValueLayout.JAVA_LONG, i * PAIR),
                        ordered.get(ValueLayout.JAVA_LONG, i * PAIR + Long.BYTES));
            }
            invalidInside = inside;
        }

        /** Radix sort: linear, stable, and no worse on hostile input. */
        private static MemorySegment sort(MemorySegment pairs, long count, long highest, Arena scratch) {
            MemorySegment from = pairs;
            MemorySegment to = scratch.allocate(Math.max(PAIR, count * PAIR), Long.BYTES);
            for (int shift = 0; shift < Long.SIZE && highest >>> shift != 0; shift += RADIX_BITS) {
                long[] starts = new long[1 << RADIX_BITS];
                int mask = starts.length - 1;
                for (long i = 0; i < count; i++) {
                    starts[(int) (from.get(ValueLayout.JAVA_LONG, i * PAIR) >>> shift) & mask]++;
                }
                long start = 0;
                for (int digit = 0; digit < starts.length; digit++) {
                    long size = starts[digit];
                    starts[digit] = start;
                    start += size;
                }
                for (long i = 0; i < count; i++) {
                    long frame = from.get(ValueLayout.JAVA_LONG, i * PAIR);
                    long place = starts[(int) (frame >>> shift) & mask]++ * PAIR;
                    to.set(ValueLayout.JAVA_LONG, place, frame);
                    long index = from.get(ValueLayout.JAVA_LONG, i * PAIR + Long.BYTES);
                    to.set(ValueLayout.JAVA_LONG, place + Long.BYTES, index);
                }
                MemorySegment swapped = from;
                from = to;
                to = swapped;
            }
            return from;
        }

        private void take(long frame, long index) {
            if (valid > 0 && frame == previousFrame) {
                firstDuplicate = duplicates++ == 0 ? index : firstDuplicate;
                return;
            }
            invalidInside |= invalid > 0;
            long first = frame << pageShift;
            long last = first + (1L << pageShift) - 1;
            if (valid > 0 && frame == previousFrame + 1 && index == previousIndex + 1) {
                runs.extendLast(last);
            } else {
                runs.add(first, last, base + (index << pageShift));
            }
            valid++;
            previousFrame = frame;
            previousIndex = index;
        }

        FrameIndex result() {
            return new FrameIndex(
                    runs.build(),
                    valid,
                    invalid,
                    firstInvalid,
                    invalidInside,
                    duplicates,
                    firstDuplicate,
                    outOfRange,
                    firstOutOfRange,
                    firstDescent);
        }
    }
}
