package dev.guestcore.internal.output;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.GuestcoreException;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.format.CoreSink;
import dev.guestcore.format.WriteReport;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.locks.LockSupport;

/**
 * Copies guest memory into a core, page by page: zero pages become holes, unreadable ones zeros that are counted. Not
 * thread-safe.
 */
public final class MemoryCopier {

    private static final int PAGE = 4096;
    private static final int CHUNK = 1 << 20;
    private static final long LARGEST_STEP = 64 << 20;

    private final GuestMemory memory;
    private final CoreSink sink;
    private final Progress progress;
    private final Chunk[] chunks = {new Chunk(), new Chunk()};
    private final MemorySegment zeroPage = Arena.ofAuto().allocate(PAGE, PAGE);
    private final List<AddressRange> unreadable = new ArrayList<>();
    private long unreadableBytes;
    private long memoryBytes;
    private long zeroBytes;

    /** Copies from {@code memory} to {@code sink}. */
    public MemoryCopier(GuestMemory memory, CoreSink sink, Progress progress) {
        this.memory = memory;
        this.sink = sink;
        this.progress = progress;
    }

    /** Writes exactly as many bytes as {@code range} has. */
    public void copy(AddressRange range) {
        long address = range.first();
        long left = range.size();
        while (left > 0) {
            PageRun run = memory.runAt(address);
            // A step at a time, so that a terabyte of zeros on its way into a pipe can be cancelled.
            boolean present = run.state() == PageState.PRESENT;
            long runSize = sizeUpTo(run.range(), present ? left : Math.min(left, LARGEST_STEP));
            switch (run.state()) {
                case ZERO -> {
                    zeros(address, runSize);
                    progress.advance(runSize);
                }
                case PRESENT -> runSize = copyPresent(address, runSize);
                case EXCLUDED, UNREADABLE, ABSENT -> {
                    lose(address, runSize);
                    sink.writeZeroMemory(address, runSize);
                    progress.advance(runSize);
                }
                default -> throw new IllegalStateException("unknown state " + run.state());
            }
            memoryBytes += runSize;
            address += runSize;
            left -= runSize;
        }
    }

    private static long sizeUpTo(AddressRange range, long limit) {
        long lessOne = range.last() - range.first();
        return Long.compareUnsigned(lessOne, limit - 1) >= 0 ? limit : lessOne + 1;
    }

    /**
     * Copies up to {@code size} bytes; gives how many are done, which is less where a page turned out unreadable. While
     * one chunk is written the next is read and searched for zero pages.
     */
    private long copyPresent(long address, long size) {
        long done = 0;
        Chunk chunk = chunks[0];
        chunk.prepare(address, size);
        chunk.fill();
        while (true) {
            long wanted = chunk.wanted;
            long next = address + done + wanted;
            FutureTask<Chunk> ahead = null;
            if (chunk.copied == wanted && done + wanted < size) {
                Chunk other = chunk == chunks[0] ? chunks[1] : chunks[0];
                other.prepare(next, size - done - wanted);
                ahead = new FutureTask<>(other::fill, other);
                Thread.ofVirtual().start(ahead);
            }
            try {
                emit(chunk);
                progress.advance(chunk.copied);
            } catch (RuntimeException | Error e) {
                // The guest may be closed as soon as this method is left: nothing may still be reading it.
                if (ahead != null) {
                    awaitQuietly(ahead);
                }
                throw e;
            }
            done += chunk.copied;
            if (chunk.copied < wanted) {
                return done + skipFailedPage(address + done, size - done);
            }
            if (ahead == null) {
                return done;
            }
            chunk = await(ahead);
        }
    }

    private static Chunk await(FutureTask<Chunk> task) {
        try {
            return task.get();
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case RuntimeException problem -> throw problem;
                case Error problem -> throw problem;
                default -> throw new GuestcoreException("reading the guest failed: " + e.getCause(), e.getCause());
            }
        } catch (InterruptedException e) {
            awaitQuietly(task);
            Thread.currentThread().interrupt();
            throw new GuestcoreException("interrupted while reading the guest", e);
        }
    }

    private static void awaitQuietly(FutureTask<Chunk> task) {
        while (!task.isDone()) {
            LockSupport.parkNanos(100_000);
        }
    }

    /** The source failed only now: the rest of that page is lost, the page after it is tried again. */
    private long skipFailedPage(long address, long limit) {
        long size = Math.min(limit, PAGE - (address & PAGE - 1));
        lose(address, size);
        sink.writeZeroMemory(address, size);
        progress.advance(size);
        return size;
    }

    private void emit(Chunk chunk) {
        long runStart = 0;
        boolean runIsZero = false;
        int page = 0;
        for (long at = 0; at < chunk.copied; page++) {
            boolean zero = chunk.zero[page];
            if (zero != runIsZero && at > runStart) {
                flushRun(chunk, runStart, at, runIsZero);
                runStart = at;
            }
            runIsZero = zero;
            at += chunk.pageSize(at);
        }
        flushRun(chunk, runStart, chunk.copied, runIsZero);
    }

    private void flushRun(Chunk chunk, long from, long to, boolean zero) {
        if (to == from) {
            return;
        }
        if (zero) {
            zeros(chunk.address + from, to - from);
        } else {
            sink.writeMemory(chunk.address + from, chunk.buffer.asSlice(from, to - from));
        }
    }

    /** Bytes on their way; never crosses a multiple of the chunk size, so that pages stay whole whatever the start. */
    private final class Chunk {

        private final MemorySegment buffer = Arena.ofAuto().allocate(CHUNK, PAGE);
        private final boolean[] zero = new boolean[CHUNK / PAGE];
        private long address;
        private long wanted;
        private long copied;

        void prepare(long from, long limit) {
            address = from;
            wanted = Math.min(limit, CHUNK - (from & CHUNK - 1));
        }

        void fill() {
            copied = memory.readAvailable(address, buffer.asSlice(0, wanted));
            int page = 0;
            for (long at = 0; at < copied; page++) {
                long size = pageSize(at);
                zero[page] = MemorySegment.mismatch(buffer, at, at + size, zeroPage, 0, size) < 0;
                at += size;
            }
        }

        long pageSize(long at) {
            return Math.min(PAGE - (address + at & PAGE - 1), copied - at);
        }
    }

    private void zeros(long address, long count) {
        zeroBytes += count;
        sink.writeZeroMemory(address, count);
    }

    private void lose(long address, long size) {
        unreadableBytes += size;
        AddressRange range = AddressRange.ofSize(address, size);
        int lastIndex = unreadable.size() - 1;
        if (lastIndex >= 0 && unreadable.get(lastIndex).isFollowedBy(range)) {
            unreadable.set(lastIndex, new AddressRange(unreadable.get(lastIndex).first(), range.last()));
        } else if (unreadable.size() < WriteReport.MOST_RANGES) {
            unreadable.add(range);
        }
    }

    /** Guest-physical ranges that could not be read, coalesced. */
    public List<AddressRange> unreadable() {
        return unreadable;
    }

    /** How many bytes could not be read. */
    public long unreadableBytes() {
        return unreadableBytes;
    }

    /** How many bytes of memory were handled. */
    public long memoryBytes() {
        return memoryBytes;
    }

    /** How many bytes lie in pages that are all zero. */
    public long zeroBytes() {
        return zeroBytes;
    }
}
