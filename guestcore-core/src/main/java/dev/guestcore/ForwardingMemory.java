package dev.guestcore;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;

/**
 * Memory that passes every call on to another one, for those that change little of it. As thread-safe as the other one.
 *
 * <p>Numbers and texts are read by {@link #readAvailable} of this object: whoever overrides that changes them too.
 */
public abstract class ForwardingMemory implements GuestMemory {

    /** Passes on to what {@link #memory} gives. */
    protected ForwardingMemory() {}

    /** The memory that calls are passed on to; asked again for each call. */
    protected abstract GuestMemory memory();

    @Override
    public List<MemoryRegion> regions() {
        return memory().regions();
    }

    @Override
    public Optional<MemoryRegion> regionAt(long address) {
        return memory().regionAt(address);
    }

    @Override
    public PageRun runAt(long address) {
        return memory().runAt(address);
    }

    @Override
    public PageRun contentRunAt(long address) {
        return memory().contentRunAt(address);
    }

    @Override
    public long readAvailable(long address, MemorySegment target) {
        return memory().readAvailable(address, target);
    }

    @Override
    public ByteOrder byteOrder() {
        return memory().byteOrder();
    }

    @Override
    public Optional<MemorySegment> view(long address, long size) {
        return memory().view(address, size);
    }
}
