package dev.guestcore.address;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.cpu.PageRights;
import dev.guestcore.cpu.TableTree;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.internal.memory.ExtentRegions;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Guest memory by virtual address, so that whatever works on {@link GuestMemory} works on virtual memory too.
 * Thread-safe.
 *
 * <p>A region is a {@linkplain Mapping mapped range}, named by its rights; an address that the page tables do not map
 * is a hole, one whose page tables are damaged or missing is {@link PageState#UNREADABLE}.
 */
public final class VirtualMemory implements GuestMemory {

    /** The longest list of mapped ranges that is kept. */
    public static final int MOST_REGIONS = 1 << 20;

    private final AddressSpace space;
    private volatile @Nullable ExtentRegions regions;

    VirtualMemory(AddressSpace space) {
        this.space = space;
    }

    /** The address space that this is a view of. */
    public AddressSpace addressSpace() {
        return space;
    }

    /**
     * All mapped ranges. The first call passes over all page tables; {@link AddressSpace#mappings} streams instead,
     * needs no memory, and tells whether it was stopped.
     *
     * @throws UnsupportedRequestException if there are more than {@link #MOST_REGIONS}, as damaged tables may show
     */
    @Override
    public List<MemoryRegion> regions() {
        return listed();
    }

    private ExtentRegions listed() {
        ExtentRegions ready = regions;
        if (ready == null) {
            synchronized (this) {
                ready = regions;
                if (ready == null) {
                    Extents mappings = listMappings();
                    ready = new ExtentRegions(mappings, index -> region(mappings, index));
                    regions = ready;
                }
            }
        }
        return ready;
    }

    private Extents listMappings() {
        Extents.Builder builder = new Extents.Builder(Arena.ofAuto());
        space.mappings(mapping -> {
            if (builder.count() == MOST_REGIONS) {
                throw new UnsupportedRequestException("the page tables at " + space.root() + " map more than "
                        + MOST_REGIONS + " ranges; name a smaller range");
            }
            builder.add(mapping.range().first(), mapping.range().last(), mapping.rights().bits());
        });
        return builder.build();
    }

    @Override
    public Optional<MemoryRegion> regionAt(long address) {
        return listed().at(address);
    }

    @Override
    public PageRun runAt(long address) {
        AddressSpace.Resolved resolved = space.resolve(address);
        if (resolved.outcome() == Translation.Outcome.NOT_CANONICAL) {
            return new PageRun(new AddressRange(address, lastOutside(address)), PageState.ABSENT);
        }
        if (resolved.outcome() == Translation.Outcome.ROOT_UNKNOWN) {
            return new PageRun(new AddressRange(address, lastOutside(address)), PageState.UNREADABLE);
        }
        long last = address | (1L << resolved.spanShift()) - 1;
        return switch (resolved.outcome()) {
            case MAPPED -> behind(address, last, resolved.physical());
            case NOT_PRESENT -> new PageRun(new AddressRange(address, last), PageState.ABSENT);
            case RESERVED_BITS, TABLE_UNREADABLE, NOT_CANONICAL, ROOT_UNKNOWN ->
                    new PageRun(new AddressRange(address, last), PageState.UNREADABLE);
        };
    }

    private PageRun behind(long address, long last, long physical) {
        PageRun run = space.physicalMemory().runAt(physical);
        long inRun = run.range().last() - physical;
        long inPage = last - address;
        long length = Long.compareUnsigned(inRun, inPage) < 0 ? inRun : inPage;
        return new PageRun(new AddressRange(address, address + length), run.state());
    }

    /** The last address before the next one that the mode has. */
    private long lastOutside(long address) {
        long last = -1L;
        for (TableTree tree : space.trees()) {
            long first = tree.firstOfUpperHalf();
            if (first != 0 && Long.compareUnsigned(address, first) < 0 && Long.compareUnsigned(first - 1, last) < 0) {
                last = first - 1;
            }
        }
        return last;
    }

    @Override
    public ByteOrder byteOrder() {
        return space.physicalMemory().byteOrder();
    }

    @Override
    public long readAvailable(long address, MemorySegment target) {
        long done = 0;
        long size = target.byteSize();
        while (done < size) {
            AddressSpace.Resolved start = space.resolve(address + done);
            if (start.outcome() != Translation.Outcome.MAPPED) {
                return done;
            }
            long wanted = contiguousFrom(address + done, start, size - done);
            long copied = space.physicalMemory().readAvailable(start.physical(), target.asSlice(done, wanted));
            done += copied;
            if (copied < wanted || address + done == 0) {
                return done;
            }
        }
        return done;
    }

    /** How many bytes, at most {@code limit}, follow one another behind the page tables too. */
    private long contiguousFrom(long virtual, AddressSpace.Resolved start, long limit) {
        long size = toEndOfPage(virtual, start.spanShift());
        while (size < limit && virtual + size != 0) {
            AddressSpace.Resolved next = space.resolve(virtual + size);
            if (next.outcome() != Translation.Outcome.MAPPED || next.physical() != start.physical() + size) {
                return size;
            }
            size += toEndOfPage(virtual + size, next.spanShift());
        }
        return Math.min(size, limit);
    }

    /** Without translation a span is half of all addresses, which has more bytes than a long counts. */
    private static long toEndOfPage(long virtual, int shift) {
        long behind = (1L << shift) - 1 & ~virtual;
        return behind == Long.MAX_VALUE ? Long.MAX_VALUE : behind + 1;
    }

    @Override
    public void read(long address, MemorySegment target) {
        long copied = readAvailable(address, target);
        if (copied < target.byteSize()) {
            long failed = address + copied;
            throw new VirtualAccessException(space.translate(failed), runAt(failed).state());
        }
    }

    @Override
    public Optional<MemorySegment> view(long address, long size) {
        AddressSpace.Resolved start = space.resolve(address);
        if (size <= 0
                || start.outcome() != Translation.Outcome.MAPPED
                || contiguousFrom(address, start, size) < size) {
            return Optional.empty();
        }
        return space.physicalMemory().view(start.physical(), size);
    }

    private static MemoryRegion region(Extents mappings, long index) {
        PageRights rights = PageRights.ofBits((int) mappings.value(index));
        return new MemoryRegion(ExtentRegions.range(mappings, index), MemoryRegion.Kind.RAM, rights.toString());
    }
}
