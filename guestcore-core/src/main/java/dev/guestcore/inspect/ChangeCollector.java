package dev.guestcore.inspect;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Makes a picture of where memory changed from the ranges that a comparison reports. Uses a fixed amount of memory. Not
 * thread-safe.
 *
 * <pre>{@code
 * ChangeCollector changes = new ChangeCollector(before);
 * GuestComparison.compare(before, after, changes::add, Progress.none());
 * String picture = SvgMap.render(changes.map());
 * }</pre>
 */
public final class ChangeCollector {

    private static final int CELLS = 64;

    private final MemoryMap map;
    private final List<MemoryMap.Area> areas = new ArrayList<>();
    private final long[][] changed;

    /** Begins with the map of a guest in which nothing changed. */
    public ChangeCollector(Guest guest) {
        this(MemoryMap.of(guest));
    }

    private ChangeCollector(MemoryMap map) {
        this.map = map;
        for (MemoryMap.Row row : map.rows()) {
            if (row instanceof MemoryMap.Area area) {
                areas.add(area);
            }
        }
        this.changed = new long[areas.size()][CELLS];
    }

    /**
     * Begins with the map of a guest in which nothing changed; the title names both guests.
     *
     * @param before the guest whose map is drawn
     * @param after the one that it is compared with
     */
    public static ChangeCollector between(Guest before, Guest after) {
        String first = MemoryMap.origin(before.provenance());
        String second = MemoryMap.origin(after.provenance());
        String origin = first.equals(second) ? first
                : first.isEmpty() || second.isEmpty() ? first + second : first + " / " + second;
        String title = MemoryMap.title(before.provenance()) + " and " + MemoryMap.title(after.provenance());
        return new ChangeCollector(MemoryMap.of(before).titled(title, origin));
    }

    /** Adds addresses at which memory is not the same; what lies outside of all areas is left out. */
    public void add(AddressRange range) {
        for (int index = firstEndingAtOrAfter(range.first()); index < areas.size(); index++) {
            Optional<AddressRange> part = areas.get(index).range().intersection(range);
            if (part.isEmpty()) {
                return;
            }
            add(changed[index], areas.get(index).range(), part.get());
        }
    }

    private int firstEndingAtOrAfter(long address) {
        int low = 0;
        int high = areas.size();
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (Long.compareUnsigned(areas.get(middle).range().last(), address) < 0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /** A long range may lie in many cells; each gets the pages that are its own. */
    private static void add(long[] cells, AddressRange area, AddressRange part) {
        long pages = Pages.count(area.first(), area.last());
        long firstPage = area.first() >>> Pages.SHIFT;
        long page = (part.first() >>> Pages.SHIFT) - firstPage;
        long end = (part.last() >>> Pages.SHIFT) - firstPage + 1;
        while (page < end) {
            int cell = (int) (page * CELLS / pages);
            long next = Math.min(end, firstPageOf(cell + 1, pages));
            cells[cell] += next - page;
            page = next;
        }
    }

    private static long firstPageOf(int cell, long pages) {
        return (cell * pages + CELLS - 1) / CELLS;
    }

    /** The map, on which every area but devices says how much of it changed. */
    public MemoryMap map() {
        List<MemoryMap.Row> rows = new ArrayList<>();
        int index = 0;
        for (MemoryMap.Row row : map.rows()) {
            if (row instanceof MemoryMap.Area area) {
                AreaChanges changes = changes(index++);
                rows.add(area.kind() == MemoryRegion.Kind.DEVICE ? area : area.with(changes));
            } else {
                rows.add(row);
            }
        }
        return new MemoryMap(map.title(), map.origin(), rows, map.summary(), false);
    }

    private AreaChanges changes(int index) {
        AddressRange range = areas.get(index).range();
        long pages = Pages.count(range.first(), range.last());
        List<Double> profile = new ArrayList<>();
        long sum = 0;
        for (int cell = 0; cell < CELLS; cell++) {
            long count = changed[index][cell];
            long room = firstPageOf(cell + 1, pages) - firstPageOf(cell, pages);
            // An area of fewer pages than cells leaves cells without a page of their own.
            profile.add(room == 0 ? (cell == 0 ? 0 : profile.getLast()) : Math.min(1, (double) count / room));
            sum += count;
        }
        return new AreaChanges(pages, sum, profile);
    }
}
