package dev.guestcore.format;

import java.lang.foreign.MemorySegment;

/** Where a core goes, forward; a file can also be written over. Not thread-safe. */
public interface CoreSink {

    /** Bytes written so far. */
    long position();

    /**
     * Writes all of {@code bytes}.
     *
     * @throws dev.guestcore.OutputException if the output fails
     */
    void write(MemorySegment bytes);

    /** Writes {@code count} zero bytes; a file gets a hole where it can. */
    void writeZeros(long count);

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
        throw new IllegalStateException("this output goes forward only");
    }
}
