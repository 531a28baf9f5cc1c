package dev.guestcore;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;

/** Memory of a guest whose byte order is known. */
record OrderedMemory(GuestMemory memory, ByteOrder byteOrder) implements GuestMemory {

    @Override
    public List<MemoryRegion> regions() {
        return memory.regions();
    }

    @Override
    public Optional<MemoryRegion> regionAt(long address) {
        return memory.regionAt(address);
    }

    @Override
    public PageRun runAt(long address) {
        return memory.runAt(address);
    }

    @Override
    public PageRun contentRunAt(long address) {
        return memory.contentRunAt(address);
    }

    @Override
    public long readAvailable(long address, MemorySegment target) {
        return memory.readAvailable(address, target);
    }

    @Override
    public Optional<MemorySegment> view(long address, long size) {
        return memory.view(address, size);
    }
}
