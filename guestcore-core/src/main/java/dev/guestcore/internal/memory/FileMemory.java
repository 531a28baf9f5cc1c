package dev.guestcore.internal.memory;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.function.LongUnaryOperator;

/**
 * Memory that lies uncompressed in a file: a table of ranges, each at one file offset. Heap use does not depend on the
 * number of ranges. What the file should hold behind its end is {@link PageState#UNREADABLE}, and what its disk cannot give,
 * once that was tried.
 */
public final class FileMemory implements GuestMemory {

    /** Beside a range, instead of a file offset: the file stores nothing for it, it is a device. */
    public static final long DEVICE = -1L;

    /** Beside a range, instead of a file offset: whoever made the dump left the content out. */
    public static final long EXCLUDED = -2L;

    /** Beside a range, instead of a file offset: the content should be there but lies nowhere in the file. */
    public static final long UNREADABLE = -3L;

    /** Beside a range, instead of a file offset: known to be zero and not stored. */
    public static final long ZERO = -4L;

    private static final long PAGE = Architecture.SMALLEST_PAGE;

    private final FileBytes file;
    private final Extents extents;
    private final LongUnaryOperator storedBytes;
    private final ExtentRegions regions;

    /**
     * Puts the memory together.
     *
     * @param file holds the bytes
     * @param extents guest-physical ranges; beside each its file offset or one of the marks above. Each is one region.
     */
    public FileMemory(FileBytes file, Extents extents) {
        this(file, extents, extents, index -> -1L);
    }

    /**
     * Puts the memory together where neighbouring ranges are one region, because they differ only in whether they are
     * stored.
     *
     * @param file holds the bytes
     * @param extents guest-physical ranges; beside each its file offset or one of the marks above but {@link #DEVICE}
     * @param arena how long the table of regions lives
     */
    public static FileMemory joined(FileBytes file, Extents extents, Arena arena) {
        Extents.Builder regions = new Extents.Builder(arena);
        for (long i = 0; i < extents.count(); i++) {
            if (i > 0 && extents.last(i - 1) + 1 == extents.first(i)) {
                regions.extendLast(extents.last(i));
            } else {
                regions.add(extents.first(i), extents.last(i), 0);
            }
        }
        return new FileMemory(file, extents, regions.build(), index -> -1L);
    }

    /**
     * Puts the memory together where a writer stored less than its table says.
     *
     * @param file holds the bytes
     * @param extents guest-physical ranges; beside each its file offset or {@link #DEVICE}. Each is one region.
     * @param storedBytes by index of a range: how many bytes from its start the file really holds, unsigned; what follows
     *     is {@link PageState#UNREADABLE}
     */
    public FileMemory(FileBytes file, Extents extents, LongUnaryOperator storedBytes) {
        this(file, extents, extents, storedBytes);
    }

    private FileMemory(FileBytes file, Extents extents, Extents regionExtents, LongUnaryOperator storedBytes) {
        this.file = file;
        this.extents = extents;
        this.storedBytes = storedBytes;
        this.regions = new ExtentRegions(regionExtents, index -> region(regionExtents, index));
    }

    @Override
    public List<MemoryRegion> regions() {
        return regions;
    }

    @Override
    public Optional<MemoryRegion> regionAt(long address) {
        return regions.at(address);
    }

    @Override
    public PageRun runAt(long address) {
        long index = extents.floor(address);
        if (!extents.contains(index, address)) {
            return ExtentRegions.gapAt(extents, address);
        }
        long last = extents.last(index);
        if (extents.value(index) < 0) {
            return new PageRun(new AddressRange(address, last), stateOf(extents.value(index)));
        }
        long stored = storedFrom(index, address);
        if (stored == 0) {
            return new PageRun(new AddressRange(address, last), PageState.UNREADABLE);
        }
        long offset = extents.value(index) + (address - extents.first(index));
        long readable = file.readableFrom(offset, stored);
        if (readable == 0) {
            long lost = file.unreadableFrom(offset, stored);
            return new PageRun(new AddressRange(address, address + lost - 1), PageState.UNREADABLE);
        }
        return new PageRun(new AddressRange(address, address + readable - 1), PageState.PRESENT);
    }

