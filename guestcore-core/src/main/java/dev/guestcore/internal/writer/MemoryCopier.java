package dev.guestcore.internal.writer;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.file.CoreSink;
import dev.guestcore.file.MemoryOutput;
import dev.guestcore.format.WriteReport;
import dev.guestcore.kernel.VmcoreInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Copies guest memory into a core, page by page: zero pages become holes, unreadable ones zeros that are counted. While
 * this thread writes, others read and look for zero pages. Not thread-safe.
 */
public final class MemoryCopier {

    private static final int PAGE = Architecture.SMALLEST_PAGE;
    private static final int CHUNK = 1 << 20;
    private static final long LARGEST_STEP = 64 << 20;
    private static final int MOST_AHEAD = Math.clamp(Runtime.getRuntime().availableProcessors(), 2, 8);

    private final GuestMemory memory;
    private final MemoryOutput output;
    private final Progress progress;
    private final Deque<Chunk> free = new ArrayDeque<>();
    private final Deque<FutureTask<Chunk>> ahead = new ArrayDeque<>();
    private final MemorySegment zeroPage = Arena.ofAuto().allocate(PAGE, PAGE);
    private final List<AddressRange> unreadable = new ArrayList<>();
    private final VmcoreInfo.@Nullable Collector finds;
    private volatile boolean looks;
    private long unreadableBytes;
    private long memoryBytes;
    private long zeroBytes;

    /** Copies from {@code memory} to {@code sink}. */
    public MemoryCopier(GuestMemory memory, CoreSink sink, Progress progress) {
        this(memory, sink, progress, null);
    }

    /** Copies, and looks for VMCOREINFO in the pages as they pass, unless {@code finds} is null. */
    public MemoryCopier(GuestMemory memory, CoreSink sink, Progress progress, VmcoreInfo.@Nullable Collector finds) {
        this.memory = memory;
        this.output = sink.memory();
        this.progress = progress;
        this.finds = finds;
        this.looks = finds != null;
    }

    /** Writes exactly as many bytes as {@code range} has. */
    public void copy(AddressRange range) {
        try {
            long address = range.first();
            long left = range.size();
            while (left > 0) {
                PageRun run = memory.contentRunAt(address);
                boolean present = run.state() == PageState.PRESENT;
                // A step at a time, so that a terabyte of zeros on its way into a pipe can be cancelled.
                long step = sizeUpTo(run.range(), Math.min(left, LARGEST_STEP));
                if (present && ahead.isEmpty() && pass(address, step)) {
                    progress.advance(step);
                } else if (present || step < CHUNK) {
                    step = Math.min(left, CHUNK - (address & CHUNK - 1));
                    read(address, step, step == left);
                } else {
                    emitAll();
                    put(Content.of(run.state()), address, step);
                    progress.advance(step);
                }
                address += step;
                left -= step;
            }
            emitAll();
        } finally {
            // The guest may be closed as soon as this method is left: nothing may still be reading it.
            while (!ahead.isEmpty()) {
                FutureTask<Chunk> task = ahead.remove();
                while (!task.isDone()) {
                    LockSupport.parkNanos(100_000);
                }
            }
        }
    }

    /** Goes past what is stored already. */
    private boolean pass(long address, long size) {
        boolean passed = output.pass(address, size, finds == null ? page -> {} : this::look);
        memoryBytes += passed ? size : 0;
        return passed;
    }

    private void look(long page) {
        if (finds != null && !finds.isSettled()) {
            MemorySegment bytes = MemorySegment.ofArray(new byte[PAGE]);
            if (memory.readAvailable(page, bytes) == PAGE) {
                finds.look(memory, page, bytes, 0);
            }
        }
    }

    private static long sizeUpTo(AddressRange range, long limit) {
        long lessOne = range.last() - range.first();
        return Long.compareUnsigned(lessOne, limit - 1) >= 0 ? limit : lessOne + 1;
    }

    /** Has a chunk read, in another thread unless nothing could be done meanwhile. */
    private void read(long address, long size, boolean last) {
        if (ahead.size() == MOST_AHEAD) {
            emitOldest();
        }
        Chunk chunk = free.isEmpty() ? new Chunk() : free.remove();
        chunk.address = address;
        chunk.size = (int) size;
        FutureTask<Chunk> task = new FutureTask<>(chunk::fill, chunk);
        ahead.add(task);
        if (last && ahead.size() == 1) {
            task.run();
        } else {
            Thread.ofVirtual().start(task);
        }
    }

