package dev.guestcore.store.http;

import dev.guestcore.Finding;
import dev.guestcore.error.SourceException;
import dev.guestcore.file.RandomAccessBytes;
import dev.guestcore.internal.remote.BlockCache;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.URI;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/** A file on a server. Several may hold it; what one has fetched serves all. Thread-safe. */
final class HttpBytes implements RandomAccessBytes {

    private final Shared shared;
    private final AtomicBoolean closed = new AtomicBoolean();

    /** What all who hold the file have in common. */
    private static final class Shared {

        private final HttpRanges ranges;
        private final BlockCache cache;
        private int holders = 1;

        Shared(HttpRanges ranges) {
            this.ranges = ranges;
            this.cache = new BlockCache(ranges.size(), ranges::fetch);
        }

        synchronized Shared share() {
            if (holders == 0) {
                throw new IllegalStateException(ranges.name() + " is closed");
            }
            holders++;
            return this;
        }

        synchronized void close() {
            if (--holders == 0) {
                cache.close();
            }
        }
    }

    private HttpBytes(Shared shared) {
        this.shared = shared;
    }

    /**
     * Asks the server for the beginning of the file.
     *
     * @param name for messages
     * @throws SourceException if there is no such file, or the server does not give ranges of it
     */
    static HttpBytes open(URI address, String name, Patience patience) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment first = arena.allocate(BlockCache.BLOCK);
            HttpRanges ranges = new HttpRanges(address, name, patience);
            long count = ranges.open(first);
            HttpBytes file = new HttpBytes(new Shared(ranges));
            if (count > 0) {
                file.shared.cache.putFirst(first.asSlice(0, count));
            }
            return file;
        }
    }

    @Override
    public String name() {
        return shared.ranges.name();
    }

    @Override
    public long size() {
        return shared.ranges.size();
    }

    @Override
    public long read(long offset, MemorySegment target, long length) {
        if (closed.get()) {
            throw new IllegalStateException(name() + " is closed");
        }
        shared.cache.read(offset, target, length);
        return length;
    }

    @Override
    public List<Finding> findings() {
        return shared.ranges.canTellChanges()
                ? List.of()
                : List.of(
                        Finding.note(name() + ": the server gives neither an ETag nor a time of the last change; if the"
                                + " file changes while it is read, nobody notices"));
    }

    @Override
    public SourceException incomplete(long offset) {
        return new SourceException(name() + ": nothing is at offset 0x" + Long.toHexString(offset));
    }

    @Override
    public RandomAccessBytes reopen() {
        return new HttpBytes(shared.share());
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            shared.close();
        }
    }
}
