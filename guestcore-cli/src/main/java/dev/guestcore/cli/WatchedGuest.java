package dev.guestcore.cli;

import dev.guestcore.Finding;
import dev.guestcore.ForwardingGuest;
import dev.guestcore.ForwardingMemory;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.json.Json;
import dev.guestcore.open.Guests;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A guest that remembers whether somebody met memory that cannot be read, so that every command gives the same exit code for
 * the same damage: much of it shows only when pages are read. Thread-safe, as the guest is.
 */
final class WatchedGuest extends ForwardingGuest {

    private static final long NOWHERE = -1L;

    private final GuestMemory memory;

    /** The lowest address that could not be read; pages begin at even addresses, so the last one is none. */
    private final AtomicLong unreadable = new AtomicLong(NOWHERE);

    private WatchedGuest(Guest guest) {
        super(guest);
        this.memory = new WatchedMemory(guest.memory());
    }

    /** Opens a guest; see {@link Guests#open(String)}. */
    static WatchedGuest open(String source) {
        return new WatchedGuest(Guests.open(source));
    }

    /** Watches a guest that is open already. */
    static WatchedGuest of(Guest guest) {
        return new WatchedGuest(guest);
    }

    /** The findings; those met since it was opened as well, unless opening told of damage already. */
    @Override
    public List<Finding> findings() {
        List<Finding> findings = super.findings();
        long address = unreadable.get();
        if (address == NOWHERE || !Findings.damage(findings).isEmpty()) {
            return findings;
        }
        List<Finding> all = new ArrayList<>(findings);
        all.add(Finding.damage(provenance().source() + ": memory cannot be read, first at guest-physical address "
                + Json.address(address) + "; info --scan says how much"));
        return List.copyOf(all);
    }

    @Override
    public GuestMemory memory() {
        return memory;
    }

    private final class WatchedMemory extends ForwardingMemory {

        private final GuestMemory watched;

        WatchedMemory(GuestMemory watched) {
            this.watched = watched;
        }

        private PageRun note(PageRun run) {
            if (run.state() == PageState.UNREADABLE) {
                note(run.range().first());
            }
            return run;
        }

        private void note(long address) {
            unreadable.accumulateAndGet(
                    address, (known, found) -> Long.compareUnsigned(known, found) <= 0 ? known : found);
        }

        @Override
        protected GuestMemory memory() {
            return watched;
        }

        @Override
        public PageRun runAt(long address) {
            return note(super.runAt(address));
        }

        @Override
        public PageRun contentRunAt(long address) {
            return note(super.contentRunAt(address));
        }

        @Override
        public long readAvailable(long address, MemorySegment target) {
            long read = super.readAvailable(address, target);
            if (read < target.byteSize()) {
                runAt(address + read);
            }
            return read;
        }
    }
}
