package dev.guestcore.format;

import java.lang.foreign.MemorySegment;

/** Where a core goes, strictly forward. Not thread-safe. */
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
}
