package dev.guestcore.file;

import java.lang.foreign.MemorySegment;
import java.util.function.LongConsumer;

/**
 * An output that is told which of its bytes are guest memory: for digests of the memory, and for memory that was stored before
 * the rest of the core was known. {@link CoreSink#memory} gives it. Not thread-safe.
 */
public interface MemoryOutput {

    /**
     * Writes all of {@code bytes}, which are guest memory as it is.
     *
     * @param address guest-physical address of the first byte
     * @throws dev.guestcore.error.OutputException if the output fails
     */
    void write(long address, MemorySegment bytes);

    /**
     * Writes {@code count} zero bytes, which are guest memory.
     *
     * @param address guest-physical address of the first one
     */
    void writeZeros(long address, long count);

    /**
     * Tells of guest memory that is written in another form, compressed say. Nothing is written. Pages that are all zero
     * need not be told.
     *
     * @param address guest-physical address of the first byte
     * @param memory may be used for something else after this call
     */
    default void tell(long address, MemorySegment memory) {
        // most outputs do not care what the bytes mean
    }

    /**
     * Goes past memory that stands at the position already, because it was stored before the rest of the core was known.
     *
     * @param address guest-physical address of the first byte
     * @param size in bytes
     * @param landmarks receives the addresses of those pages in which VMCOREINFO may begin, ascending
     * @return false if it does not stand there; nothing is done then
     */
    default boolean pass(long address, long size, LongConsumer landmarks) {
        return false;
    }
}
