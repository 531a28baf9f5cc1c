package dev.guestcore.internal.remote;

import dev.guestcore.internal.file.Arenas;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Blocks of a file elsewhere, of which each is fetched once as long as there is room; what was not used for the longest time
 * goes first. A read that goes on where an earlier one ended fetches more than it was asked for, twice as much each time, up
 * to a limit; one that does not fetches the block that it needs. Blocks are outside of the heap. Thread-safe: threads fetch
 * side by side, but no block twice.
 */
public final class BlockCache implements AutoCloseable {

    /** Size of a block in bytes. */
    public static final int BLOCK = 1 << 16;

    /** The largest request is 4 MiB. */
    private static final int MOST_AHEAD = 64;

    /** 32 MiB. */
    private static final int MOST_BLOCKS = 512;

    /** So many threads, or places that one goes on from, are told apart. */
    private static final int MOST_STREAMS = 32;

    private final long size;
    private final Fetcher fetcher;
    private final Arena arena = Arena.ofShared();
    private final Object lock = new Object();
    private final LinkedHashMap<Long, MemorySegment> blocks = new LinkedHashMap<>(16, 0.75f, true);
    private final Set<Long> underWay = new HashSet<>();

    /** Where a read would go on, and how many blocks the last request was for; the oldest first. */
    private final LinkedHashMap<Long, Integer> streams = new LinkedHashMap<>();

    private final ArrayDeque<MemorySegment> spare = new ArrayDeque<>();
    private boolean closed;

    /** Gets bytes from elsewhere. */
    @FunctionalInterface
    public interface Fetcher {

        /** Fills {@code target} with the bytes from {@code offset} on; all of it, or throws. */
        void fetch(long offset, MemorySegment target);
    }

    /**
     * Begins with nothing.
     *
     * @param size of the file in bytes
     * @param fetcher may be called by several threads at once
     */
    public BlockCache(long size, Fetcher fetcher) {
        this.size = size;
        this.fetcher = fetcher;
    }

    /** Takes bytes that are here already: those of the first block. */
    public void putFirst(MemorySegment bytes) {
        synchronized (lock) {
            store(0, bytes);
            streams.put(1L, 1);
        }
    }

    /**
     * Reads.
     *
     * @param offset where to begin; all of the {@code length} bytes lie in the file
     * @throws IllegalStateException if this is closed
     */
    public void read(long offset, MemorySegment target, long length) {
        long done = 0;
        while (done < length) {
            long at = offset + done;
            long block = at / BLOCK;
            int count = 0;
            synchronized (lock) {
                MemorySegment bytes = awaited(block);
                if (bytes == null) {
                    count = plan(block, (offset + length - 1) / BLOCK);
                } else {
                    int from = (int) (at % BLOCK);
                    long part = Math.min(length - done, BLOCK - from);
                    MemorySegment.copy(bytes, from, target, done, part);
                    done += part;
                }
            }
            if (count > 0) {
                fetch(block, count);
            }
        }
    }

    /** The block once no other thread fetches it; null if this one must. */
    private @Nullable MemorySegment awaited(long block) {
        boolean interrupted = false;
        try {
            while (!closed && underWay.contains(block)) {
                try {
                    lock.wait();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        if (closed) {
            throw new IllegalStateException("the file is closed");
        }
        return blocks.get(block);
    }

    /** How many blocks to fetch from the first one on; marks them. */
    private int plan(long first, long last) {
        Integer before = streams.remove(first);
        long ahead = before == null ? 1 : 2L * before;
        long wanted = Math.min(MOST_AHEAD, Math.max(last - first + 1, ahead));
        long behind = (size + BLOCK - 1) / BLOCK;
        int count = 1;
        while (count < wanted && first + count < behind && !blocks.containsKey(first + count)
                && !underWay.contains(first + count)) {
            count++;
        }
        streams.put(first + count, count);
        if (streams.size() > MOST_STREAMS) {
            Iterator<Long> oldest = streams.keySet().iterator();
            oldest.next();
            oldest.remove();
        }
        for (int i = 0; i < count; i++) {
            underWay.add(first + i);
        }
        return count;
    }

    private void fetch(long first, int count) {
        long offset = first * BLOCK;
        long length = Math.min((long) count * BLOCK, size - offset);
        Arena request = Arena.ofShared();
        try {
            MemorySegment bytes = request.allocate(length, 1);
            fetcher.fetch(offset, bytes);
            synchronized (lock) {
                // The first one last, so that it is not the first to go.
                for (int i = count - 1; i >= 0; i--) {
                    long from = (long) i * BLOCK;
                    store(first + i, bytes.asSlice(from, Math.min(BLOCK, length - from)));
                }
            }
        } finally {
            synchronized (lock) {
                for (int i = 0; i < count; i++) {
                    underWay.remove(first + i);
                }
                lock.notifyAll();
            }
            Arenas.close(request);
        }
    }

    private void store(long block, MemorySegment bytes) {
        if (closed) {
            return;
        }
        if (blocks.size() == MOST_BLOCKS) {
            Iterator<Map.Entry<Long, MemorySegment>> oldest = blocks.entrySet().iterator();
            spare.push(oldest.next().getValue());
            oldest.remove();
        }
        MemorySegment room = spare.isEmpty() ? arena.allocate(BLOCK) : spare.pop();
        MemorySegment.copy(bytes, 0, room, 0, bytes.byteSize());
        blocks.put(block, room);
    }

    /** Forgets all. Reads under way end, and later ones, in {@link IllegalStateException}. */
    @Override
    public void close() {
        synchronized (lock) {
            if (closed) {
                return;
            }
            closed = true;
            blocks.clear();
            spare.clear();
            lock.notifyAll();
        }
        Arenas.close(arena);
    }
}
