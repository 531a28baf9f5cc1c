package dev.guestcore.source.qemu;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.error.CancelledException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/** Memory that must not be read any more once the guest may run again. */
final class LeasedMemory implements GuestMemory {

    private final GuestMemory memory;
    private volatile boolean ended;
    private volatile boolean revoked;

    /** Lends out {@code memory}. */
    LeasedMemory(GuestMemory memory) {
        this.memory = memory;
    }

    /** Ends the lease by the guest's close, also for reads that are under way in other threads. */
    void end() {
        ended = true;
    }

    /** Ends the lease because the guest is going to run: whoever still reads is cancelled. */
    void revoke() {
        revoked = true;
    }

    private void check() {
        if (ended) {
            throw new IllegalStateException("the guest is closed and may run again");
        }
        if (revoked) {
            throw new CancelledException();
        }
    }

    @Override
    public List<MemoryRegion> regions() {
        check();
        return memory.regions();
    }

    @Override
    public Optional<MemoryRegion> regionAt(long address) {
        check();
        return memory.regionAt(address);
    }

    @Override
    public PageRun runAt(long address) {
        check();
        return memory.runAt(address);
    }

    @Override
    public long readAvailable(long address, MemorySegment target) {
        check();
        long copied = memory.readAvailable(address, target);
        // What was copied while the guest was thawed may be torn.
        check();
        return copied;
    }
}
