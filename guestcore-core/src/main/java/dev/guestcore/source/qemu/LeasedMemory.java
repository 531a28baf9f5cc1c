package dev.guestcore.source.qemu;

import dev.guestcore.ForwardingMemory;
import dev.guestcore.GuestMemory;
import dev.guestcore.error.CancelledException;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** Memory that must not be read any more once the guest may run again. */
final class LeasedMemory extends ForwardingMemory {

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
    protected GuestMemory memory() {
        check();
        return memory;
    }

    @Override
    public long readAvailable(long address, MemorySegment target) {
        long copied = super.readAvailable(address, target);
        // What was copied while the guest was thawed may be torn.
        check();
        return copied;
    }

    /** None: nobody could tell when it ends. */
    @Override
    public Optional<MemorySegment> view(long address, long size) {
        return Optional.empty();
    }
}
