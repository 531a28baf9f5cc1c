package dev.guestcore.internal.output;

import dev.guestcore.file.CoreSink;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Gathers small writes into large ones; what is large already goes out as it is. Not thread-safe. */
abstract class GatheringSink implements CoreSink {

    private static final int BUFFER = 1 << 20;

    /** What is so large costs less to write than to gather. */
    private static final int LARGE = 64 << 10;

    private final MemorySegment buffer = Arena.ofAuto().allocate(BUFFER, 4096);
    private int buffered;
    private long position;

    /**
     * Puts bytes out.
     *
     * @param offset how many bytes of the output come before them
     */
    abstract void send(MemorySegment bytes, long offset);

    @Override
    public final long position() {
        return position;
    }

    @Override
    public final void write(MemorySegment bytes) {
        long size = bytes.byteSize();
        if (size > BUFFER - buffered || size >= LARGE) {
            flush();
        }
        if (size >= LARGE) {
            send(bytes, position);
        } else {
            MemorySegment.copy(bytes, 0, buffer, buffered, size);
            buffered += (int) size;
        }
        position += size;
    }

    /** Writes zeros as bytes. */
    final void writeZeroBytes(long count) {
        for (long left = count; left > 0;) {
            if (buffered == BUFFER) {
                flush();
            }
            int chunk = (int) Math.min(left, BUFFER - buffered);
            buffer.asSlice(buffered, chunk).fill((byte) 0);
            buffered += chunk;
            position += chunk;
            left -= chunk;
        }
    }

    /** Leaves out bytes that need not be put out. */
    final void skip(long count) {
        flush();
        position += count;
    }

    /** Sends what is gathered. */
    public final void flush() {
        if (buffered > 0) {
            int size = buffered;
            buffered = 0;
            send(buffer.asSlice(0, size), position - size);
        }
    }
}
