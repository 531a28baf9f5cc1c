package dev.guestcore.format.xenlegacy;

import dev.guestcore.facts.FrameTable;
import java.util.Objects;

/** The list of machine frames of a dump. The page frame of an entry is its place in the file. */
final class LegacyFrames implements FrameTable {

    private static final long NARROW_INVALID = 0xffff_ffffL;

    private final LegacyDump dump;
    private final int width;
    private final long size;

    LegacyFrames(LegacyDump dump) {
        this.dump = dump;
        this.width = dump.entrySize();
        long room = Math.max(0, dump.file().size() - dump.listOffset()) / width;
        this.size = Math.min(dump.pageCount(), room);
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public long pfn(long index) {
        return mfn(index) == INVALID ? INVALID : index;
    }

    @Override
    public long mfn(long index) {
        long at = dump.listOffset() + Objects.checkIndex(index, size) * width;
        if (width == Long.BYTES) {
            return dump.file().u64(at, dump.order(), "frame");
        }
        long narrow = dump.file().u32(at, dump.order(), "frame");
        return narrow == NARROW_INVALID ? INVALID : narrow;
    }

    @Override
    public boolean hasMachineFrames() {
        return true;
    }
}
