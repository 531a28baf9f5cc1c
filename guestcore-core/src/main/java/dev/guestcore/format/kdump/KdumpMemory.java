package dev.guestcore.format.kdump;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.memory.ExtentRegions;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.atomic.AtomicLongArray;
import org.jspecify.annotations.Nullable;

/**
 * Memory of a kdump: page by page compressed, in one file or a split set. Threads read and decompress side by side, each
 * with a scratch of its own.
 */
final class KdumpMemory implements GuestMemory {

    private static final int BATCH_PAGES = 64;
    private static final long LARGEST_INPUT = 1 << 20;

    private final int pageSize;
    private final int pageShift;
    private final boolean isBigEndian;
    private final List<Part> parts;
    private final PageBitmap stored;
    private final Extents regions;
    private final ExtentRegions list;
    private final DamagedPages damaged;
    private final ConcurrentLinkedDeque<Scratch> scratches = new ConcurrentLinkedDeque<>();

    /**
     * One file of a set.
     *
     * @param file holds descriptors and pages
     * @param descriptorsOffset where its first descriptor lies
     * @param firstPfn first page frame that it holds
     * @param endPfn page frame behind the last
     * @param firstRank how many stored pages come before {@code firstPfn}
     * @param wholeEndPfn where the file ends within the descriptors, the first stored page frame that has none in it;
     *     else {@code endPfn}
     */
    record Part(
            FileBytes file, long descriptorsOffset, long firstPfn, long endPfn, long firstRank, long wholeEndPfn) {}

    /**
     * Puts the memory together.
     *
     * @param header of any part; they agree in what matters here
     * @param parts ascending by page frame, not overlapping
     * @param stored pages that have a descriptor
     * @param regions runs of pages that exist, by address
     */
    KdumpMemory(KdumpHeader header, List<Part> parts, PageBitmap stored, Extents regions) {
        this.pageSize = header.blockSize();
        this.pageShift = Integer.numberOfTrailingZeros(pageSize);
        this.isBigEndian = header.order() == ByteOrder.BIG_ENDIAN;
        this.parts = List.copyOf(parts);
        this.stored = stored;
        this.regions = regions;
        this.list = ExtentRegions.ram(regions);
        this.damaged = new DamagedPages();
    }

    List<Part> parts() {
        return parts;
    }

    @Override
    public List<MemoryRegion> regions() {
        return list;
    }

    @Override
    public Optional<MemoryRegion> regionAt(long address) {
        return list.at(address);
    }

    @Override
    public PageRun runAt(long address) {
        long index = regions.floor(address);
        if (!regions.contains(index, address)) {
            return ExtentRegions.gapAt(regions, address);
        }
        long end = (regions.last(index) >>> pageShift) + 1;
        return runAt(address, end);
    }

    /** The run from {@code address} on, within its region, up to page frame {@code end} at most. */
    private PageRun runAt(long address, long end) {
        long pfn = address >>> pageShift;
        if (!stored.get(pfn)) {
            return run(address, stored.next(pfn, true, end), PageState.EXCLUDED);
        }
        Part part = partOf(pfn);
        if (part == null) {
            long partEnd = nextPart(pfn, end);
            return run(address, stored.next(pfn, false, partEnd), PageState.UNREADABLE);
        }
        long partEnd = Math.min(end, part.endPfn());
        if (pfn >= part.wholeEndPfn()) {
            return run(address, stored.next(pfn, false, partEnd), PageState.UNREADABLE);
        }
        long presentEnd = stored.next(pfn, false, Math.min(partEnd, part.wholeEndPfn()));
        // Asked once: another thread may find the page damaged at any time.
        long damagedPfn = damaged.firstIn(pfn, presentEnd);
        return damagedPfn == pfn
                ? run(address, pfn + 1, PageState.UNREADABLE)
                : run(address, damagedPfn, PageState.PRESENT);
    }

    private PageRun run(long address, long endPfn, PageState state) {
        return new PageRun(new AddressRange(address, (endPfn << pageShift) - 1), state);
    }

    private @Nullable Part partOf(long pfn) {
        for (Part part : parts) {
            if (pfn >= part.firstPfn() && pfn < part.endPfn()) {
                return part;
            }
        }
        return null;
    }

    private long nextPart(long pfn, long limit) {
        return parts.stream()
                .mapToLong(Part::firstPfn)
                .filter(first -> first > pfn)
                .reduce(limit, Math::min);
    }

