package dev.guestcore.inspect;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.cpu.Architecture;

/** Arithmetic on unsigned addresses, and the walk over the runs of a memory. */
final class Pages {

    static final int SHIFT = Integer.numberOfTrailingZeros(Architecture.SMALLEST_PAGE);
    static final int SIZE = 1 << SHIFT;
    static final long OFFSET_MASK = SIZE - 1L;

    private Pages() {}

    /** Is told of every run of one state within a region that has content, in address order. */
    interface RunVisitor {
        /**
         * One run.
         *
         * @return whether to go on
         */
        boolean run(int regionIndex, MemoryRegion region, long first, long last, PageState state);
    }

    /** How many pages, whole or in part, the addresses lie in; the number fits since it is at most 2^52. */
    static long count(long first, long last) {
        return (last >>> SHIFT) - (first >>> SHIFT) + 1;
    }

    /** Length in bytes, or 2^63 - 1 where it is longer. */
    static long size(long first, long last) {
        long lessOne = last - first;
        return Long.compareUnsigned(lessOne, Long.MAX_VALUE) >= 0 ? Long.MAX_VALUE : lessOne + 1;
    }

    /** Length in bytes, or 2^63 - 1 where it is longer. */
    static long size(AddressRange range) {
        return size(range.first(), range.last());
    }

    /** The sum of two numbers that are not negative, or 2^63 - 1 where it is larger. */
    static long add(long left, long right) {
        long sum = left + right;
        return sum < 0 ? Long.MAX_VALUE : sum;
    }

    /** The lower of two unsigned addresses. */
    static long lower(long left, long right) {
        return Long.compareUnsigned(left, right) <= 0 ? left : right;
    }

    /** The last address of the page that {@code address} lies in. */
    static long lastOfPage(long address) {
        return address | OFFSET_MASK;
    }

    /** All runs of all regions with content. */
    static void walkRuns(GuestMemory memory, RunVisitor visitor) {
        int index = -1;
        for (MemoryRegion region : memory.regions()) {
            index++;
            if (!region.hasContent()) {
                continue;
            }
            long end = region.range().last();
            long at = region.range().first();
            boolean more = true;
            while (more) {
                PageRun run = memory.runAt(at);
                long last = lower(run.range().last(), end);
                if (!visitor.run(index, region, at, last, run.state())) {
                    return;
                }
                more = last != end;
                at = last + 1;
            }
        }
    }

    /**
     * The same, in whole pages, and for whoever only wants the bytes (see {@link GuestMemory#contentRunAt}): a page that holds runs of several states counts as the worst of them, so every run
     * begins and ends at the border of a page or of its region.
     */
    static void walkPages(GuestMemory memory, RunVisitor visitor) {
        int index = -1;
        for (MemoryRegion region : memory.regions()) {
            index++;
            if (!region.hasContent()) {
                continue;
            }
            if (!walkPagesOf(memory, index, region, visitor)) {
                return;
            }
        }
    }

    private static boolean walkPagesOf(GuestMemory memory, int index, MemoryRegion region, RunVisitor visitor) {
        long end = region.range().last();
        long at = region.range().first();
        while (true) {
            PageRun run = memory.contentRunAt(at);
            long last = lower(run.range().last(), end);
            PageState state = run.state();
            if (last != end && last != lastOfPage(last)) {
                long pageStart = last & ~OFFSET_MASK;
                if (Long.compareUnsigned(pageStart, at) > 0) {
                    last = pageStart - 1;
                } else {
                    last = lower(lastOfPage(last), end);
                    state = worst(memory, at, last);
                }
            }
            if (!visitor.run(index, region, at, last, state)) {
                return false;
            }
            if (last == end) {
                return true;
            }
            at = last + 1;
        }
    }

    private static PageState worst(GuestMemory memory, long first, long end) {
        PageState worst = PageState.ZERO;
        long at = first;
        while (true) {
            PageRun run = memory.runAt(at);
            if (severity(run.state()) > severity(worst)) {
                worst = run.state();
            }
            long last = lower(run.range().last(), end);
            if (last == end) {
                return worst;
            }
            at = last + 1;
        }
    }

    private static int severity(PageState state) {
        return switch (state) {
            case ZERO -> 0;
            case PRESENT -> 1;
            case ABSENT -> 2;
            case EXCLUDED -> 3;
            case UNREADABLE -> 4;
        };
    }

    /** Bytes in regions with content. */
    static long contentBytes(GuestMemory memory) {
        long bytes = 0;
        for (MemoryRegion region : memory.regions()) {
            if (region.hasContent()) {
                bytes = add(bytes, size(region.range()));
            }
        }
        return bytes;
    }

    /**
     * Why a read stopped at {@code address}. A source that says it is readable, but gave nothing, failed to read it.
     */
    static PageState stateOfFailure(GuestMemory memory, long address) {
        PageState state = memory.runAt(address).state();
        return state.isReadable() ? PageState.UNREADABLE : state;
    }
}
