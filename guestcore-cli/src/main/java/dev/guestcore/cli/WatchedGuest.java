package dev.guestcore.cli;

import dev.guestcore.Finding;
import dev.guestcore.Freeze;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Provenance;
import dev.guestcore.Vcpu;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.facts.DumpFacts;
import dev.guestcore.open.Guests;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A guest that remembers whether somebody met memory that cannot be read, so that every command gives the same exit code for
 * the same damage: much of it shows only when pages are read. Thread-safe, as the guest is.
 */
final class WatchedGuest implements Guest {

    private static final long NOWHERE = -1L;

    private final Guest guest;
    private final GuestMemory memory;

    /** The lowest address that could not be read; pages begin at even addresses, so the last one is none. */
    private final AtomicLong unreadable = new AtomicLong(NOWHERE);

    private WatchedGuest(Guest guest) {
        this.guest = guest;
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

    /** What is odd or damaged; what was met since it was opened as well, unless opening told of damage already. */
    @Override
    public List<Finding> findings() {
        List<Finding> findings = guest.findings();
        long address = unreadable.get();
        if (address == NOWHERE || !Findings.damage(findings).isEmpty()) {
            return findings;
        }
        List<Finding> all = new ArrayList<>(findings);
        all.add(Finding.damage(guest.provenance().source() + ": memory cannot be read, first at guest-physical address "
                + Json.address(address) + "; info --scan says how much"));
        return List.copyOf(all);
    }

    @Override
    public Architecture architecture() {
        return guest.architecture();
    }

    @Override
    public GuestMemory memory() {
        return memory;
    }

    @Override
    public Optional<GuestMemory> machineMemory() {
        return guest.machineMemory();
    }

    @Override
    public List<Vcpu> vcpus() {
        return guest.vcpus();
    }

    @Override
    public Provenance provenance() {
        return guest.provenance();
    }

    @Override
    public List<DumpFacts> facts() {
        return guest.facts();
    }

    @Override
    public Optional<Freeze> freeze() {
        return guest.freeze();
    }

    @Override
    public void close() {
        guest.close();
    }

    private final class WatchedMemory implements GuestMemory {

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
        public List<MemoryRegion> regions() {
            return watched.regions();
        }

        @Override
        public Optional<MemoryRegion> regionAt(long address) {
            return watched.regionAt(address);
        }

        @Override
        public PageRun runAt(long address) {
            return note(watched.runAt(address));
        }

        @Override
        public PageRun contentRunAt(long address) {
            return note(watched.contentRunAt(address));
        }

        @Override
        public long readAvailable(long address, MemorySegment target) {
            long read = watched.readAvailable(address, target);
            if (read < target.byteSize()) {
                runAt(address + read);
            }
            return read;
        }

        @Override
        public Optional<MemorySegment> view(long address, long size) {
            return watched.view(address, size);
        }
    }
}
