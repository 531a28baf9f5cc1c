package dev.guestcore.facts;

import java.util.Objects;

/**
 * Which frames the stored pages of a Xen dump are, in file order. Thread-safe; valid until its guest is closed.
 */
public interface FrameTable {

    /** The frame number that stands for "no page": all ones. */
    long INVALID = -1L;

    /** Number of entries. */
    long size();

    /** Page frame number (guest-physical address divided by page size) of entry {@code index}, or {@link #INVALID}. */
    long pfn(long index);

    /**
     * Machine frame number of entry {@code index}, or {@link #INVALID}.
     *
     * @throws IllegalStateException if {@link #hasMachineFrames()} is false
     */
    long mfn(long index);

    /** Whether the table gives machine frames (.xen_p2m) or page frames only (.xen_pfn). */
    boolean hasMachineFrames();

    /**
     * Reads many entries at once, which is faster than one by one.
     *
     * @param index the first entry
     * @param pfns receives page frame numbers
     * @param mfns receives machine frame numbers, or the same as {@code pfns} where the table has none
     * @param count how many, not more than either array holds
     */
    default void read(long index, long[] pfns, long[] mfns, int count) {
        Objects.checkFromIndexSize(index, count, size());
        for (int i = 0; i < count; i++) {
            pfns[i] = pfn(index + i);
            mfns[i] = hasMachineFrames() ? mfn(index + i) : pfns[i];
        }
    }

    /** A table of page frames. */
    static FrameTable of(long[] pfns) {
        return new FrameArrays(pfns.clone(), null);
    }

    /**
     * A table of page frames and the machine frames behind them.
     *
     * @param pfns page frame numbers
     * @param mfns machine frame numbers, as many
     */
    static FrameTable of(long[] pfns, long[] mfns) {
        if (pfns.length != mfns.length) {
            throw new IllegalArgumentException(
                    "as many machine frames as page frames are needed, found " + mfns.length + " and " + pfns.length);
        }
        return new FrameArrays(pfns.clone(), mfns.clone());
    }
}
