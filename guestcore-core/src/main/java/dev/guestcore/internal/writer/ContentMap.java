package dev.guestcore.internal.writer;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.format.Loss;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Which ranges of a guest's memory are in which state, found once before a core is laid out. Regions without content are
 * left out; runs of one state within a region are one entry. Outside the heap, so a million runs cost it nothing.
 */
public final class ContentMap {

    private static final PageState[] STATES = PageState.values();

    private final Extents runs;
    private final long[] bytes;

    private ContentMap(Extents runs, long[] bytes) {
        this.runs = runs;
        this.bytes = bytes;
    }

    /** Goes over all regions of {@code memory}. */
    public static ContentMap of(GuestMemory memory) {
        Extents.Builder runs = new Extents.Builder(Arena.ofAuto());
        long[] bytes = new long[STATES.length];
        for (MemoryRegion region : memory.regions()) {
            if (region.hasContent()) {
                addRegion(runs, bytes, memory, region.range());
            }
        }
        return new ContentMap(runs.build(), bytes);
    }

    private static void addRegion(Extents.Builder runs, long[] bytes, GuestMemory memory, AddressRange region) {
        long inRegion = runs.count();
        long address = region.first();
        while (true) {
            PageRun run = memory.runAt(address);
            long last = Long.compareUnsigned(run.range().last(), region.last()) < 0
                    ? run.range().last()
                    : region.last();
            bytes[run.state().ordinal()] += last - address + 1;
            long previous = runs.count() - 1;
            if (previous >= inRegion && runs.value(previous) == run.state().ordinal()) {
                runs.extendLast(last);
            } else {
                runs.add(address, last, run.state().ordinal());
            }
            if (last == region.last()) {
                return;
            }
            address = last + 1;
        }
    }

    /** Number of runs. */
    public long count() {
        return runs.count();
    }

    /** First address of run {@code index}. */
    public long first(long index) {
        return runs.first(index);
    }

    /** Last address of run {@code index}. */
    public long last(long index) {
        return runs.last(index);
    }

    /** State of run {@code index}. */
    public PageState state(long index) {
        return STATES[(int) runs.value(index)];
    }

    /** Whether run {@code index} begins right behind the one before it. */
    public boolean continues(long index) {
        return index > 0 && runs.last(index - 1) + 1 == runs.first(index);
    }

    /** How many bytes are in a state. */
    public long bytes(PageState state) {
        return bytes[state.ordinal()];
    }

    /**
     * How many bytes in a state share a page with bytes that can be read. Of {@link PageState#ABSENT}, the bytes of such pages
     * that lie in no region with content.
     *
     * @param pageShift binary logarithm of the page size
     */
    public long bytesBesideContent(PageState state, int pageShift) {
        long total = 0;
        long page = -1;
        long inState = 0;
        long known = 0;
        boolean hasContent = false;
        long pageSize = 1L << pageShift;
        for (long i = 0; i <= count(); i++) {
            boolean behind = i == count();
            long head = behind ? -1 : first(i) >>> pageShift;
            long tail = behind ? -1 : last(i) >>> pageShift;
            for (long at : head == tail ? new long[] {head} : new long[] {head, tail}) {
                if (at != page) {
                    if (hasContent) {
                        total += state == PageState.ABSENT ? pageSize - known : inState;
                    }
                    page = at;
                    inState = 0;
                    known = 0;
                    hasContent = false;
                }
                if (behind) {
                    break;
                }
                long from = at == head ? first(i) & pageSize - 1 : 0;
                long to = at == tail ? last(i) & pageSize - 1 : pageSize - 1;
                known += to - from + 1;
                inState += state(i) == state ? to - from + 1 : 0;
                hasContent |= state(i).isReadable();
            }
        }
        return total;
    }

    /** The ranges in a state, at most {@link WriteReport#MOST_RANGES} of them. */
    public List<AddressRange> ranges(PageState state) {
        List<AddressRange> ranges = new ArrayList<>();
        for (long i = 0; i < count() && ranges.size() < WriteReport.MOST_RANGES; i++) {
            if (state(i) == state) {
                ranges.add(new AddressRange(first(i), last(i)));
            }
        }
        return ranges;
    }

    /**
     * What becomes of the pages in a state that the format cannot tell, if there are any.
     *
     * @param why what the format has instead
     */
    public List<Loss> stateLoss(PageState state, String why) {
        long count = bytes(state);
        return count == 0
                ? List.of()
                : List.of(new Loss("state " + state.name().toLowerCase(Locale.ROOT) + " of " + count
                        + " bytes", why, false));
    }
}
