package dev.guestcore.source.qemu;

import dev.guestcore.MemoryRegion;
import dev.guestcore.RegionContents;
import dev.guestcore.internal.migration.RamBlock;
import dev.guestcore.internal.migration.RamSink;

/** Keeps the memory of a snapshot. Filled by one thread, which then calls {@link #complete}; read by any afterwards. */
interface SnapshotPages extends RamSink, AutoCloseable {

    /** Nothing comes any more: from now on it can be read. */
    void complete();

    /**
     * The contents of a region, when all of them have come.
     *
     * @param block where it lies
     * @param start offset in the block, a multiple of 4096
     */
    RegionContents contents(MemoryRegion region, RamBlock block, long start);

    @Override
    void close();
}
