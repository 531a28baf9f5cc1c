package dev.guestcore.linux.export;

import dev.guestcore.AddressRange;
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
import dev.guestcore.linux.PageKinds;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A guest some of whose pages are left out. Thread-safe. */
public final class FilteredGuest implements Guest {

    private final Guest guest;
    private final GuestMemory memory;
    private final Map<PageKinds.Kind, Long> bytes;
    private final long zeroBytes;
    private final long unknownPages;

    FilteredGuest(Guest guest, PageSet left, Map<PageKinds.Kind, Long> bytes, long zeroBytes, long unknownPages) {
        this.guest = guest;
        this.memory = new Memory(guest.memory(), left);
        this.bytes = Collections.unmodifiableMap(bytes);
        this.zeroBytes = zeroBytes;
        this.unknownPages = unknownPages;
    }

    /** Bytes that were left out, by the kind of their pages. */
    public Map<PageKinds.Kind, Long> leftOut() {
        return bytes;
    }

    /** Bytes that were left out because their pages hold zeros, and are of no kind that was left out. */
    public long zerosLeftOut() {
        return zeroBytes;
    }

    /** How many pages are kept because their kind cannot be read. */
    public long unknownPages() {
        return unknownPages;
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
    public List<Finding> findings() {
        List<Finding> findings = new ArrayList<>(guest.findings());
        bytes.forEach((kind, size) -> findings.add(Finding.note("left out as asked: " + size + " bytes of " + kind)));
        if (zeroBytes > 0) {
            findings.add(Finding.note("left out as asked: " + zeroBytes + " bytes of zeros"));
        }
        if (unknownPages > 0) {
            findings.add(
                    Finding.note("kept, because what they are used for cannot be read: " + unknownPages + " pages"));
        }
        return findings;
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

    private record Memory(GuestMemory whole, PageSet left) implements GuestMemory {

        @Override
        public List<MemoryRegion> regions() {
            return whole.regions();
        }

        @Override
        public Optional<MemoryRegion> regionAt(long address) {
            return whole.regionAt(address);
        }

        @Override
        public ByteOrder byteOrder() {
            return whole.byteOrder();
        }

        @Override
        public PageRun runAt(long address) {
            return cut(address, whole.runAt(address));
        }

        @Override
        public PageRun contentRunAt(long address) {
            return cut(address, whole.contentRunAt(address));
        }

        private PageRun cut(long address, PageRun run) {
            if (!run.state().isReadable()) {
                return run;
            }
            AddressRange alike = new AddressRange(address, left.lastAlike(address, run.range().last()));
            return new PageRun(alike, left.contains(address) ? PageState.EXCLUDED : run.state());
        }

        @Override
        public long readAvailable(long address, MemorySegment target) {
            if (left.contains(address) || target.byteSize() == 0) {
                return 0;
            }
            long last = address + (target.byteSize() - 1);
            long readable = left.lastAlike(address, Long.compareUnsigned(last, address) < 0 ? -1L : last) - address + 1;
            return whole.readAvailable(address, target.asSlice(0, readable));
        }

        @Override
        public Optional<MemorySegment> view(long address, long size) {
            boolean isWhole = size > 0 && !left.contains(address)
                    && left.lastAlike(address, address + size - 1) == address + size - 1;
            return isWhole ? whole.view(address, size) : Optional.empty();
        }
    }
}
