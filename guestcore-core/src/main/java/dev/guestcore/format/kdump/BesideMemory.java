package dev.guestcore.format.kdump;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.format.FileBytes;
import dev.guestcore.hypervisor.ElfFacts;
import dev.guestcore.internal.CappedFindings;
import dev.guestcore.internal.memory.Extents;
import dev.guestcore.internal.memory.FileMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.AbstractList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.RandomAccess;

/**
 * Memory of a kdump that lies above all pages of the bitmaps: firmware below 4 GiB in a small guest. makedumpfile looks for
 * the second bitmap where it would be if the first ended with the kernel's RAM, so Guestcore leaves such memory out of the
 * bitmaps and says in a note of its own where it lies in the file ({@code docs/formats/kdump.md}, section 6).
 */
final class BesideMemory implements GuestMemory {

    /** n_type of the note: per range a guest-physical address, a size and a file offset, u64 each. */
    static final long NOTE_TYPE = 2;

    private static final int ENTRY = 3 * Long.BYTES;

    private final GuestMemory pages;
    private final FileMemory beside;
    private final long boundary;

    private BesideMemory(GuestMemory pages, FileMemory beside, long boundary) {
        this.pages = pages;
        this.beside = beside;
        this.boundary = boundary;
    }

    /** A range of memory beside the bitmaps. */
    record Range(long address, long size, long offset) {}

    /** The descriptor of the note, little-endian. */
    static byte[] note(List<Range> ranges) {
        ByteBuffer note = ByteBuffer.allocate(ranges.size() * ENTRY).order(ByteOrder.LITTLE_ENDIAN);
        ranges.forEach(range ->
                note.putLong(range.address()).putLong(range.size()).putLong(range.offset()));
        return note.array();
    }

    /** The pages, and the memory beside them if a note tells of any. */
    static GuestMemory over(
            GuestMemory pages, FileBytes file, List<ElfFacts.Note> ours, Arena arena, CappedFindings findings) {
        Optional<ElfFacts.Note> note =
                ours.stream().filter(own -> own.type() == NOTE_TYPE).findFirst();
        if (note.isEmpty()) {
            return pages;
        }
        List<MemoryRegion> regions = pages.regions();
        long behind = regions.isEmpty() ? 0 : regions.getLast().range().last() + 1;
        Extents.Builder extents = new Extents.Builder(arena);
        ByteBuffer entries = ByteBuffer.wrap(note.get().descriptor()).order(ByteOrder.LITTLE_ENDIAN);
        while (entries.remaining() >= ENTRY) {
            long address = entries.getLong();
            long size = entries.getLong();
            long offset = entries.getLong();
            boolean above = Long.compareUnsigned(address, behind) >= 0;
            boolean ends = size > 0 && Long.compareUnsigned(size - 1, -1L - address) <= 0;
            if (!above || !ends || !file.holds(offset, size) || !extents.add(address, address + size - 1, offset)) {
                findings.damage(file.malformed(
                        offset,
                        "note of Guestcore about memory beside the bitmaps",
                        "ascending ranges above 0x" + Long.toHexString(behind) + " that lie in the file",
                        Long.toUnsignedString(size) + " bytes at guest-physical address 0x" + Long.toHexString(address),
                        "this memory is lost"));
                break;
            }
        }
        if (extents.count() == 0) {
            return pages;
        }
        return new BesideMemory(pages, new FileMemory(file, extents.build()), extents.first(0));
    }

    private GuestMemory part(long address) {
        return Long.compareUnsigned(address, boundary) < 0 ? pages : beside;
    }

    @Override
    public List<MemoryRegion> regions() {
        return new Regions(pages.regions(), beside.regions());
    }

    @Override
    public Optional<MemoryRegion> regionAt(long address) {
        return part(address).regionAt(address);
    }

    @Override
    public PageRun runAt(long address) {
        PageRun run = part(address).runAt(address);
        boolean crosses = Long.compareUnsigned(address, boundary) < 0
                && Long.compareUnsigned(run.range().last(), boundary) >= 0;
        return crosses ? new PageRun(new AddressRange(address, boundary - 1), run.state()) : run;
    }

    @Override
    public long readAvailable(long address, MemorySegment target) {
        long done = part(address).readAvailable(address, target);
        boolean reachesBoundary = done < target.byteSize() && done > 0 && address + done == boundary;
        return reachesBoundary ? done + beside.readAvailable(boundary, target.asSlice(done)) : done;
    }

    @Override
    public Optional<MemorySegment> view(long address, long size) {
        return part(address).view(address, size);
    }

    private static final class Regions extends AbstractList<MemoryRegion> implements RandomAccess {

        private final List<MemoryRegion> low;
        private final List<MemoryRegion> high;

        Regions(List<MemoryRegion> low, List<MemoryRegion> high) {
            this.low = low;
            this.high = high;
        }

        @Override
        public MemoryRegion get(int index) {
            Objects.checkIndex(index, size());
            return index < low.size() ? low.get(index) : high.get(index - low.size());
        }

        @Override
        public int size() {
            return low.size() + high.size();
        }
    }
}
