package dev.guestcore.inspect;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.internal.parallel.OrderedPipeline;
import io.airlift.compress.v3.xxhash.XxHash64JavaHasher;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What all pages of a memory hold. A page is 4096 bytes, or what a region has of them. All counts are pages;
 * {@code presentPages + zeroPages + excludedPages + unreadablePages + absentPages == pages}.
 *
 * <p>Equal content is detected by a 64-bit hash (XXH64). Two different contents out of n share a hash with a probability of
 * about n²/2^65: one in a million for 24 GiB of different pages. Up to {@link #EXACT_CONTENTS} different contents are
 * counted exactly; where there are more, {@code distinctContents} and {@code duplicatePages} are unbiased estimates
 * with a standard error of about 0.1 percent of {@code distinctContents}, and {@code exact} is false.
 *
 * <p>Immutable; two are equal if all that they say is.
 */
public final class MemoryScan {

    /** Up to so many different contents (about 22 GiB of different pages) are surely counted exactly. */
    public static final long EXACT_CONTENTS = 6_000_000;

    /** Up to so many regions, results of each are kept. */
    public static final int MOST_REGIONS = 1 << 16;

    private static final int MOST_PROFILES = 256;
    private static final int PROFILE_CELLS = 64;
    private static final int MOST_SLOTS = 1 << 23;

    private final long pages;
    private final long presentPages;
    private final long zeroPages;
    private final long excludedPages;
    private final long unreadablePages;
    private final long absentPages;
    private final long distinctContents;
    private final long duplicatePages;
    private final boolean exact;
    private final RangeTally unreadable;
    private final List<RegionScan> regions;

    private MemoryScan(
            long pages,
            long presentPages,
            long zeroPages,
            long excludedPages,
            long unreadablePages,
            long absentPages,
            long distinctContents,
            long duplicatePages,
            boolean exact,
            RangeTally unreadable,
            List<RegionScan> regions) {
        this.pages = pages;
        this.presentPages = presentPages;
        this.zeroPages = zeroPages;
        this.excludedPages = excludedPages;
        this.unreadablePages = unreadablePages;
        this.absentPages = absentPages;
        this.distinctContents = distinctContents;
        this.duplicatePages = duplicatePages;
        this.exact = exact;
        this.unreadable = unreadable;
        this.regions = List.copyOf(regions);
    }

    /** All pages of regions that have content. */
    public long pages() {
        return pages;
    }

    /** Pages that were read and have a byte other than zero. */
    public long presentPages() {
        return presentPages;
    }

    /** Pages that are all zero, stored or not. */
    public long zeroPages() {
        return zeroPages;
    }

    /** Pages that were left out of the dump. */
    public long excludedPages() {
        return excludedPages;
    }

    /** Pages that could not be read. */
    public long unreadablePages() {
        return unreadablePages;
    }

    /** Pages without backing inside a region of RAM or ROM. */
    public long absentPages() {
        return absentPages;
    }

    /** How many different contents the present pages have. */
    public long distinctContents() {
        return distinctContents;
    }

    /** Present pages whose content occurred before, at a lower address. */
    public long duplicatePages() {
        return duplicatePages;
    }

    /** Whether the two counts before are exact. */
    public boolean exact() {
        return exact;
    }

    /** Where the unreadable pages are. */
    public RangeTally unreadable() {
        return unreadable;
    }

    /**
     * What was found in each region, in the order of {@link GuestMemory#regions()}; empty if there are more than {@link
     * #MOST_REGIONS} regions.
     */
    public List<RegionScan> regions() {
        return regions;
    }

    /**
     * Reads all pages, with a thread per processor. Needs less than 200 MiB outside the heap, whatever the size.
     *
     * @param memory any memory
     * @param progress is told of each byte, also of those that need not be read; called in this thread
     * @throws dev.guestcore.error.CancelledException if {@code progress} says so
     */
    public static MemoryScan run(GuestMemory memory, Progress progress) {
        return run(memory, progress, MOST_SLOTS);
    }

    /** The same with a table of duplicates of another size, see {@link DistinctCounter}. */
    static MemoryScan run(GuestMemory memory, Progress progress, int mostSlots) {
        progress.begin("scanning memory", Pages.contentBytes(memory));
        try (Arena arena = Arena.ofShared()) {
            DistinctCounter contents = new DistinctCounter(arena, mostSlots);
            MemorySegment buffers = arena.allocate((long) OrderedPipeline.batches() * Batch.BUFFER, Pages.SIZE);
            MemorySegment zeroPage = arena.allocate(Pages.SIZE, Pages.SIZE);
            Totals totals = new Totals(memory.regions().size(), progress);
            try (OrderedPipeline<Batch> pipeline = new OrderedPipeline<>(
                    number -> new Batch(buffers.asSlice((long) number * Batch.BUFFER, Batch.BUFFER)),
                    batch -> batch.read(memory, contents, zeroPage),
                    totals::add)) {
                Feeder feeder = new Feeder(pipeline);
                Pages.walkPages(memory, feeder);
                feeder.finish();
            }
            return totals.result(contents);
        }
    }

    /** Cuts runs into batches. */
    private static final class Feeder implements Pages.RunVisitor {

        private final OrderedPipeline<Batch> pipeline;
        private Batch batch;

        Feeder(OrderedPipeline<Batch> pipeline) {
            this.pipeline = pipeline;
            this.batch = pipeline.take();
        }

        @Override
        public boolean run(int regionIndex, MemoryRegion region, long first, long last, PageState state) {
            long at = first;
            while (true) {
                long pieceLast = batch.add(regionIndex, region, at, last, state);
                if (batch.isFull()) {
                    pipeline.submit(batch);
                    batch = pipeline.take();
                }
                if (pieceLast == last) {
                    return true;
                }
                at = pieceLast + 1;
            }
        }

        void finish() {
            pipeline.submit(batch);
            pipeline.finish();
        }
    }

    /** Some runs of pages, the memory to read them into, and afterwards the state of each. */
    private static final class Batch {

        static final int PAGES = 128;
        static final int BUFFER = PAGES * Pages.SIZE;
        private static final int MOST_RUNS = 128;

        private final MemorySegment buffer;
        private final int[] regionIndex = new int[MOST_RUNS];
        private final MemoryRegion[] region = new MemoryRegion[MOST_RUNS];
        private final long[] first = new long[MOST_RUNS];
        private final long[] last = new long[MOST_RUNS];
        private final PageState[] state = new PageState[MOST_RUNS];
        /** States of the pages that were read, one after the other over all runs that are present. */
        private final PageState[] read = new PageState[PAGES];
        private int runs;
        private int pagesToRead;

        Batch(MemorySegment buffer) {
            this.buffer = buffer;
        }

        /** Takes a run, or its beginning; gives the last address that was taken. */
        long add(int index, MemoryRegion ofRegion, long from, long to, PageState runState) {
            long taken = to;
            if (runState == PageState.PRESENT) {
                int room = PAGES - pagesToRead;
                long roomLast = Pages.lastOfPage(from) + (long) (room - 1) * Pages.SIZE;
                // The sum may pass 2^64; then there is room enough.
                if (Long.compareUnsigned(roomLast, from) >= 0) {
                    taken = Pages.lower(to, roomLast);
                }
                pagesToRead += (int) Pages.count(from, taken);
            }
            regionIndex[runs] = index;
            region[runs] = ofRegion;
            first[runs] = from;
            last[runs] = taken;
            state[runs] = runState;
            runs++;
            return taken;
        }

        boolean isFull() {
            return runs == MOST_RUNS || pagesToRead == PAGES;
        }

        void clear() {
            runs = 0;
            pagesToRead = 0;
        }

        void read(GuestMemory memory, DistinctCounter contents, MemorySegment zeroPage) {
            int page = 0;
            for (int run = 0; run < runs; run++) {
                if (state[run] == PageState.PRESENT) {
                    page = readRun(memory, contents, zeroPage, first[run], last[run], page);
                }
            }
        }

        private int readRun(
                GuestMemory memory,
                DistinctCounter contents,
                MemorySegment zeroPage,
                long from,
                long to,
                int firstPage) {
            int page = firstPage;
            long at = from;
            while (true) {
                long wanted = to - at + 1;
                long copied = memory.readAvailable(at, buffer.asSlice(0, wanted));
                long done = 0;
                while (done < copied) {
                    long pageSize = Math.min(Pages.lastOfPage(at + done) - (at + done) + 1, wanted - done);
                    if (pageSize > copied - done) {
                        break;
                    }
                    read[page++] = classify(contents, zeroPage, done, pageSize);
                    done += pageSize;
                }
                if (done == wanted) {
                    return page;
                }
                // A page of which a part is missing is missing; the one behind it is tried again.
                read[page++] = Pages.stateOfFailure(memory, at + copied);
                long failedLast = Pages.lower(Pages.lastOfPage(at + done), to);
                if (failedLast == to) {
                    return page;
                }
                at = failedLast + 1;
            }
        }

        private PageState classify(DistinctCounter contents, MemorySegment zeroPage, long offset, long size) {
            if (MemorySegment.mismatch(buffer, offset, offset + size, zeroPage, 0, size) < 0) {
                return PageState.ZERO;
            }
            // The one in Java: it is as fast for pages, and the native one is unpacked into a folder for temporary files.
            contents.add(XxHash64JavaHasher.hash(buffer.asSlice(offset, size), 0));
            return PageState.PRESENT;
        }
    }

    /** Sums up batches, in address order. */
    private static final class Totals {

        private static final PageState[] STATES = PageState.values();

        private final Progress progress;
        private final long[] pages = new long[STATES.length];
        private final RangeTally.Collector unreadable = new RangeTally.Collector();
        /** Present, zero and missing pages of each region; empty where there are too many. */
        private final long[][] byRegion;
        /** Pages with content, and all pages, of each 64th of each region; empty where there are too many. */
        private final long[][] profiles;

        Totals(int regionCount, Progress progress) {
            this.progress = progress;
            this.byRegion = new long[regionCount <= MOST_REGIONS ? regionCount : 0][3];
            this.profiles = new long[regionCount <= MOST_PROFILES ? regionCount : 0][2 * PROFILE_CELLS];
        }

        void add(Batch batch) {
            int page = 0;
            long bytes = 0;
            for (int run = 0; run < batch.runs; run++) {
                long first = batch.first[run];
                long last = batch.last[run];
                bytes = Pages.add(bytes, Pages.size(first, last));
                if (batch.state[run] == PageState.PRESENT) {
                    long at = first;
                    for (long left = Pages.count(first, last); left > 0; left--) {
                        long pageLast = Pages.lower(Pages.lastOfPage(at), last);
                        addPages(batch.regionIndex[run], batch.region[run], at, pageLast, batch.read[page++]);
                        at = pageLast + 1;
                    }
                } else {
                    addPages(batch.regionIndex[run], batch.region[run], first, last, batch.state[run]);
                }
            }
            batch.clear();
            progress.advance(bytes);
        }

        private void addPages(int regionIndex, MemoryRegion region, long first, long last, PageState state) {
            long count = Pages.count(first, last);
            pages[state.ordinal()] += count;
            if (state == PageState.UNREADABLE) {
                unreadable.add(first, last);
            }
            if (regionIndex < byRegion.length) {
                byRegion[regionIndex][state == PageState.PRESENT ? 0 : state == PageState.ZERO ? 1 : 2] += count;
            }
            if (regionIndex < profiles.length) {
                addToProfile(profiles[regionIndex], region, first, last, state == PageState.PRESENT);
            }
        }

        /** A run of many pages may lie in many cells; it is counted in the cell of each of its pages, cell by cell. */
        private static void addToProfile(long[] profile, MemoryRegion region, long first, long last, boolean present) {
            long firstPage = region.range().first() >>> Pages.SHIFT;
            long regionPages = Pages.count(region.range().first(), region.range().last());
            long page = (first >>> Pages.SHIFT) - firstPage;
            long end = (last >>> Pages.SHIFT) - firstPage + 1;
            while (page < end) {
                int cell = (int) (page * PROFILE_CELLS / regionPages);
                long cellEnd = ((cell + 1L) * regionPages + PROFILE_CELLS - 1) / PROFILE_CELLS;
                long count = Math.min(cellEnd, end) - page;
                profile[PROFILE_CELLS + cell] += count;
                if (present) {
                    profile[cell] += count;
                }
                page += count;
            }
        }

        MemoryScan result(DistinctCounter contents) {
            long all = 0;
            for (long count : pages) {
                all += count;
            }
            long present = pages[PageState.PRESENT.ordinal()];
            // A sample may estimate a little more contents than there are pages.
            long distinct = Math.min(contents.count(), present);
            return new MemoryScan(
                    all,
                    present,
                    pages[PageState.ZERO.ordinal()],
                    pages[PageState.EXCLUDED.ordinal()],
                    pages[PageState.UNREADABLE.ordinal()],
                    pages[PageState.ABSENT.ordinal()],
                    distinct,
                    present - distinct,
                    contents.isExact(),
                    unreadable.finish(),
                    regionResults());
        }

        private List<RegionScan> regionResults() {
            List<RegionScan> results = new ArrayList<>(byRegion.length);
            for (int i = 0; i < byRegion.length; i++) {
                long[] counts = byRegion[i];
                boolean hasProfile = i < profiles.length && counts[0] + counts[1] + counts[2] > 0;
                List<Double> profile = hasProfile ? shares(profiles[i]) : Collections.emptyList();
                results.add(new RegionScan(counts[0], counts[1], counts[2], profile));
            }
            return results;
        }

        /** A region of fewer than 64 pages leaves cells without a page; they show the page that lies over them. */
        private static List<Double> shares(long[] profile) {
            List<Double> shares = new ArrayList<>(PROFILE_CELLS);
            double share = 0;
            for (int cell = 0; cell < PROFILE_CELLS; cell++) {
                long all = profile[PROFILE_CELLS + cell];
                share = all == 0 ? share : (double) profile[cell] / all;
                shares.add(share);
            }
            return shares;
        }
    }

    private List<Object> parts() {
        return List.of(
                pages,
                presentPages,
                zeroPages,
                excludedPages,
                unreadablePages,
                absentPages,
                distinctContents,
                duplicatePages,
                exact,
                unreadable,
                regions);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof MemoryScan that && parts().equals(that.parts());
    }

    @Override
    public int hashCode() {
        return parts().hashCode();
    }

    @Override
    public String toString() {
        return "MemoryScan" + parts();
    }
}
