package dev.guestcore.internal.memory;

import dev.guestcore.AddressRange;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.internal.ranges.Extents;
import java.util.AbstractList;
import java.util.Objects;
import java.util.Optional;
import java.util.RandomAccess;
import java.util.function.LongFunction;

/** The regions of a memory: a table of ranges, from which each region is made when it is asked for. */
public final class ExtentRegions extends AbstractList<MemoryRegion> implements RandomAccess {

    private final Extents extents;
    private final LongFunction<MemoryRegion> region;

    /**
     * Regions with kinds or names.
     *
     * @param extents their ranges
     * @param region makes a region from the index of its range
     */
    public ExtentRegions(Extents extents, LongFunction<MemoryRegion> region) {
        this.extents = extents;
        this.region = region;
    }

    /** Regions that are all {@linkplain MemoryRegion.Kind#RAM RAM} and have no names. */
    public static ExtentRegions ram(Extents extents) {
        return new ExtentRegions(extents, index -> new MemoryRegion(range(extents, index), MemoryRegion.Kind.RAM, ""));
    }

    /** The addresses of a region. */
    public static AddressRange range(Extents extents, long index) {
        return new AddressRange(extents.first(index), extents.last(index));
    }

    /** The region that contains an address. */
    public Optional<MemoryRegion> at(long address) {
        long index = extents.floor(address);
        return extents.contains(index, address) ? Optional.of(region.apply(index)) : Optional.empty();
    }

    /** From an address that is in no range to the one before the next range. */
    public static PageRun gapAt(Extents extents, long address) {
        long next = extents.floor(address) + 1;
        long last = next < extents.count() ? extents.first(next) - 1 : -1L;
        return new PageRun(new AddressRange(address, last), PageState.ABSENT);
    }

    @Override
    public MemoryRegion get(int index) {
        return region.apply(Objects.checkIndex(index, size()));
    }

    @Override
    public int size() {
        return Math.toIntExact(extents.count());
    }
}
