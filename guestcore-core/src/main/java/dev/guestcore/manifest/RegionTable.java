package dev.guestcore.manifest;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The memory regions that have content, without their guest. The ranges lie outside the heap.
 *
 * @param ranges beside each, the number of its label
 * @param labels kinds and names that occur
 */
record RegionTable(Extents ranges, List<Label> labels) {

    /**
     * What regions have in common.
     *
     * @param name the source's name for the region, or empty
     */
    record Label(MemoryRegion.Kind kind, String name) {}

    /** Collects regions. */
    static final class Builder {

        private final Extents.Builder ranges = new Extents.Builder(Arena.ofAuto());
        private final List<Label> labels = new ArrayList<>();
        private final Map<Label, Integer> numbers = new HashMap<>();

        /** Adds a region; gives whether it lies behind those before it. */
        boolean add(long first, long last, Label label) {
            int number = numbers.computeIfAbsent(label, added -> {
                labels.add(added);
                return labels.size() - 1;
            });
            return ranges.add(first, last, number);
        }

        RegionTable build() {
            return new RegionTable(ranges.build(), labels);
        }
    }

    static RegionTable of(GuestMemory memory) {
        Builder table = new Builder();
        for (MemoryRegion region : memory.regions()) {
            if (region.hasContent()) {
                table.add(region.range().first(), region.range().last(), new Label(region.kind(), region.name()));
            }
        }
        return table.build();
    }

    MemoryRegion region(long index) {
        Label label = labels.get((int) ranges.value(index));
        return new MemoryRegion(new AddressRange(ranges.first(index), ranges.last(index)), label.kind(), label.name());
    }
}
