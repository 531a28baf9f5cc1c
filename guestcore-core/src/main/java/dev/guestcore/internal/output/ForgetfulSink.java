package dev.guestcore.internal.output;

import dev.guestcore.file.CoreSink;
import java.lang.foreign.MemorySegment;

/** Counts bytes and keeps none of them. */
public final class ForgetfulSink implements CoreSink {

    private long position;

    /** Begins at 0. */
    public ForgetfulSink() {}

    @Override
    public long position() {
        return position;
    }

    @Override
    public void write(MemorySegment bytes) {
        position += bytes.byteSize();
    }

    @Override
    public void writeZeros(long count) {
        position += count;
    }
}