    @Override
    public PageRun contentRunAt(long address) {
        PageRun run = runAt(address);
        if (run.state() != PageState.PRESENT) {
            return run;
        }
        long runLast = run.range().last();
        long index = extents.floor(address);
        long offset = extents.value(index) + (address - extents.first(index));
        FileBytes.StoredRun stored = file.storedAt(offset, runLast - address + 1);
        long last = address + (stored.size() - 1);
        if (last != runLast) {
            last = stored.hole() ? (last + 1 & -PAGE) - 1 : lower(last | PAGE - 1, runLast);
        }
        return new PageRun(new AddressRange(address, last), stored.hole() ? PageState.ZERO : PageState.PRESENT);
    }

    private static long lower(long left, long right) {
        return Long.compareUnsigned(left, right) <= 0 ? left : right;
    }

    @Override
    public long readAvailable(long address, MemorySegment target) {
        long done = 0;
        long index = extents.floor(address);
        while (done < target.byteSize() && extents.contains(index, address + done)) {
            long from = address + done;
            boolean zero = extents.value(index) == ZERO;
            if (extents.value(index) < 0 && !zero) {
                break;
            }
            long available = zero ? upTo(extents.last(index) - from) : storedFrom(index, from);
            long length = Math.min(available, target.byteSize() - done);
            if (length == 0) {
                break;
            }
            long offset = extents.value(index) + (from - extents.first(index));
            MemorySegment part = length == target.byteSize() ? target : target.asSlice(done, length);
            if (zero) {
                part.fill((byte) 0);
            } else {
                long count = file.read(offset, part);
                if (count < length) {
                    if (file.unreadableFrom(offset + count, 1) == 0) {
                        throw file.incomplete(offset + count);
                    }
                    return done + count;
                }
            }
            done += length;
            if (done == target.byteSize() || address + done == 0) {
                break;
            }
            index = extents.floor(address + done);
        }
        return done;
    }

    @Override
    public Optional<MemorySegment> view(long address, long size) {
        long index = extents.floor(address);
        if (size <= 0
                || !extents.contains(index, address)
                || extents.value(index) < 0
                || storedFrom(index, address) < size) {
            return Optional.empty();
        }
        long offset = extents.value(index) + (address - extents.first(index));
        return file.view(offset, size, "memory at 0x" + Long.toHexString(address));
    }

    /** How many bytes from {@code address} to the end of its range lie inside the file. */
    private long storedFrom(long index, long address) {
        long into = address - extents.first(index);
        long available = Math.max(0, file.size() - extents.value(index));
        long stored = storedBytes.applyAsLong(index);
        if (Long.compareUnsigned(stored, available) < 0) {
            available = stored;
        }
        if (Long.compareUnsigned(into, available) >= 0) {
            return 0;
        }
        long toEnd = extents.last(index) - address;
        long left = available - into;
        return Long.compareUnsigned(toEnd, left - 1) < 0 ? toEnd + 1 : left;
    }

    /** A size from one less than it, at most 2^63 - 1. */
    private static long upTo(long lessOne) {
        return lessOne < 0 || lessOne == Long.MAX_VALUE ? Long.MAX_VALUE : lessOne + 1;
    }

    private static PageState stateOf(long mark) {
        if (mark == EXCLUDED) {
            return PageState.EXCLUDED;
        }
        if (mark == ZERO) {
            return PageState.ZERO;
        }
        return mark == UNREADABLE ? PageState.UNREADABLE : PageState.ABSENT;
    }

    private static MemoryRegion region(Extents extents, long index) {
        MemoryRegion.Kind kind = extents.value(index) == DEVICE ? MemoryRegion.Kind.DEVICE : MemoryRegion.Kind.RAM;
        return new MemoryRegion(ExtentRegions.range(extents, index), kind, "");
    }
}