    private void emitAll() {
        while (!ahead.isEmpty()) {
            emitOldest();
        }
    }

    private void emitOldest() {
        Chunk chunk = await(ahead.element());
        ahead.remove();
        chunk.emit();
        progress.advance(chunk.size);
        free.add(chunk);
    }

    private static Chunk await(FutureTask<Chunk> task) {
        try {
            return task.get();
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case RuntimeException problem -> throw problem;
                case Error problem -> throw problem;
                case null, default -> throw new GuestcoreException("reading the guest failed: " + e.getCause(), e);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new GuestcoreException("interrupted while reading the guest", e);
        }
    }

    /** What becomes of bytes. */
    private enum Content {
        /** They are written. */
        DATA,
        /** They are zero. */
        ZERO,
        /** They are lost. */
        LOST;

        static Content of(PageState state) {
            return switch (state) {
                case PRESENT -> DATA;
                case ZERO -> ZERO;
                case EXCLUDED, UNREADABLE, ABSENT -> LOST;
            };
        }
    }

    private void put(Content content, long address, long size) {
        memoryBytes += size;
        if (content == Content.LOST) {
            lose(address, size);
        } else {
            zeroBytes += size;
        }
        output.writeZeros(address, size);
    }

    /** Bytes on their way; never crosses a multiple of the chunk size, so that pages stay whole whatever the start. */
    private final class Chunk {

        private final MemorySegment buffer = Arena.ofAuto().allocate(CHUNK, PAGE);
        private Content[] contents = new Content[CHUNK / PAGE + 1];
        private int[] ends = new int[CHUNK / PAGE + 1];
        private final VmcoreInfo.@Nullable Collector seen = finds == null ? null : finds.another();
        private int pieces;
        private long address;
        private int size;

        void fill() {
            pieces = 0;
            int at = 0;
            while (at < size) {
                PageRun run = memory.contentRunAt(address + at);
                int end = at + (int) sizeUpTo(run.range(), size - at);
                if (run.state() == PageState.PRESENT) {
                    at = fillPresent(at, end);
                } else {
                    add(Content.of(run.state()), end);
                    at = end;
                }
            }
        }

        /** Gives how far it came. */
        private int fillPresent(int start, int end) {
            int readEnd = start + (int) memory.readAvailable(address + start, buffer.asSlice(start, end - start));
            for (int at = start; at < readEnd;) {
                int pageEnd = Math.min(pageEnd(at), readEnd);
                boolean zero = MemorySegment.mismatch(buffer, at, pageEnd, zeroPage, 0, pageEnd - at) < 0;
                add(zero ? Content.ZERO : Content.DATA, pageEnd);
                if (seen != null && looks && !zero && pageEnd - at == PAGE) {
                    seen.look(memory, address + at, buffer, at);
                }
                at = pageEnd;
            }
            if (readEnd < end) {
                // The source failed only now: the rest of that page is lost, the page after it is tried again.
                readEnd = Math.min(pageEnd(readEnd), end);
                add(Content.LOST, readEnd);
            }
            return readEnd;
        }

        private int pageEnd(int at) {
            return at + (int) (PAGE - (address + at & PAGE - 1));
        }

        private void add(Content content, int end) {
            if (pieces > 0 && contents[pieces - 1] == content) {
                ends[pieces - 1] = end;
                return;
            }
            if (pieces == ends.length) {
                contents = Arrays.copyOf(contents, 2 * pieces);
                ends = Arrays.copyOf(ends, 2 * pieces);
            }
            contents[pieces] = content;
            ends[pieces] = end;
            pieces++;
        }

        void emit() {
            if (finds != null && seen != null) {
                finds.take(seen);
                looks = !finds.isSettled();
            }
            int at = 0;
            for (int piece = 0; piece < pieces; piece++) {
                int length = ends[piece] - at;
                if (contents[piece] == Content.DATA) {
                    memoryBytes += length;
                    output.write(address + at, buffer.asSlice(at, length));
                } else {
                    put(contents[piece], address + at, length);
                }
                at += length;
            }
        }
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
