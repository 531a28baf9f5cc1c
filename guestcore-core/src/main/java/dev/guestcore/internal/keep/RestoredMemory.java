package dev.guestcore.internal.keep;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.internal.memory.ExtentRegions;
import dev.guestcore.internal.memory.PieceReader;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.function.LongFunction;

/** The bytes of one memory under the regions and page states of another. */
final class RestoredMemory implements GuestMemory {

    private final GuestMemory bytes;
    private final Extents regions;
    private final List<String> names;
    private final Extents states;
    private final ExtentRegions list;

    RestoredMemory(GuestMemory bytes, Extents regions, List<String> names, Extents states) {
        this.bytes = bytes;
        this.regions = regions;
        this.names = names;
        this.states = states;
        this.list = new ExtentRegions(regions, this::region);
    }

    @Override
    public List<MemoryRegion> regions() {
        return list;
    }

    @Override
    public Optional<MemoryRegion> regionAt(long address) {
        return list.at(address);
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
        long index = regions.floor(address);
        if (!regions.contains(index, address)) {
            return ExtentRegions.gapAt(regions, address);
        }
        if (!region(index).hasContent()) {
            return new PageRun(new AddressRange(address, regions.last(index)), PageState.ABSENT);
        }
        long state = states.floor(address);
        if (states.contains(state, address)) {
            long last = lower(states.last(state), regions.last(index));
            PageState known = KeepRecord.STATES.get((int) states.value(state));
            return new PageRun(new AddressRange(address, last), known);
        }
        PageRun run = runs.apply(address);
        long last = lower(run.range().last(), lower(regions.last(index), before(states, state + 1)));
        return new PageRun(new AddressRange(address, last), run.state());
    }

    @Override
    public long readAvailable(long address, MemorySegment target) {
        PieceReader reader = this::readWithin;
        return reader.readAll(address, target);
    }

    private long readWithin(long address, MemorySegment target) {
        PageRun run = runAt(address);
        if (!run.state().isReadable()) {
            return 0;
        }
        long length = PieceReader.length(address, run.range().last(), target.byteSize());
        return bytes.readAvailable(address, target.asSlice(0, length));
    }

    @Override
    public Optional<MemorySegment> view(long address, long size) {
        PageRun run = runAt(address);
        boolean whole = size > 0 && Long.compareUnsigned(size - 1, run.range().last() - address) <= 0;
        return whole && run.state() == PageState.PRESENT ? bytes.view(address, size) : Optional.empty();
    }

    private static long before(Extents extents, long index) {
        return index < extents.count() ? extents.first(index) - 1 : -1L;
    }

    private static long lower(long left, long right) {
        return Long.compareUnsigned(left, right) <= 0 ? left : right;
    }

    private MemoryRegion region(long index) {
        long value = regions.value(index);
        return new MemoryRegion(
                ExtentRegions.range(regions, index),
                KeepRecord.KINDS.get((int) value),
                names.get((int) (value >>> Integer.SIZE)));
    }
}
