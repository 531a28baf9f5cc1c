package dev.guestcore.file;

import java.lang.foreign.MemorySegment;

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

    /** The same output for bytes that are guest memory. Most outputs do not care what the bytes mean. */
    default MemoryOutput memory() {
        return new PlainMemory(this);
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
