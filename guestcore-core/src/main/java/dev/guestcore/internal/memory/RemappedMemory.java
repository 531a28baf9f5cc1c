package dev.guestcore.internal.memory;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.MemorySegment;
import java.util.AbstractList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.RandomAccess;
import java.util.function.LongFunction;

/** The same bytes at other addresses: a memory by machine address over one by guest-physical address. */
public final class RemappedMemory implements GuestMemory {

    private final GuestMemory bytes;
    private final Extents map;
    private final List<MemoryRegion> regions = new RegionList();

    /**
     * Remaps {@code bytes}.
     *
     * @param map ranges of the new addresses; beside each the old address of its first byte
     */
    public RemappedMemory(GuestMemory bytes, Extents map) {
        this.bytes = bytes;
        this.map = map;
    }

    @Override
    public List<MemoryRegion> regions() {
        return regions;
    }

    @Override
    public Optional<MemoryRegion> regionAt(long address) {
        long index = map.floor(address);
        return map.contains(index, address) ? Optional.of(region(index)) : Optional.empty();
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
            long last = index + 1 < map.count() ? map.first(index + 1) - 1 : -1L;
            return new PageRun(new AddressRange(address, last), PageState.ABSENT);
        }
        PageRun run = runs.apply(oldAddress(index, address));
        long lessOne = run.range().last() - run.range().first();
        long toEnd = map.last(index) - address;
        long shorter = Long.compareUnsigned(lessOne, toEnd) < 0 ? lessOne : toEnd;
        return new PageRun(new AddressRange(address, address + shorter), run.state());
    }

    @Override
    public long readAvailable(long address, MemorySegment target) {
        long done = 0;
        long index = map.floor(address);
        while (done < target.byteSize() && map.contains(index, address + done)) {
            long from = address + done;
            long toEnd = map.last(index) - from;
            long wanted = target.byteSize() - done;
            long length = Long.compareUnsigned(toEnd, wanted - 1) < 0 ? toEnd + 1 : wanted;
            long copied = bytes.readAvailable(oldAddress(index, from), target.asSlice(done, length));
            done += copied;
            if (copied < length || address + done == 0) {
                break;
            }
            index++;
        }
        return done;
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

    private MemoryRegion region(long index) {
        return new MemoryRegion(new AddressRange(map.first(index), map.last(index)), MemoryRegion.Kind.RAM, "");
    }

    private final class RegionList extends AbstractList<MemoryRegion> implements RandomAccess {

        @Override
        public MemoryRegion get(int index) {
            return region(Objects.checkIndex(index, size()));
        }

        @Override
        public int size() {
            return Math.toIntExact(map.count());
        }
    }
}
