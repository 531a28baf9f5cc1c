package dev.guestcore.internal.output;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.PageRun;
import dev.guestcore.Progress;
import dev.guestcore.format.CoreSink;
import dev.guestcore.format.WriteReport;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

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
    private final MemorySegment buffer = Arena.ofAuto().allocate(CHUNK, PAGE);
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
            long runSize = sizeUpTo(run.range(), Math.min(left, LARGEST_STEP));
            switch (run.state()) {
                case ZERO -> {
                    zeros(runSize);
                    progress.advance(runSize);
                }
                case PRESENT -> runSize = copyPresent(address, runSize);
                case EXCLUDED, UNREADABLE, ABSENT -> {
                    lose(address, runSize);
                    sink.writeZeros(runSize);
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

    /** Copies up to {@code size} bytes; gives how many are done, which is less where a page turned out unreadable. */
    private long copyPresent(long address, long size) {
        long done = 0;
        while (done < size) {
            // The first chunk ends on a chunk boundary so that pages stay whole whatever the range's start.
            long toBoundary = CHUNK - (address + done & CHUNK - 1);
            long wanted = Math.min(size - done, toBoundary);
            MemorySegment chunk = buffer.asSlice(0, wanted);
            long copied = memory.readAvailable(address + done, chunk);
            emit(address + done, chunk.asSlice(0, copied));
            done += copied;
            progress.advance(copied);
            if (copied < wanted) {
                return done + skipFailedPage(address + done, size - done);
            }
        }
        return done;
    }

    /** The source failed only now: the rest of that page is lost, the page after it is tried again. */
    private long skipFailedPage(long address, long limit) {
        long size = Math.min(limit, PAGE - (address & PAGE - 1));
        lose(address, size);
        sink.writeZeros(size);
        progress.advance(size);
        return size;
    }

    private void emit(long address, MemorySegment bytes) {
        long size = bytes.byteSize();
        long runStart = 0;
        long at = 0;
        boolean runIsZero = false;
        while (at < size) {
            long pageSize = Math.min(PAGE - (address + at & PAGE - 1), size - at);
            boolean zero = MemorySegment.mismatch(bytes, at, at + pageSize, zeroPage, 0, pageSize) < 0;
            if (zero != runIsZero && at > runStart) {
                flushRun(bytes, runStart, at, runIsZero);
                runStart = at;
            }
            runIsZero = zero;
            at += pageSize;
        }
        flushRun(bytes, runStart, size, runIsZero);
    }

    private void flushRun(MemorySegment bytes, long from, long to, boolean zero) {
        if (to == from) {
            return;
        }
        if (zero) {
            zeros(to - from);
        } else {
            sink.write(bytes.asSlice(from, to - from));
        }
    }

    private void zeros(long count) {
        zeroBytes += count;
        sink.writeZeros(count);
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
