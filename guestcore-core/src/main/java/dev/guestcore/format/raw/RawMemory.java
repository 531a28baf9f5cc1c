package dev.guestcore.format.raw;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.memory.FileMemory;
import java.lang.foreign.MemorySegment;
import java.util.AbstractList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.RandomAccess;

/** The memory of a raw image with a map: bytes and states by range, kinds and names by region. */
final class RawMemory implements GuestMemory {

    private final FileMemory bytes;
    private final RawMap map;
    private final List<MemoryRegion> regions;

    RawMemory(FileBytes file, RawMap map) {
        this.bytes = new FileMemory(file, map.ranges());
        this.map = map;
        this.regions = new RegionList(map);
    }

    @Override
    public List<MemoryRegion> regions() {
        return regions;
    }

    @Override
    public Optional<MemoryRegion> regionAt(long address) {
        long index = map.regions().floor(address);
        return map.regions().contains(index, address) ? Optional.of(map.region(index)) : Optional.empty();
    }

    @Override
    public PageRun runAt(long address) {
        return bytes.runAt(address);
    }

    @Override
    public PageRun contentRunAt(long address) {
        return bytes.contentRunAt(address);
    }

    @Override
    public long readAvailable(long address, MemorySegment target) {
        return bytes.readAvailable(address, target);
    }

    @Override
    public Optional<MemorySegment> view(long address, long size) {
        return bytes.view(address, size);
    }

    private static final class RegionList extends AbstractList<MemoryRegion> implements RandomAccess {

        private final RawMap map;

        RegionList(RawMap map) {
            this.map = map;
        }

        @Override
        public MemoryRegion get(int index) {
            return map.region(Objects.checkIndex(index, size()));
        }

        @Override
        public int size() {
            return Math.toIntExact(map.regions().count());
        }
    }
}
