package dev.guestcore.source;

import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.RegionContents;
import dev.guestcore.error.OutputException;
import java.lang.foreign.MemorySegment;

/**
 * Takes memory that a source has before it has the rest of its guest, and in an order of the source's own, and stores it where
 * it is going to stay: in the file that is being written. One thread at a time; what {@link #contents} gives is thread-safe.
 */
public interface MemoryPlacer {

    /**
     * Begins, and drops what was put before.
     *
     * @param outline a guest with the regions and the vCPUs that are to come; its registers may have other values then, and its
     *     memory cannot be read
     * @return whether memory of such a guest can be put here
     * @throws OutputException if there is no room for it
     */
    boolean begin(Guest outline);

    /**
     * Stores bytes. If they were stored before, the last ones hold; what is never put is zero.
     *
     * @param address guest-physical address of the first, a multiple of 4096, in a region with content
     * @param bytes one page of 4096 bytes; may be used for something else after this call
     * @throws OutputException if that fails
     */
    void put(long address, MemorySegment bytes);

    /** Stores a page of zeros, which takes no room. */
    void putZeros(long address);

    /**
     * What was put, to be read after the last page was put and until {@link #close()}.
     *
     * @param region a region with content
     */
    RegionContents contents(MemoryRegion region);

    /** Ends reading. What was put stays where it is. */
    void close();
}
