package dev.guestcore.file;

import java.lang.foreign.MemorySegment;

/** Guest memory written as any other bytes. */
record PlainMemory(CoreSink sink) implements MemoryOutput {

    @Override
    public void write(long address, MemorySegment bytes) {
        sink.write(bytes);
    }

    @Override
    public void writeZeros(long address, long count) {
        sink.writeZeros(count);
    }
}
