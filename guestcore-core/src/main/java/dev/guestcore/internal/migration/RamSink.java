package dev.guestcore.internal.migration;

import java.lang.foreign.MemorySegment;

/**
 * Takes the memory of a migration stream, in the order in which it comes. Called by the thread that reads the stream. A page
 * may come several times; the last one holds. A page that never comes is zero.
 */
public interface RamSink {

    /** Size of a page in bytes. */
    int PAGE_SIZE = 4096;

    /**
     * A block of memory; all blocks are named before the first page.
     *
     * @param block name and size
     */
    void block(RamBlock block);

    /**
     * A page.
     *
     * @param block where it belongs
     * @param offset its place in the block, in bytes, a multiple of {@link #PAGE_SIZE}
     * @param page its {@link #PAGE_SIZE} bytes; native, valid until this method returns
     * @param position where its bytes lie, counted from the stream's origin; {@link #NOT_STORED} if they do not lie
     *     there as they are
     */
    void page(RamBlock block, long offset, MemorySegment page, long position);

    /**
     * A page of which every byte is the same; nearly always zero.
     *
     * @param block where it belongs
     * @param offset its place in the block, in bytes, a multiple of {@link #PAGE_SIZE}
     * @param value the byte
     */
    void fill(RamBlock block, long offset, byte value);

    /** Instead of a position: the page was compressed. */
    long NOT_STORED = -1;
}
