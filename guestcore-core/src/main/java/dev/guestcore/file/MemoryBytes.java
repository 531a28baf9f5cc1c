package dev.guestcore.file;

import dev.guestcore.error.SourceException;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** Bytes that are in memory. Thread-safe. */
record MemoryBytes(String name, MemorySegment bytes) implements RandomAccessBytes {

    @Override
    public long size() {
        return bytes.byteSize();
    }

    @Override
    public long read(long offset, MemorySegment target, long length) {
        MemorySegment.copy(bytes, offset, target, 0, length);
        return length;
    }

    @Override
    public Optional<MemorySegment> mapped() {
        return Optional.of(bytes);
    }

    @Override
    public SourceException incomplete(long offset) {
        return new SourceException(name + ": nothing is at offset 0x" + Long.toHexString(offset));
    }

    @Override
    public RandomAccessBytes reopen() {
        return this;
    }

    @Override
    public void close() {
        // The memory belongs to whoever gave it.
    }
}
