package dev.guestcore.inspect;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;
import java.util.Optional;

/**
 * What a memory consists of, without reading a page. Sums of bytes stop at 2^63 - 1.
 *
 * @param regionCount number of regions
 * @param kinds regions and bytes of each kind; every kind is there
 * @param states bytes of each page state in regions that have content (RAM and ROM); every state is there
 * @param statesComplete whether {@code states} covers all of the memory; false if it has more runs than was allowed
 * @param holeCount number of holes between regions
 * @param holeBytes bytes in these holes
 * @param span from the first address of the first region to the last of the last, empty if there is no region
 */
public record MemorySummary(
        long regionCount,
        Map<MemoryRegion.Kind, KindTotal> kinds,
        Map<PageState, Long> states,
        boolean statesComplete,
        long holeCount,
        long holeBytes,
        Optional<AddressRange> span) {

    /**
     * Sum over the regions of one kind.
     *
     * @param regionCount how many
     * @param bytes their length together
     */
    public record KindTotal(long regionCount, long bytes) {

        private static final KindTotal NONE = new KindTotal(0, 0);
    }

    /** Makes the maps immutable. */
    public MemorySummary {
        kinds = Collections.unmodifiableMap(new EnumMap<>(kinds));
        states = Collections.unmodifiableMap(new EnumMap<>(states));
    }

    /** Sums up a memory. Takes time with the number of regions and runs, not with the size. */
    public static MemorySummary of(GuestMemory memory) {
        return of(memory, Long.MAX_VALUE);
    }

    /**
     * Sums up a memory, in bounded time.
     *
     * @param memory any memory
     * @param mostRuns how many runs of page states to look at, at least 0; regions are always counted whole
     */
    public static MemorySummary of(GuestMemory memory, long mostRuns) {
        Map<MemoryRegion.Kind, KindTotal> kinds = new EnumMap<>(MemoryRegion.Kind.class);
        for (MemoryRegion.Kind kind : MemoryRegion.Kind.values()) {
            kinds.put(kind, KindTotal.NONE);
        }
        long regionCount = 0;
        long holeCount = 0;
        long holeBytes = 0;
        long first = 0;
        long last = 0;
        for (MemoryRegion region : memory.regions()) {
            AddressRange range = region.range();
            if (regionCount == 0) {
                first = range.first();
            } else if (last + 1 != range.first()) {
                holeCount++;
                holeBytes = Pages.add(holeBytes, Pages.size(last + 1, range.first() - 1));
            }
            last = range.last();
            regionCount++;
            KindTotal total = kinds.getOrDefault(region.kind(), KindTotal.NONE);
            long bytes = Pages.add(total.bytes(), Pages.size(range));
            kinds.put(region.kind(), new KindTotal(total.regionCount() + 1, bytes));
        }
        StateTotals states = new StateTotals(mostRuns);
        Pages.walkRuns(memory, states);
        Optional<AddressRange> span =
                regionCount == 0 ? Optional.empty() : Optional.of(new AddressRange(first, last));
        return new MemorySummary(regionCount, kinds, states.bytes, states.complete, holeCount, holeBytes, span);
    }

    /** Regions and bytes of one kind. */
    public KindTotal total(MemoryRegion.Kind kind) {
        return kinds.getOrDefault(kind, KindTotal.NONE);
    }

    /** Bytes of one kind. */
    public long bytes(MemoryRegion.Kind kind) {
        return total(kind).bytes();
    }

    /** Bytes in one state. */
    public long bytes(PageState state) {
        return states.getOrDefault(state, 0L);
    }

    private static final class StateTotals implements Pages.RunVisitor {

        private final Map<PageState, Long> bytes = new EnumMap<>(PageState.class);
        private long runsLeft;
        private boolean complete = true;

        StateTotals(long mostRuns) {
            runsLeft = mostRuns;
            for (PageState state : PageState.values()) {
                bytes.put(state, 0L);
            }
        }

        @Override
        public boolean run(int regionIndex, MemoryRegion region, long first, long last, PageState state) {
            if (runsLeft-- <= 0) {
                complete = false;
                return false;
            }
            bytes.merge(state, Pages.size(first, last), Pages::add);
            return true;
        }
    }
}
