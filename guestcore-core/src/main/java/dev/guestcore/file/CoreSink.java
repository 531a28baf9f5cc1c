package dev.guestcore.file;

import java.lang.foreign.MemorySegment;
import java.util.function.LongConsumer;

/** Receives a core sequentially; in a file, earlier parts can also be overwritten. Not thread-safe. */
public interface CoreSink {

    /** Bytes written so far. */
    long position();

    /**
     * Writes all of {@code bytes}.
     *
     * @throws dev.guestcore.error.OutputException if the output fails
     */
    void write(MemorySegment bytes);

    /** Writes {@code count} zero bytes; a file gets a hole where it can. */
    void writeZeros(long count);

    /**
     * Writes all of {@code bytes}, which are guest memory as it is: whoever keeps digests of the memory wants to know.
     *
     * @param address guest-physical address of the first byte
     */
    default void writeMemory(long address, MemorySegment bytes) {
        write(bytes);
    }

    /**
     * Writes {@code count} zero bytes, which are guest memory.
     *
     * @param address guest-physical address of the first one
     */
    default void writeZeroMemory(long address, long count) {
        writeZeros(count);
    }

    /**
     * Tells of guest memory that is written in another form, compressed say. Nothing is written. Pages that are all zero
     * need not be told.
     *
     * @param address guest-physical address of the first byte
     * @param memory may be used for something else after this call
     */
    default void tellMemory(long address, MemorySegment memory) {
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
    default boolean passMemory(long address, long size, LongConsumer landmarks) {
        return false;
    }

    /** Whether {@link #patch} works. */
    default boolean canPatch() {
        return false;
    }

    /**
     * Writes over bytes before the position, for a format that knows some of them last only. A place that will be written
     * over is passed with {@link #writeZeros} first.
     *
     * @param at byte offset in the output
     * @param bytes what stands there from now on; ends at the position or before
     * @throws IllegalStateException if this sink goes strictly forward
     */
    default void patch(long at, MemorySegment bytes) {
        throw new IllegalStateException("this output can only be written from beginning to end");
    }
}
