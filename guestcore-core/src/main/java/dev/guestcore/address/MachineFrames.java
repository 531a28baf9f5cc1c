package dev.guestcore.address;

import dev.guestcore.hypervisor.FrameTable;
import dev.guestcore.internal.memory.Extents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.OptionalLong;

/**
 * Finds the page frame of a machine frame: Xen's table turned around, in memory outside the heap. Immutable, thread-safe.
 */
final class MachineFrames {

    private static final int FRAME_SHIFT = 12;
    private static final long PAIR = 2L * Long.BYTES;
    private static final int DIGIT_BITS = 16;

    /** A machine address has at most 52 bits, so a frame number 40. */
    private static final int FRAME_BITS = 40;

    private final Extents frames;

    private MachineFrames(Extents frames) {
        this.frames = frames;
    }

    /** Turns the table around. Where two entries give one machine frame, the first counts. */
    static MachineFrames of(FrameTable table) {
        Extents.Builder sorted = new Extents.Builder(Arena.ofAuto());
        try (Arena scratch = Arena.ofConfined()) {
            long capacity = Math.max(PAIR, Math.multiplyExact(table.size(), PAIR));
            MemorySegment pairs = scratch.allocate(capacity, Long.BYTES);
            long count = collect(table, pairs);
            MemorySegment other = scratch.allocate(capacity, Long.BYTES);
            for (int shift = 0; shift < FRAME_BITS; shift += DIGIT_BITS) {
                sortByDigit(pairs, other, count, shift);
                MemorySegment swapped = pairs;
                pairs = other;
                other = swapped;
            }
            join(pairs, count, sorted);
        }
        return new MachineFrames(sorted.build());
    }

    private static long collect(FrameTable table, MemorySegment pairs) {
        long count = 0;
        for (long i = 0; i < table.size(); i++) {
            long mfn = table.mfn(i);
            long pfn = table.pfn(i);
            if (pfn != FrameTable.INVALID && mfn >>> FRAME_BITS == 0) {
                pairs.set(ValueLayout.JAVA_LONG, count * PAIR, mfn);
                pairs.set(ValueLayout.JAVA_LONG, count * PAIR + Long.BYTES, pfn);
                count++;
            }
        }
        return count;
    }

    private static void sortByDigit(MemorySegment from, MemorySegment to, long count, int shift) {
        long[] next = new long[(1 << DIGIT_BITS) + 1];
        for (long i = 0; i < count; i++) {
            next[digit(from, i, shift) + 1]++;
        }
        for (int i = 1; i < next.length; i++) {
            next[i] += next[i - 1];
        }
        for (long i = 0; i < count; i++) {
            MemorySegment.copy(from, i * PAIR, to, next[digit(from, i, shift)]++ * PAIR, PAIR);
        }
    }

    private static int digit(MemorySegment pairs, long index, int shift) {
        return (int) (pairs.get(ValueLayout.JAVA_LONG, index * PAIR) >>> shift) & (1 << DIGIT_BITS) - 1;
    }

    private static void join(MemorySegment pairs, long count, Extents.Builder sorted) {
        for (long i = 0; i < count; i++) {
            long mfn = pairs.get(ValueLayout.JAVA_LONG, i * PAIR);
            long pfn = pairs.get(ValueLayout.JAVA_LONG, i * PAIR + Long.BYTES);
            long previous = sorted.count() - 1;
            if (previous >= 0
                    && sorted.last(previous) + 1 == mfn
                    && sorted.value(previous) + (mfn - sorted.first(previous)) == pfn) {
                sorted.extendLast(mfn);
            } else {
                sorted.add(mfn, mfn, pfn);
            }
        }
    }

    /** The guest-physical address of a machine address, if the guest owns that frame. */
    OptionalLong guestPhysical(long machine) {
        long mfn = machine >>> FRAME_SHIFT;
        long index = frames.floor(mfn);
        if (!frames.contains(index, mfn)) {
            return OptionalLong.empty();
        }
        long pfn = frames.value(index) + (mfn - frames.first(index));
        return OptionalLong.of(pfn << FRAME_SHIFT | machine & (1L << FRAME_SHIFT) - 1);
    }
}
