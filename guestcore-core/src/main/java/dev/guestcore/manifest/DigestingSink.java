package dev.guestcore.manifest;

import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.file.CoreSink;
import dev.guestcore.file.MemoryOutput;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Passes a core on and digests it on the way, in threads of its own: the file as a whole, which can only go from its
 * first byte to its last, and page by page the guest's memory and what is no memory. A writer that is faster than the
 * digests waits for them.
 *
 * <p>To be used by one thread; {@link #finish} or {@link #close} ends the other threads.
 */
final class DigestingSink implements CoreSink, AutoCloseable {

    private static final int BATCHES = 6;
    private static final int ZEROS = 1 << 20;

    private final CoreSink target;
    private final Extents regions;
    private final boolean filePieces;
    private final boolean memoryPieces;
    private final MemoryOutput digestedMemory;
    private final PieceCollector memory;
    private final PieceCollector file;
    private final MessageDigest sha = Sha256.begin();
    private final MemoryOrder order = new MemoryOrder();
    private final Extents.Builder segments = new Extents.Builder(Arena.ofAuto());

    private final BlockingQueue<PageBatch> free = new ArrayBlockingQueue<>(BATCHES);
    private final BlockingQueue<Work> steps = new LinkedBlockingQueue<>();
    private final Thread sequencer;
    private volatile @Nullable Throwable failure;
    private volatile boolean stopped;
    private final AtomicLong digested = new AtomicLong();

    private @Nullable PageBatch batch;
    private int memorySlot = -1;
    private int fileSlot = -1;
    private long region;
    private long position;
    private boolean patched;
    private boolean disordered;
    private boolean toldMemory;

    /** A batch whose pages are being digested. */
    private record Step(PageBatch batch, FutureTask<PageBatch> pages) implements Work {}

    /** There is no more. */
    private record End() implements Work {}

    private sealed interface Work {}

    /**
     * Begins.
     *
     * @param target where the core goes
     * @param regions the guest's memory regions that have content
     * @param filePieces whether pieces of the file without its memory are wanted
     * @param memoryPieces whether pieces of memory are wanted
     * @param listener told of pieces by another thread, one at a time; what it throws ends the write
     */
    DigestingSink(
            CoreSink target, Extents regions, boolean filePieces, boolean memoryPieces, Piece.Listener listener) {
        this.target = target;
        this.digestedMemory = new DigestedMemory();
        this.regions = regions;
        this.filePieces = filePieces;
        this.memoryPieces = memoryPieces;
        this.memory = new PieceCollector(regions, listener);
        this.file = new PieceCollector(regions, listener);
        for (int i = 0; i < BATCHES; i++) {
            free.add(new PageBatch());
        }
        sequencer = Thread.ofPlatform().daemon().name("digest").start(this::sequence);
    }

    @Override
    public long position() {
        return target.position();
    }

    @Override
    public boolean canPatch() {
        return target.canPatch();
    }

    /** Whether bytes were written over, so that the digest of the file cannot be had on the way. */
    boolean isPatched() {
        return patched;
    }

    /** Whether memory came in an order for which its pieces cannot be had on the way. */
    boolean isDisordered() {
        return disordered;
    }

    /** Whether memory is in the file in another form. */
    boolean toldMemory() {
        return toldMemory;
    }

    /** Which bytes of the file are memory as it is: file offsets, and beside each the address of its first byte. */
    Extents segments() {
        return segments.build();
    }

    /** SHA-256 of all bytes; to be called once, after {@link #finish}. */
    byte[] fileDigest() {
        return sha.digest();
    }

    /** How many bytes of the file are digested so far. */
    long digested() {
        return digested.get();
    }

    @Override
    public void patch(long at, MemorySegment bytes) {
        patched = true;
        target.patch(at, bytes);
    }

    @Override
    public void write(MemorySegment bytes) {
        fileBytes(bytes);
        target.write(bytes);
    }

    @Override
    public void writeZeros(long count) {
        zeros(count);
        target.writeZeros(count);
    }

    @Override
    public MemoryOutput memory() {
        return digestedMemory;
    }

    /** Takes what is guest memory, and passes it on. */
    private final class DigestedMemory implements MemoryOutput {

        private final MemoryOutput targetMemory = target.memory();

        @Override
        public void write(long address, MemorySegment bytes) {
            takeMemory(address, bytes, true);
            targetMemory.write(address, bytes);
        }

        @Override
        public void writeZeros(long address, long count) {
            segment(position, address, count);
            zeros(count);
            targetMemory.writeZeros(address, count);
        }

        @Override
        public void tell(long address, MemorySegment bytes) {
            toldMemory = true;
            if (memoryPieces) {
                takeMemory(address, bytes, false);
            }
            targetMemory.tell(address, bytes);
        }
    }

    private void segment(long offset, long address, long size) {
        long last = segments.count() - 1;
        if (last >= 0
                && segments.last(last) + 1 == offset
                && segments.value(last) + (offset - segments.first(last)) == address) {
            segments.extendLast(offset + size - 1);
        } else {
            segments.add(offset, offset + size - 1, address);
        }
    }

    private void zeros(long count) {
        position += count;
        if (patched) {
            return;
        }
        for (long left = count; left > 0;) {
            left -= room().zeros(left);
        }
    }

    private void fileBytes(MemorySegment bytes) {
        if (patched) {
            position += bytes.byteSize();
            return;
        }
        for (long done = 0; done < bytes.byteSize();) {
            long page = position & -Piece.PAGE;
            int in = (int) (position - page);
            int size = (int) Math.min(Piece.PAGE - in, bytes.byteSize() - done);
            PageBatch now = room();
            if (fileSlot < 0 || now.addresses[fileSlot] != page) {
                fileSlot = now.add(
                        filePieces ? PageBatch.Kind.FILE : PageBatch.Kind.NOTHING,
                        Piece.FILE,
                        page,
                        Piece.PAGE,
                        size < Piece.PAGE);
            }
            take(now, fileSlot, in, bytes, done, size, true);
            position += size;
            done += size;
        }
    }

    private void takeMemory(long address, MemorySegment bytes, boolean inFile) {
        for (long done = 0; done < bytes.byteSize();) {
            long at = address + done;
            long left = bytes.byteSize() - done;
            if (!regions.contains(region, at)) {
                region = regions.floor(at);
            }
            if (!regions.contains(region, at)) {
                // A format that knows whole pages only pads with what is no memory.
                long next = region + 1 < regions.count() ? regions.first(region + 1) - at : -1;
                long some = Long.compareUnsigned(next, left) < 0 ? next : left;
                if (inFile) {
                    fileBytes(bytes.asSlice(done, some));
                }
                done += some;
                continue;
            }
            long page = at & -Piece.PAGE;
            long end = page + (Piece.PAGE - 1);
            long last = Long.compareUnsigned(regions.last(region), end) < 0 ? regions.last(region) : end;
            int size = (int) Math.min(left, last - at + 1);
            memoryPage(at, last, bytes, done, size, inFile);
            done += size;
        }
    }

    private void memoryPage(long at, long last, MemorySegment bytes, long from, int size, boolean inFile) {
        boolean forFile = inFile && !patched;
        long page = at & -Piece.PAGE;
        long first = Long.compareUnsigned(regions.first(region), page) > 0 ? regions.first(region) : page;
        boolean forPieces = memoryPieces && !disordered;
        if (forFile || forPieces) {
            PageBatch now = room();
            if (memorySlot < 0 || now.addresses[memorySlot] != first || now.regions[memorySlot] != region) {
                disordered |= forPieces && !order.follows(region, at);
                memorySlot = now.add(
                        memoryPieces && !disordered ? PageBatch.Kind.MEMORY : PageBatch.Kind.NOTHING,
                        region,
                        first,
                        (int) (last - first) + 1,
                        size <= last - first);
            }
            take(now, memorySlot, (int) (at - first), bytes, from, size, forFile);
        }
        if (inFile) {
            segment(position, at, size);
            position += size;
        }
    }

    private static void take(
            PageBatch batch, int slot, int in, MemorySegment source, long from, int size, boolean inFile) {
        int to = slot * Piece.PAGE + in;
        MemorySegment.copy(source, from, MemorySegment.ofArray(batch.bytes), to, size);
        if (inFile) {
            batch.stretch(to, size);
        }
    }

    /** A batch that has room for a page. */
    private PageBatch room() {
        PageBatch now = batch;
        if (now != null && !now.isFull()) {
            return now;
        }
        PageBatch next = take(free);
        next.clear();
        if (now != null) {
            // More of these two pages may come, and a page is digested whole.
            memorySlot = memorySlot < 0 ? -1 : next.carry(now, memorySlot);
            fileSlot = fileSlot < 0 ? -1 : next.carry(now, fileSlot);
            submit(now);
        }
        batch = next;
        return next;
    }

    private void submit(PageBatch full) {
        Throwable problem = failure;
        if (problem != null) {
            throw failed(problem);
        }
        FutureTask<PageBatch> pages = new FutureTask<>(full::digest, full);
        Thread.ofVirtual().start(pages);
        steps.add(new Step(full, pages));
    }

    private static <T> T take(BlockingQueue<T> queue) {
        try {
            return queue.take();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new GuestcoreException("interrupted while digesting", e);
        }
    }

    private static RuntimeException failed(Throwable problem) {
        return switch (problem) {
            case GuestcoreException known -> known;
            case Error error -> throw error;
            default -> new GuestcoreException("digesting failed: " + problem, problem);
        };
    }

    /** In a thread of its own. After a failure batches are only given back, so that the writer need not wait for ever. */
    private void sequence() {
        byte[] zeros = new byte[ZEROS];
        while (true) {
            if (!(take(steps) instanceof Step step)) {
                return;
            }
            try {
                step.pages().get();
                if (failure == null && !stopped) {
                    PageBatch done = step.batch();
                    done.forEachStretch((from, size) -> digest(done, from, size, zeros));
                    collect(done);
                }
            } catch (ExecutionException e) {
                failure = e.getCause();
            } catch (InterruptedException e) {
                failure = e;
            } catch (RuntimeException | Error e) {
                failure = e;
            }
            free.add(step.batch());
        }
    }

    private void digest(PageBatch done, int from, long size, byte[] zeros) {
        if (from >= 0) {
            sha.update(done.bytes, from, (int) size);
        } else {
            for (long left = size; left > 0 && !stopped; left -= ZEROS) {
                sha.update(zeros, 0, (int) Math.min(left, ZEROS));
            }
        }
        digested.addAndGet(size);
    }

    private void collect(PageBatch done) {
        for (int slot = 0; slot < done.slots(); slot++) {
            switch (done.kinds[slot]) {
                case MEMORY ->
                        memory.page(done.regions[slot], done.addresses[slot], done.digests, slot * Sha256.SIZE);
                case FILE -> file.page(Piece.FILE, done.addresses[slot], done.digests, slot * Sha256.SIZE);
                case NOTHING -> {
                    // of use for the digest of the file only
                }
                default -> throw new IllegalStateException("unknown kind " + done.kinds[slot]);
            }
        }
    }

    /**
     * Waits until everything is digested, and tells the listener of the last pieces.
     *
     * @param progress may cancel, and is told how many bytes are digested from now on
     */
    void finish(Progress progress) {
        PageBatch now = batch;
        batch = null;
        if (now != null) {
            submit(now);
        }
        steps.add(new End());
        try {
            long before = digested.get();
            while (!sequencer.join(Duration.ofMillis(100))) {
                long sofar = digested.get();
                progress.advance(sofar - before);
                before = sofar;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new GuestcoreException("interrupted while digesting", e);
        }
        Throwable problem = failure;
        if (problem != null) {
            throw failed(problem);
        }
        memory.finish();
        file.finish();
    }

    /** Ends the threads, whatever is not yet digested. */
    @Override
    public void close() {
        stopped = true;
        if (sequencer.isAlive()) {
            steps.add(new End());
            boolean interrupted = false;
            while (sequencer.isAlive()) {
                try {
                    sequencer.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
