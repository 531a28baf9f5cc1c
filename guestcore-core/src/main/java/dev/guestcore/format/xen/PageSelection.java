package dev.guestcore.format.xen;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.file.CoreSink;
import dev.guestcore.format.MemoryPlace;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.internal.writer.MemoryCopier;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/** The whole pages that hold a guest's memory, ascending. Costs no memory a region. */
final class PageSelection {

    private final GuestMemory memory;

    PageSelection(GuestMemory memory) {
        this.memory = memory;
    }

    /** Takes a run of pages. */
    @FunctionalInterface
    private interface PageRuns {
        /** Pages {@code first} to {@code last}, both inclusive; false to stop. */
        boolean take(long first, long last);
    }

    /** Regions that share a page make one run. */
    private void forEachRun(int pageShift, PageRuns consumer) {
        boolean open = false;
        long first = 0;
        long last = 0;
        for (MemoryRegion region : memory.regions()) {
            if (!region.hasContent()) {
                continue;
            }
            long from = region.range().first() >>> pageShift;
            long to = region.range().last() >>> pageShift;
            if (open && from <= last + 1) {
                last = to;
                continue;
            }
            if (open && !consumer.take(first, last)) {
                return;
            }
            open = true;
            first = from;
            last = to;
        }
        if (open) {
            consumer.take(first, last);
        }
    }

    /** Number of pages; {@code limit} if there are that many or more. */
    long countPages(int pageShift, long limit) {
        long[] count = new long[1];
        forEachRun(pageShift, (first, last) -> {
            count[0] = Math.min(limit, count[0] + last - first + 1);
            return count[0] < limit;
        });
        return count[0];
    }

    /** Whether a region begins or ends within a page. */
    boolean hasPartialPages(int pageShift) {
        long mask = (1L << pageShift) - 1;
        for (MemoryRegion region : memory.regions()) {
            boolean aligned = (region.range().first() & mask) == 0 && (region.range().last() & mask) == mask;
            if (region.hasContent() && !aligned) {
                return true;
            }
        }
        return false;
    }

    /** Writes the frame numbers, u64 little-endian each. */
    void writeTable(int pageShift, CoreSink sink) {
        FrameStream table = new FrameStream(ByteOrder.LITTLE_ENDIAN, sink);
        forEachRun(pageShift, (first, last) -> {
            for (long page = first; page <= last; page++) {
                table.put(page);
            }
            return true;
        });
        table.flush();
    }

    /** Writes the pages; what of them is no memory is zero. */
    void writePages(int pageShift, CoreSink sink, MemoryCopier copier, Progress progress) {
        long mask = (1L << pageShift) - 1;
        boolean open = false;
        long end = 0;
        for (MemoryRegion region : memory.regions()) {
            if (!region.hasContent()) {
                continue;
            }
            AddressRange range = region.range();
            long pageStart = range.first() & ~mask;
            long gap;
            if (open && end >>> pageShift == range.first() >>> pageShift && (end & mask) != 0) {
                gap = range.first() - end;
            } else {
                if (open) {
                    zeros(-end & mask, sink, progress);
                }
                gap = range.first() - pageStart;
            }
            zeros(gap, sink, progress);
            copier.copy(range);
            end = range.last() + 1;
            open = true;
        }
        zeros(-end & mask, sink, progress);
    }

    /** Where {@link #writePages} puts memory, from {@code start} on; empty if regions do not consist of whole pages. */
    List<MemoryPlace> places(int pageShift, long start) {
        if (hasPartialPages(pageShift)) {
            return List.of();
        }
        List<MemoryPlace> places = new ArrayList<>();
        long offset = start;
        for (MemoryRegion region : memory.regions()) {
            if (region.hasContent()) {
                places.add(new MemoryPlace(region.range(), offset));
                offset += region.range().size();
            }
        }
        return places;
    }

    private static void zeros(long count, CoreSink sink, Progress progress) {
        if (count > 0) {
            sink.writeZeros(count);
            progress.advance(count);
        }
    }

    /**
     * Memory that a frame table does not cover.
     *
     * @param bytes how much
     * @param firstRange the first of it, for messages
     */
    record Missing(long bytes, String firstRange) {}

    /** What no run covers. */
    Missing missingFrom(Extents runs) {
        long bytes = 0;
        String firstRange = "";
        for (MemoryRegion region : memory.regions()) {
            if (!region.hasContent()) {
                continue;
            }
            long address = region.range().first();
            long end = region.range().last();
            while (true) {
                long index = runs.floor(address);
                long last = end;
                if (runs.contains(index, address)) {
                    last = runs.last(index);
                } else {
                    boolean more = index + 1 < runs.count();
                    if (more && Long.compareUnsigned(runs.first(index + 1) - 1, end) < 0) {
                        last = runs.first(index + 1) - 1;
                    }
                    firstRange = bytes == 0 ? new AddressRange(address, last).toString() : firstRange;
                    bytes += last - address + 1;
                }
                if (Long.compareUnsigned(last, end) >= 0) {
                    break;
                }
                address = last + 1;
            }
        }
        return new Missing(bytes, firstRange);
    }
}
