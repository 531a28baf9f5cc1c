package dev.guestcore.search;

import dev.guestcore.GuestMemory;
import dev.guestcore.PageRun;
import dev.guestcore.internal.parallel.OrderedPipeline;

/**
 * Turns runs of memory in ascending order into stretches for {@link SearchBatch}. Not thread-safe.
 */
final class SearchPlan {

    private final GuestMemory memory;
    private final OrderedPipeline<SearchBatch> pipeline;
    private final int carry;
    private final boolean searchZeros;

    private SearchBatch current;
    private boolean active;
    private boolean pending;
    private long pendingAddress;
    private long pendingPhysical;
    private long pendingSize;
    private long unreadable;

    /** Stretches overlap by one byte less than the longest match. */
    SearchPlan(GuestMemory memory, SearchPattern pattern, OrderedPipeline<SearchBatch> pipeline) {
        this.memory = memory;
        this.pipeline = pipeline;
        this.carry = pattern.longestMatch() - 1;
        this.searchZeros = pattern.matchesZeros();
        this.current = pipeline.take();
    }

    /** Bytes known to be unreadable without trying. */
    long unreadable() {
        return unreadable;
    }

    /**
     * Adds memory.
     *
     * @param address where it is seen, behind all before
     * @param physical where it lies
     * @param size bytes, unsigned
     */
    void add(long address, long physical, long size) {
        if (pending && pendingAddress + pendingSize == address && pendingPhysical + pendingSize == physical) {
            pendingSize += size;
            return;
        }
        flush();
        pending = true;
        pendingAddress = address;
        pendingPhysical = physical;
        pendingSize = size;
    }

    private void flush() {
        if (!pending) {
            return;
        }
        pending = false;
        long done = 0;
        while (done != pendingSize) {
            PageRun run = memory.contentRunAt(pendingPhysical + done);
            long inRun = run.range().last() - run.range().first();
            long left = pendingSize - done;
            long length = Long.compareUnsigned(inRun, left - 1) < 0 ? inRun + 1 : left;
            switch (run.state()) {
                case PRESENT -> readable(pendingAddress + done, pendingPhysical + done, length);
                case ZERO -> zeros(pendingAddress + done, pendingPhysical + done, length);
                case EXCLUDED, UNREADABLE -> unreadable += length;
                case ABSENT -> {
                    // There is nothing that could have been searched.
                }
                default -> throw new IllegalStateException("unknown state " + run.state());
            }
            done += length;
        }
    }

    /** Of long runs of zeros only the edges matter, where a match may begin or end. */
    private void zeros(long address, long physical, long size) {
        if (searchZeros || Long.compareUnsigned(size, 2L * SearchBatch.SIZE) < 0) {
            readable(address, physical, size);
            return;
        }
        readable(address, physical, carry);
        readable(address + size - carry, physical + size - carry, carry);
    }

    private void readable(long address, long physical, long size) {
        if (active && current.end() != address) {
            submit();
        }
        long done = 0;
        while (done != size) {
            if (!active) {
                current.begin(address + done);
                active = true;
            } else if (current.isFull()) {
                SearchBatch next = pipeline.take();
                current.continueIn(next, carry);
                pipeline.submit(current);
                current = next;
            }
            done += current.add(physical + done, size - done);
        }
    }

    private void submit() {
        pipeline.submit(current);
        current = pipeline.take();
        active = false;
    }

    /** No more memory comes. */
    void finish() {
        flush();
        if (active) {
            pipeline.submit(current);
            active = false;
        }
    }
}
