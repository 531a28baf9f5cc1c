package dev.guestcore.format.kdump;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.check.CappedFindings;
import dev.guestcore.internal.memory.FileMemory;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.AbstractList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.RandomAccess;

/**
 * Memory of a kdump that lies above all pages of the bitmaps: firmware below 4 GiB in a small guest. makedumpfile looks for
 * the second bitmap where it would be if the first ended with the kernel's RAM, so Guestcore leaves such memory out of the
 * bitmaps and keeps it in a record of its own ({@code docs/formats/kdump.md}, section 6).
 *
 * <pre>
 *  0  "GCBESI01"
 *  8  u64 number of ranges, little-endian like everything here
 * 16  for each range u64 guest-physical address, u64 size; ascending
 *  …  their bytes, back to back
 * </pre>
 */
final class BesideMemory implements GuestMemory {

    /** n_type of the note about the record. */
    static final long NOTE_TYPE = 2;

    private static final long MAGIC = ByteBuffer.wrap("GCBESI01".getBytes(StandardCharsets.US_ASCII))
            .order(ByteOrder.LITTLE_ENDIAN)
            .getLong();
    private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;
    private static final int HEADER = 2 * Long.BYTES;
    private static final int ENTRY = 2 * Long.BYTES;

    /** So many ranges are read at most. */
    static final int MOST_RANGES = 4096;

    private final GuestMemory pages;
    private final FileMemory beside;
    private final long boundary;

    private BesideMemory(GuestMemory pages, FileMemory beside, long boundary) {
        this.pages = pages;
        this.beside = beside;
        this.boundary = boundary;
    }

    /** What stands before the bytes of the ranges. */
    static byte[] header(List<AddressRange> ranges) {
        ByteBuffer header = ByteBuffer.allocate(HEADER + ranges.size() * ENTRY).order(ORDER);
        header.putLong(MAGIC).putLong(ranges.size());
        ranges.forEach(range -> header.putLong(range.first()).putLong(range.last() - range.first() + 1));
        return header.array();
    }

    /** Whether a record lies there. */
    static boolean isAt(FileBytes file, long offset) {
        return file.holds(offset, HEADER) && file.u64(offset, ORDER, "magic") == MAGIC;
    }

    /** The pages, and the memory beside them if there is a record of it. */
    static GuestMemory over(
            GuestMemory pages, FileBytes file, KdumpNotes notes, Arena arena, CappedFindings findings) {
        Optional<KdumpHeader.Place> record = notes.place(NOTE_TYPE);
        if (record.isEmpty()) {
            return pages;
        }
        long offset = record.get().offset();
        if (!isAt(file, offset)) {
            // makedumpfile copies the note into a file that it filters, but not what the note is about.
            findings.add(
                    Finding.note(file.name() + ": firmware that Guestcore had kept beside the pages is lost, because"
                            + " another program rewrote the file"));
            return pages;
        }
        try {
            Extents extents = read(file, offset, pages.regions(), arena);
            return extents.count() == 0
                    ? pages
                    : new BesideMemory(pages, new FileMemory(file, extents), extents.first(0));
        } catch (MalformedDumpException e) {
            findings.damage(e);
            return pages;
        }
    }

    private static Extents read(FileBytes file, long offset, List<MemoryRegion> regions, Arena arena) {
        long count = file.u64(offset + Long.BYTES, ORDER, "number of ranges beside the bitmaps");
        if (count < 0 || count > MOST_RANGES || !file.holds(offset + HEADER, count * ENTRY)) {
            throw file.malformed(offset + Long.BYTES, "number of ranges beside the bitmaps", "at most " + MOST_RANGES
                    + ", within the file", Long.toUnsignedString(count), "this memory is lost");
        }
        long behind = regions.isEmpty() ? 0 : regions.getLast().range().last() + 1;
        Extents.Builder extents = new Extents.Builder(arena);
        long data = offset + HEADER + count * ENTRY;
        for (long i = 0; i < count; i++) {
            long at = offset + HEADER + i * ENTRY;
            long address = file.u64(at, ORDER, "address beside the bitmaps");
            long size = file.u64(at + Long.BYTES, ORDER, "size beside the bitmaps");
            boolean above = Long.compareUnsigned(address, behind) >= 0;
            boolean ends = size > 0 && Long.compareUnsigned(size - 1, -1L - address) <= 0;
            if (!above || !ends || !file.holds(data, size) || !extents.add(address, address + size - 1, data)) {
                throw file.malformed(at, "range beside the bitmaps",
                        "ascending ranges above 0x" + Long.toHexString(behind) + " that lie in the file",
                        Long.toUnsignedString(size) + " bytes at guest-physical address 0x" + Long.toHexString(address),
                        "this memory is lost");
            }
            data += size;
        }
        return extents.build();
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
