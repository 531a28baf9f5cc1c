package dev.guestcore.format.kdump;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.file.CoreSink;
import dev.guestcore.file.MemoryOutput;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.kernel.KernelSearch;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * Reads and compresses pages on all processors and writes them in order, with a fixed number of pages in memory. Not
 * thread-safe.
 */
final class PagePump {

    private static final int PAGE = 4096;
    private static final int PAGE_SHIFT = 12;

    /** Pages that are read, compressed and written together. */
    private static final int CHUNK_PAGES = 256;

    private static final int DESCRIPTORS_BUFFER = 4096 * KdumpLayout.DESCRIPTOR;

    /** Instead of a compressed size: all zero. */
    private static final int ZERO = 0;
    /** Instead of a compressed size: nothing to store. */
    private static final int MISSING = -1;
    /** Instead of a compressed size: nothing to store because the source failed. */
    private static final int FAILED = -2;

    private final GuestMemory memory;
    private final KernelSearch search;
    private final PageCodec codec;
    private final CoreSink sink;
    private final MemorySegment stored;
    private final long zeroPageAt;
    private final MemorySegment zeroPage = Arena.ofAuto().allocate(PAGE, PAGE);
    private final ByteBuffer descriptors = ByteBuffer.allocateDirect(DESCRIPTORS_BUFFER);
    private final List<AddressRange> unreadable = new ArrayList<>();

    /** Whether a stretch came out all zero of late: to ask for holes costs more than to read what is none. */
    private volatile boolean expectsHoles;

    private long descriptorsAt;
    private long pages;
    private long zeroBytes;
    private long unreadableBytes;

    /**
     * Writes the zero page that all zero pages share.
     *
     * @param search looks at the pages as they pass
     * @param sink where pages go; stands where the first page will be
     * @param order byte order of descriptors
     * @param descriptorsAt where the first descriptor goes
     * @param stored bitmap of the pages to store; the bits of those that turn out not to be are cleared
     */
    PagePump(
            GuestMemory memory,
            KernelSearch search,
            PageCodec codec,
            CoreSink sink,
            ByteOrder order,
            long descriptorsAt,
            MemorySegment stored) {
        this.descriptors.order(order);
        this.memory = memory;
        this.search = search;
        this.codec = codec;
        this.sink = sink;
        this.descriptorsAt = descriptorsAt;
        this.stored = stored;
        this.zeroPageAt = sink.position();
        sink.writeZeros(PAGE);
    }

    /** Pages of one chunk, on their way. */
    private final class Chunk {

        private final Arena arena = Arena.ofAuto();
        private final PageCodec.@Nullable Encoder encoder = codec == PageCodec.NONE ? null : codec.encoder();
        private final MemorySegment input = arena.allocate((long) CHUNK_PAGES * PAGE, PAGE);
        private final MemorySegment output = encoder == null
                ? MemorySegment.NULL
                : arena.allocate((long) CHUNK_PAGES * PAGE + encoder.bound(PAGE), PAGE);
        private final KernelSearch.Collector finds = search.new Collector();
        private final int[] sizes = new int[CHUNK_PAGES];
        private final boolean[] compressed = new boolean[CHUNK_PAGES];

        /** What is lost of pages that are stored, ascending. */
        private final List<AddressRange> lostParts = new ArrayList<>();

        private long firstPage;
        private int count;
        private long outputSize;

        void take(long page, long lastPage) {
            firstPage = page;
            count = (int) Math.min(CHUNK_PAGES, lastPage - page + 1);
        }

