package dev.guestcore.source.qemu;

import dev.guestcore.AddressRange;
import dev.guestcore.RegionContents;
import java.lang.foreign.MemorySegment;

/** A region of guest memory that QEMU saves piece by piece. */
final class SavedContents implements RegionContents {

    private final SavedMemory saved;
    private final AddressRange range;

    /** The contents of {@code range}. */
    SavedContents(SavedMemory saved, AddressRange range) {
        this.saved = saved;
        this.range = range;
    }

    @Override
    public long readAvailable(long offset, MemorySegment target) {
        saved.read(range.first() + offset, range.first(), range.last(), target);
        return target.byteSize();
    }
}
