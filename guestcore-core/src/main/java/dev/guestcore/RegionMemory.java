package dev.guestcore;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** Memory that is the sum of regions, each with contents of its own. */
public final class RegionMemory implements GuestMemory {

    private final Part[] parts;
    private final List<MemoryRegion> regions;

    /**
     * A region and what is in it.
     *
     * @param region where and what
     * @param contents the bytes
     */
    public record Part(MemoryRegion region, RegionContents contents) {}

    /**
     * Puts regions together.
     *
     * @param unsorted regions in any order
     * @throws IllegalArgumentException if two of them overlap
     */
    public RegionMemory(List<Part> unsorted) {
        parts = unsorted.toArray(Part[]::new);
        Arrays.sort(parts, (left, right) -> left.region().range().compareTo(right.region().range()));
        for (int i = 1; i < parts.length; i++) {
            if (parts[i - 1].region().range().overlaps(parts[i].region().range())) {
                throw new IllegalArgumentException("memory regions overlap: " + parts[i - 1].region() + " and "
                        + parts[i].region());
            }
        }
        regions = Arrays.stream(parts).map(Part::region).toList();
    }

    @Override
    public List<MemoryRegion> regions() {
        return regions;
    }

    @Override
    public Optional<MemoryRegion> regionAt(long address) {
        int index = floor(address);
        return contains(index, address) ? Optional.of(parts[index].region()) : Optional.empty();
    }

    @Override
    public PageRun runAt(long address) {
        return runAt(address, RegionContents::runAt);
    }

    @Override
    public PageRun contentRunAt(long address) {
        return runAt(address, RegionContents::contentRunAt);
    }

    private interface Runs {
        RegionContents.Run at(RegionContents contents, long offset, long remaining);
    }

    private PageRun runAt(long address, Runs runs) {
        int index = floor(address);
        if (!contains(index, address)) {
            long last = index + 1 < parts.length ? parts[index + 1].region().range().first() - 1 : -1L;
            return new PageRun(new AddressRange(address, last), PageState.ABSENT);
        }
        AddressRange range = parts[index].region().range();
        long remaining = range.last() - address + 1;
        RegionContents.Run run = runs.at(parts[index].contents(), address - range.first(), remaining);
        return new PageRun(new AddressRange(address, address + run.size() - 1), run.state());
    }

    @Override
    public long readAvailable(long address, MemorySegment target) {
        long done = 0;
        int index = floor(address);
        while (done < target.byteSize() && contains(index, address + done)) {
            AddressRange range = parts[index].region().range();
            long offset = address + done - range.first();
            long toEnd = range.last() - (address + done);
            long wanted = target.byteSize() - done;
            long length = Long.compareUnsigned(wanted - 1, toEnd) <= 0 ? wanted : toEnd + 1;
            long copied = parts[index].contents().readAvailable(offset, target.asSlice(done, length));
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
        int index = floor(address);
        if (size <= 0 || !contains(index, address)) {
            return Optional.empty();
        }
        AddressRange range = parts[index].region().range();
        if (Long.compareUnsigned(size - 1, range.last() - address) > 0) {
            return Optional.empty();
        }
        return parts[index].contents().view(address - range.first(), size);
    }

    private boolean contains(int index, long address) {
        return index >= 0 && index < parts.length && parts[index].region().range().contains(address);
    }

    private int floor(long address) {
        int low = 0;
        int high = parts.length - 1;
        while (low <= high) {
            int middle = low + high >>> 1;
            if (Long.compareUnsigned(parts[middle].region().range().first(), address) <= 0) {
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return high;
    }
}
