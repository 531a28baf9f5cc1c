package dev.guestcore.linux.export;

import dev.guestcore.file.CoreSink;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;

/** A sink as a stream. Closing it does not close the sink. */
final class SinkStream extends OutputStream {

    private final CoreSink sink;

    SinkStream(CoreSink sink) {
        this.sink = sink;
    }

    @Override
    public void write(int value) {
        sink.write(MemorySegment.ofArray(new byte[] {(byte) value}));
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
        sink.write(MemorySegment.ofArray(bytes).asSlice(offset, length));
    }
}
