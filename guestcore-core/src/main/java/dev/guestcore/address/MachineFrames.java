package dev.guestcore.address;

import dev.guestcore.facts.FrameTable;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.OptionalLong;

/**
 * Finds the page frame of a machine frame: Xen's table turned around, in memory outside the heap. Immutable,
 * thread-safe.
 */
final class MachineFrames {

    private static final int FRAME_SHIFT = 12;
    private static final int CHUNK = 4096;
    private static final int DIGIT_BITS = 16;

    /** A machine address has at most 52 bits, so a frame number 40. */
    private static final int FRAME_BITS = 40;

    /** A run of frames that follow one another on both sides: first machine frame, first page frame, how many. */
    private static final long RUN = 3L * Long.BYTES;

    private final Extents frames;

    private MachineFrames(Extents frames) {
        this.frames = frames;
    }

    /** Takes a run. */
    private interface Runs {
        void accept(long mfn, long pfn, long count);
    }

    /** Turns the table around. Where two entries give one machine frame, one of them counts. */
    static MachineFrames of(FrameTable table) {
        Extents.Builder sorted = new Extents.Builder(Arena.ofAuto());
        long[] count = {0};
        runs(table, (mfn, pfn, length) -> count[0]++);
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment runs = scratch.allocate(Math.max(1, count[0]) * RUN, Long.BYTES);
            long[] filled = {0};
            runs(table, (mfn, pfn, length) -> {
                long at = filled[0]++ * RUN;
                runs.set(ValueLayout.JAVA_LONG, at, mfn);
                runs.set(ValueLayout.JAVA_LONG, at + Long.BYTES, pfn);
                runs.set(ValueLayout.JAVA_LONG, at + 2L * Long.BYTES, length);
            });
            MemorySegment from = runs;
            MemorySegment to = scratch.allocate(runs.byteSize(), Long.BYTES);
            for (int shift = 0; shift < FRAME_BITS; shift += DIGIT_BITS) {
                sortByDigit(from, to, count[0], shift);
                MemorySegment swapped = from;
                from = to;
                to = swapped;
            }
            join(from, count[0], sorted);
        }
        return new MachineFrames(sorted.build());
    }

    private static void runs(FrameTable table, Runs runs) {
        long[] pfns = new long[CHUNK];
        long[] mfns = new long[CHUNK];
        long mfn = 0;
        long pfn = 0;
        long count = 0;
        for (long index = 0; index < table.size(); index += CHUNK) {
            int length = (int) Math.min(CHUNK, table.size() - index);
            table.read(index, pfns, mfns, length);
            for (int i = 0; i < length; i++) {
                if (pfns[i] == FrameTable.INVALID || mfns[i] >>> FRAME_BITS != 0) {
                    continue;
                }
                if (count > 0 && mfn + count == mfns[i] && pfn + count == pfns[i]) {
                    count++;
                    continue;
                }
                if (count > 0) {
                    runs.accept(mfn, pfn, count);
                }
                mfn = mfns[i];
                pfn = pfns[i];
                count = 1;
            }
        }
        if (count > 0) {
            runs.accept(mfn, pfn, count);
        }
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
            MemorySegment.copy(from, i * RUN, to, next[digit(from, i, shift)]++ * RUN, RUN);
        }
    }

    private static int digit(MemorySegment runs, long index, int shift) {
        return (int) (runs.get(ValueLayout.JAVA_LONG, index * RUN) >>> shift) & (1 << DIGIT_BITS) - 1;
    }

    private static void join(MemorySegment runs, long count, Extents.Builder sorted) {
        long next = 0;
        for (long i = 0; i < count; i++) {
            long mfn = runs.get(ValueLayout.JAVA_LONG, i * RUN);
            long pfn = runs.get(ValueLayout.JAVA_LONG, i * RUN + Long.BYTES);
            long end = mfn + runs.get(ValueLayout.JAVA_LONG, i * RUN + 2L * Long.BYTES);
            long skipped = Math.max(0, next - mfn);
            if (mfn + skipped < end) {
                sorted.add(mfn + skipped, end - 1, pfn + skipped);
                next = end;
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
