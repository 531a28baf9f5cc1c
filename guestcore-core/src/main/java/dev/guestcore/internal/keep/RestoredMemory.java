package dev.guestcore.internal.keep;

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

/** The bytes of one memory under the regions and page states of another. */
final class RestoredMemory implements GuestMemory {

    private final GuestMemory bytes;
    private final Extents regions;
    private final List<String> names;
    private final Extents states;
    private final List<MemoryRegion> list;

    RestoredMemory(GuestMemory bytes, Extents regions, List<String> names, Extents states) {
        this.bytes = bytes;
        this.regions = regions;
        this.names = names;
        this.states = states;
        this.list = new RegionList();
    }

    @Override
    public List<MemoryRegion> regions() {
        return list;
    }

    @Override
    public Optional<MemoryRegion> regionAt(long address) {
        long index = regions.floor(address);
        return regions.contains(index, address) ? Optional.of(region(index)) : Optional.empty();
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
            return new PageRun(new AddressRange(address, before(regions, index + 1)), PageState.ABSENT);
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
        long done = 0;
        while (done < target.byteSize()) {
            PageRun run = runAt(address + done);
            if (!run.state().isReadable()) {
                break;
            }
            long lessOne = run.range().last() - run.range().first();
            long wanted = target.byteSize() - done;
            long length = Long.compareUnsigned(lessOne, wanted - 1) < 0 ? lessOne + 1 : wanted;
            long copied = bytes.readAvailable(address + done, target.asSlice(done, length));
            done += copied;
            if (copied < length || address + done == 0) {
                break;
            }
        }
        return done;
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
                new AddressRange(regions.first(index), regions.last(index)),
                KeepRecord.KINDS.get((int) value),
                names.get((int) (value >>> Integer.SIZE)));
    }

    private final class RegionList extends AbstractList<MemoryRegion> implements RandomAccess {

        @Override
        public MemoryRegion get(int index) {
            return region(Objects.checkIndex(index, size()));
        }

        @Override
        public int size() {
            return Math.toIntExact(regions.count());
        }
    }
}
