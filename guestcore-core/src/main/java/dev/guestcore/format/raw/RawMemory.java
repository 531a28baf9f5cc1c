package dev.guestcore.format.raw;

import dev.guestcore.ForwardingMemory;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.memory.ExtentRegions;
import dev.guestcore.internal.memory.FileMemory;
import java.util.List;
import java.util.Optional;

/** The memory of a raw image with a map: bytes and states by range, kinds and names by region. */
final class RawMemory extends ForwardingMemory {

    private final FileMemory bytes;
    private final ExtentRegions regions;

    RawMemory(FileBytes file, RawMap map) {
        this.bytes = new FileMemory(file, map.ranges());
        this.regions = new ExtentRegions(map.regions(), map::region);
    }

    @Override
    protected GuestMemory memory() {
        return bytes;
    }

    @Override
    public List<MemoryRegion> regions() {
        return regions;
    }

    @Override
    public Optional<MemoryRegion> regionAt(long address) {
        return regions.at(address);
    }
}