    @Override
    public long readAvailable(long address, MemorySegment target) {
        Scratch scratch = scratches.pollFirst();
        if (scratch == null) {
            scratch = new Scratch(pageSize, isBigEndian);
        }
        try {
            long done = 0;
            while (done < target.byteSize()) {
                long at = address + done;
                long wanted = target.byteSize() - done;
                long index = regions.floor(at);
                if (!regions.contains(index, at)) {
                    break;
                }
                // Looking no further than asked for: the run may be as long as the memory.
                long behind = regions.last(index) - at;
                long last = at + (Long.compareUnsigned(behind, wanted) < 0 ? behind : wanted - 1);
                PageRun run = runAt(at, (last >>> pageShift) + 1);
                if (run.state() != PageState.PRESENT) {
                    break;
                }
                long length = Math.min(run.range().last() - at + 1, wanted);
                long copied = readPresent(at, target.asSlice(done, length), scratch);
                done += copied;
                if (copied < length) {
                    break;
                }
            }
            return done;
        } finally {
            scratches.addFirst(scratch);
        }
    }

    /** Reads stored pages of one part. */
    private long readPresent(long address, MemorySegment target, Scratch scratch) {
        Part part = Objects.requireNonNull(partOf(address >>> pageShift));
        long done = 0;
        while (done < target.byteSize()) {
            long at = address + done;
            long pfn = at >>> pageShift;
            int within = (int) (at & pageSize - 1);
            long left = target.byteSize() - done;
            if (within != 0 || left < pageSize) {
                long length = Math.min(left, pageSize - within);
                if (scratch.pagePfn != pfn && !decodeAlone(part, pfn, scratch)) {
                    return done;
                }
                MemorySegment.copy(scratch.page, within, target, done, length);
                done += length;
            } else {
                int pages = (int) Math.min(BATCH_PAGES, left >>> pageShift);
                int decoded = decodeBatch(part, pfn, pages, target.asSlice(done, (long) pages << pageShift), scratch);
                done += (long) decoded << pageShift;
                if (decoded < pages) {
                    return done;
                }
            }
        }
        return done;
    }

    private boolean decodeAlone(Part part, long pfn, Scratch scratch) {
        scratch.pagePfn = -1;
        if (decodeBatch(part, pfn, 1, scratch.page, scratch) == 0) {
            return false;
        }
        scratch.pagePfn = pfn;
        return true;
    }

    /** Decodes consecutive stored pages; gives how many came out whole before the first that did not. */
    private int decodeBatch(Part part, long pfn, int pages, MemorySegment target, Scratch scratch) {
        long descriptor = part.descriptorsOffset()
                + (stored.rank(pfn) - part.firstRank()) * KdumpLayout.DESCRIPTOR;
        MemorySegment descriptors = scratch.descriptors.asSlice(0, (long) pages * KdumpLayout.DESCRIPTOR);
        int known = (int) (part.file().read(descriptor, descriptors) / KdumpLayout.DESCRIPTOR);
        scratch.inputEnd = 0;
        scratch.inputStart = 0;
        int done = 0;
        while (done < known) {
            MemorySegment rest = target.asSlice((long) done << pageShift);
            int plain = plainPages(part.file(), done, known, scratch);
            if (plain > 1) {
                int whole = readPlain(part.file(), done, plain, rest, scratch);
                done += whole;
                if (whole < plain) {
                    damaged.add(pfn + done);
                    return done;
                }
            } else if (decode(part.file(), done, known, rest.asSlice(0, pageSize), scratch)) {
                done++;
            } else {
                damaged.add(pfn + done);
                return done;
            }
        }
        if (known < pages) {
            damaged.add(pfn + known);
        }
        return known;
    }

    /** How many pages from {@code index} on are stored as they are, each behind the one before. */
    private int plainPages(FileBytes file, int index, int known, Scratch scratch) {
        long offset = scratch.offset(index);
        int next = index;
        while (next < known
                && scratch.flags(next) == PageCodec.NONE.flag()
                && scratch.size(next) == pageSize
                && scratch.offset(next) == offset + ((long) (next - index) << pageShift)) {
            next++;
        }
        return file.holds(offset, (long) (next - index) << pageShift) ? next - index : 0;
    }

    /** Reads pages that are stored as they are to where they belong; gives how many came whole. */
    private int readPlain(FileBytes file, int index, int pages, MemorySegment target, Scratch scratch) {
        scratch.latestOffset = scratch.offset(index + pages - 1);
        return (int) (file.read(scratch.offset(index), target.asSlice(0, (long) pages << pageShift)) >>> pageShift);
    }

