package dev.guestcore.facts;

import org.jspecify.annotations.Nullable;

/**
 * A frame table in memory, for guests that were described by hand.
 *
 * @param pfns page frame numbers
 * @param mfns machine frame numbers, or null if the guest has none
 */
record FrameArrays(long[] pfns, long @Nullable [] mfns) implements FrameTable {

    @Override
    public long size() {
        return pfns.length;
    }

    @Override
    public long pfn(long index) {
        return pfns[Math.toIntExact(index)];
    }

    @Override
    public long mfn(long index) {
        if (mfns == null) {
            throw new IllegalStateException("this table has no machine frames");
        }
        return mfns[Math.toIntExact(index)];
    }

    @Override
    public boolean hasMachineFrames() {
        return mfns != null;
    }
}
