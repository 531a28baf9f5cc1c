package dev.guestcore.format.xen;

import dev.guestcore.file.CoreSink;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Writes many 64-bit numbers through a small buffer. Not thread-safe. */
final class FrameStream {

    private final CoreSink sink;
    private final ByteBuffer buffer;

    FrameStream(ByteOrder order, CoreSink sink) {
        this.sink = sink;
        this.buffer = ByteBuffer.allocate(1 << 18).order(order);
    }

    void put(long value) {
        if (!buffer.hasRemaining()) {
            flush();
        }
        buffer.putLong(value);
    }

    /** Call it at the end. */
    void flush() {
        sink.write(MemorySegment.ofBuffer(buffer.flip()));
        buffer.clear();
    }
}