        /** Reads and compresses. */
        void fill() {
            long address = firstPage << PAGE_SHIFT;
            long wanted = (long) count * PAGE;
            outputSize = 0;
            lostParts.clear();
            if (expectsHoles && isHole(address, wanted)) {
                Arrays.fill(sizes, 0, count, ZERO);
                return;
            }
            boolean allZero = true;
            long whole = memory.readAvailable(address, input.asSlice(0, wanted)) / PAGE;
            for (int i = 0; i < count; i++) {
                long pageAddress = firstPage + i << PAGE_SHIFT;
                MemorySegment page = page(i);
                int size = i < whole ? PAGE : gather(pageAddress, page);
                if (size == PAGE && MemorySegment.mismatch(page, 0, PAGE, zeroPage, 0, PAGE) < 0) {
                    size = ZERO;
                } else if (size == PAGE) {
                    finds.look(pageAddress, page);
                    if (encoder != null) {
                        size = put(encoder, i, page);
                    }
                }
                sizes[i] = size;
                allZero &= size == ZERO;
            }
            expectsHoles = allZero;
        }

        private boolean isHole(long address, long size) {
            PageRun run = memory.contentRunAt(address);
            return run.state() == PageState.ZERO && run.range().last() - address >= size - 1;
        }

        /** A page as the guest has it. */
        MemorySegment page(int index) {
            return input.asSlice((long) index * PAGE, PAGE);
        }

        private int put(PageCodec.Encoder encoder, int index, MemorySegment page) {
            MemorySegment target = output.asSlice(outputSize);
            int size = encoder.isInVain(page) ? PAGE : encoder.encode(page, target);
            compressed[index] = size < PAGE;
            if (size >= PAGE) {
                MemorySegment.copy(page, 0, target, 0, PAGE);
                size = PAGE;
            }
            outputSize += size;
            return size;
        }

        /** Writes what is stored of the pages. */
        void send() {
            if (encoder != null) {
                sink.write(output.asSlice(0, outputSize));
                return;
            }
            // Pages that stay as they are leave from where they were read to.
            for (int i = 0; i < count; i++) {
                int end = i;
                while (end < count && sizes[end] > 0) {
                    end++;
                }
                if (end > i) {
                    sink.write(input.asSlice((long) i * PAGE, (long) (end - i) * PAGE));
                    i = end;
                }
            }
        }

        /** Reads a page that is not there in one piece; what of it is missing counts as zeros beside what is there. */
        private int gather(long address, MemorySegment page) {
            boolean hasContent = false;
            boolean fails = false;
            int lostBefore = lostParts.size();
            for (long done = 0; done < PAGE;) {
                long read = memory.readAvailable(address + done, page.asSlice(done));
                hasContent |= read > 0;
                done += read;
                if (done == PAGE) {
                    break;
                }
                PageRun run = memory.runAt(address + done);
                long lessOne = run.range().last() - run.range().first();
                // A run that should be readable, but is not, is lost up to the end of the page.
                long gap = run.state().isReadable() || Long.compareUnsigned(lessOne, PAGE - done - 1) >= 0
                        ? PAGE - done
                        : lessOne + 1;
                page.asSlice(done, gap).fill((byte) 0);
                if (run.state() != PageState.ABSENT && run.state() != PageState.EXCLUDED) {
                    lostParts.add(AddressRange.ofSize(address + done, gap));
                    fails = true;
                }
                done += gap;
            }
            if (hasContent) {
                return PAGE;
            }
            lostParts.subList(lostBefore, lostParts.size()).clear();
            return fails ? FAILED : MISSING;
        }
    }

    /** Writes these pages, which lie above all that were written before. */
    void run(Extents pages, Progress progress) {
        int threads = Runtime.getRuntime().availableProcessors();
        if (threads == 1) {
            runAlone(pages, progress);
        } else {
            runWith(threads, pages, progress);
        }
        flushDescriptors();
    }

    /** Without anybody to share the work with, pages are best written while they are still in the cache. */
    private void runAlone(Extents pages, Progress progress) {
        Chunk chunk = new Chunk();
        for (long i = 0; i < pages.count(); i++) {
            for (long page = pages.first(i); page <= pages.last(i); page += CHUNK_PAGES) {
                chunk.take(page, pages.last(i));
                chunk.fill();
                emit(chunk, progress);
            }
        }
    }