    private boolean decode(FileBytes file, int index, int known, MemorySegment target, Scratch scratch) {
        long offset = scratch.offset(index);
        long size = scratch.size(index);
        PageCodec codec = PageCodec.ofFlags(scratch.flags(index)).orElse(null);
        if (codec == null || size == 0 || size > pageSize || !file.holds(offset, size)) {
            return false;
        }
        if (offset == scratch.repeatedOffset && size == scratch.repeatedSize
                && codec == scratch.repeatedCodec && file == scratch.repeatedFile) {
            target.copyFrom(scratch.repeatedPage);
            return true;
        }
        if (offset < scratch.inputStart || offset + size > scratch.inputEnd) {
            fillInput(file, index, known, offset, size, scratch);
            if (offset + size > scratch.inputEnd) {
                return false;
            }
        }
        MemorySegment source = scratch.input.asSlice(offset - scratch.inputStart, size);
        PageCodec.Decoder decoder = scratch.decoders.computeIfAbsent(codec, PageCodec::decoder);
        boolean direct = target.isNative();
        MemorySegment page = direct ? target : scratch.bounce;
        if (!decoder.decode(source, page)) {
            return false;
        }
        if (!direct) {
            target.copyFrom(page);
        }
        // Writers give all zero pages one place in the file: a step back is worth remembering.
        if (offset < scratch.latestOffset) {
            scratch.repeatedFile = file;
            scratch.repeatedCodec = codec;
            scratch.repeatedSize = size;
            scratch.repeatedOffset = offset;
            scratch.repeatedPage.copyFrom(page);
        }
        scratch.latestOffset = offset;
        return true;
    }

    /** Reads the compressed pages that follow each other in the file in one go. */
    private void fillInput(FileBytes file, int index, int known, long offset, long size, Scratch scratch) {
        long end = offset + size;
        for (int next = index + 1; next < known; next++) {
            long nextOffset = scratch.offset(next);
            long nextSize = scratch.size(next);
            if (nextOffset == end && nextSize <= pageSize && end + nextSize - offset <= scratch.input.byteSize()) {
                end += nextSize;
            }
        }
        scratch.inputStart = offset;
        scratch.inputEnd = offset + file.read(offset, scratch.input.asSlice(0, end - offset));
    }

    /** Buffers and codecs of one thread. */
    private static final class Scratch {

        /** Always this order, since a layout that is no constant costs more than turning the bytes round. */
        private static final ValueLayout.OfLong U64 =
                ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

        private static final ValueLayout.OfInt U32 =
                ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

        private final boolean isBigEndian;
        private final Arena arena = Arena.ofAuto();
        private final MemorySegment descriptors = arena.allocate((long) BATCH_PAGES * KdumpLayout.DESCRIPTOR, 8);
        private final MemorySegment input;
        private final MemorySegment page;
        private final MemorySegment bounce;
        private final MemorySegment repeatedPage;
        private final Map<PageCodec, PageCodec.Decoder> decoders = new EnumMap<>(PageCodec.class);
        private long inputStart;
        private long inputEnd;
        private long pagePfn = -1;
        private long latestOffset;
        private @Nullable FileBytes repeatedFile;
        private @Nullable PageCodec repeatedCodec;
        private long repeatedSize;
        private long repeatedOffset = -1;

        Scratch(int pageSize, boolean isBigEndian) {
            this.isBigEndian = isBigEndian;
            input = arena.allocate(Math.max(LARGEST_INPUT, pageSize), 64);
            page = arena.allocate(pageSize, 64);
            bounce = arena.allocate(pageSize, 64);
            repeatedPage = arena.allocate(pageSize, 64);
        }

        long offset(int index) {
            long value = descriptors.get(U64, (long) index * KdumpLayout.DESCRIPTOR);
            return isBigEndian ? Long.reverseBytes(value) : value;
        }

        long size(int index) {
            return u32((long) index * KdumpLayout.DESCRIPTOR + Long.BYTES);
        }

        long flags(int index) {
            return u32((long) index * KdumpLayout.DESCRIPTOR + Long.BYTES + Integer.BYTES);
        }

        private long u32(long at) {
            int value = descriptors.get(U32, at);
            return Integer.toUnsignedLong(isBigEndian ? Integer.reverseBytes(value) : value);
        }
    }

    /** Pages that turned out damaged when they were read: a bit each, but only where there are any. */
    private static final class DamagedPages {

        private static final int SHIFT = 16;
        private final Map<Long, AtomicLongArray> chunks = new ConcurrentHashMap<>();

        long firstIn(long pfn, long end) {
            long at = chunks.isEmpty() ? end : pfn;
            while (at < end) {
                AtomicLongArray chunk = chunks.get(at >>> SHIFT);
                if (chunk == null) {
                    at = (at >>> SHIFT) + 1 << SHIFT;
                    continue;
                }
                long candidates = chunk.get(word(at)) >>> at;
                if (candidates != 0) {
                    return Math.min(end, at + Long.numberOfTrailingZeros(candidates));
                }
                at = (at | Long.SIZE - 1) + 1;
            }
            return end;
        }

        void add(long pfn) {
            AtomicLongArray chunk =
                    chunks.computeIfAbsent(pfn >>> SHIFT, unused -> new AtomicLongArray(1 << SHIFT - 6));
            chunk.accumulateAndGet(word(pfn), 1L << pfn, (old, bit) -> old | bit);
        }

        private static int word(long pfn) {
            return (int) (pfn & (1 << SHIFT) - 1) >>> 6;
        }
    }
}
