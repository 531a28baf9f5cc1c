package dev.guestcore.internal.memory;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.function.LongFunction;

/** The same bytes at other addresses: a memory by machine address over one by guest-physical address. */
public final class RemappedMemory implements GuestMemory {

    private final GuestMemory bytes;
    private final Extents map;
    private final ExtentRegions regions;

    /**
     * Remaps {@code bytes}.
     *
     * @param map ranges of the new addresses; beside each the old address of its first byte
     */
    public RemappedMemory(GuestMemory bytes, Extents map) {
        this.bytes = bytes;
        this.map = map;
        this.regions = ExtentRegions.ram(map);
    }

    @Override
    public List<MemoryRegion> regions() {
        return regions;
    }

    @Override
    public Optional<MemoryRegion> regionAt(long address) {
        return regions.at(address);
    }

    @Override
    public PageRun runAt(long address) {
        return runAt(address, bytes::runAt);
    }

    @Override
    public PageRun contentRunAt(long address) {
        return runAt(address, bytes::contentRunAt);
    }

    private PageRun runAt(long address, LongFunction<PageRun> runs) {
        long index = map.floor(address);
        if (!map.contains(index, address)) {
            return ExtentRegions.gapAt(map, address);
        }
        PageRun run = runs.apply(oldAddress(index, address));
        long lessOne = run.range().last() - run.range().first();
        long toEnd = map.last(index) - address;
        long shorter = Long.compareUnsigned(lessOne, toEnd) < 0 ? lessOne : toEnd;
        return new PageRun(new AddressRange(address, address + shorter), run.state());
    }

    @Override
    public long readAvailable(long address, MemorySegment target) {
        PieceReader reader = this::readWithin;
        return reader.readAll(address, target);
    }

    private long readWithin(long address, MemorySegment target) {
        long index = map.floor(address);
        if (!map.contains(index, address)) {
            return 0;
        }
        long length = PieceReader.length(address, map.last(index), target.byteSize());
        return bytes.readAvailable(oldAddress(index, address), target.asSlice(0, length));
    }

    @Override
    public Optional<MemorySegment> view(long address, long size) {
        long index = map.floor(address);
        if (size <= 0
                || !map.contains(index, address)
                || Long.compareUnsigned(size - 1, map.last(index) - address) > 0) {
            return Optional.empty();
        }
        return bytes.view(oldAddress(index, address), size);
    }

    private long oldAddress(long index, long address) {
        return map.value(index) + (address - map.first(index));
    }
}