    private void runWith(int threads, Extents pages, Progress progress) {
        // What was used last is used first: it is still in the cache.
        Deque<Chunk> free = new ArrayDeque<>();
        for (int i = 0; i < threads + 2; i++) {
            free.push(new Chunk());
        }
        Deque<Future<Chunk>> running = new ArrayDeque<>();
        ExecutorService workers = Executors.newFixedThreadPool(threads, Thread.ofPlatform().daemon().factory());
        try {
            for (long i = 0; i < pages.count(); i++) {
                for (long page = pages.first(i); page <= pages.last(i); page += CHUNK_PAGES) {
                    if (free.isEmpty()) {
                        free.push(emit(await(running.remove()), progress));
                    }
                    Chunk chunk = free.pop();
                    chunk.take(page, pages.last(i));
                    running.add(workers.submit(() -> {
                        chunk.fill();
                        return chunk;
                    }));
                }
            }
            while (!running.isEmpty()) {
                emit(await(running.remove()), progress);
            }
        } finally {
            // The workers read the guest: none may be left when it is closed.
            running.forEach(chunk -> chunk.cancel(false));
            workers.close();
        }
    }

    private Chunk emit(Chunk chunk, Progress progress) {
        search.take(chunk.finds);
        long at = sink.position();
        MemoryOutput told = sink.memory();
        chunk.send();
        int lost = 0;
        for (int i = 0; i < chunk.count; i++) {
            int size = chunk.sizes[i];
            long page = chunk.firstPage + i;
            while (lost < chunk.lostParts.size() && chunk.lostParts.get(lost).first() >>> PAGE_SHIFT == page) {
                lose(chunk.lostParts.get(lost++));
            }
            if (size > 0) {
                told.tell(page << PAGE_SHIFT, chunk.page(i));
                describe(at, size, chunk.compressed[i] ? codec.flag() : PageCodec.NONE.flag());
                at += size;
            } else if (size == ZERO) {
                zeroBytes += PAGE;
                describe(zeroPageAt, PAGE, PageCodec.NONE.flag());
            } else {
                forget(page);
                if (size == FAILED) {
                    lose(AddressRange.ofSize(page << PAGE_SHIFT, PAGE));
                }
            }
        }
        pages += chunk.count;
        progress.advance((long) chunk.count * PAGE);
        return chunk;
    }

    private static Chunk await(Future<Chunk> future) {
        try {
            return future.get();
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case RuntimeException problem -> throw problem;
                case Error problem -> throw problem;
                case null, default -> throw new GuestcoreException("reading the guest failed: " + e.getCause(), e);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new GuestcoreException("interrupted while writing", e);
        }
    }

    private void describe(long at, int size, int flags) {
        if (!descriptors.hasRemaining()) {
            flushDescriptors();
        }
        descriptors.putLong(at).putInt(size).putInt(flags).putLong(0);
    }

    private void flushDescriptors() {
        descriptors.flip();
        sink.patch(descriptorsAt, MemorySegment.ofBuffer(descriptors));
        descriptorsAt += descriptors.limit();
        descriptors.clear();
    }

    private void forget(long page) {
        long at = page >>> 3;
        byte bits = stored.get(ValueLayout.JAVA_BYTE, at);
        stored.set(ValueLayout.JAVA_BYTE, at, (byte) (bits & ~(1 << (page & 7))));
    }

    private void lose(AddressRange range) {
        unreadableBytes += range.size();
        int last = unreadable.size() - 1;
        if (last >= 0 && unreadable.get(last).isFollowedBy(range)) {
            unreadable.set(last, new AddressRange(unreadable.get(last).first(), range.last()));
        } else if (unreadable.size() < WriteReport.MOST_RANGES) {
            unreadable.add(range);
        }
    }

    List<AddressRange> unreadable() {
        return unreadable;
    }

    long unreadableBytes() {
        return unreadableBytes;
    }

    /** How much memory was gone over, in bytes. */
    long memoryBytes() {
        return pages * PAGE;
    }

    long zeroBytes() {
        return zeroBytes;
    }
}
