package dev.guestcore.linux.export;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.error.UnsupportedRequestException;
import java.lang.foreign.MemorySegment;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** A set of pages of memory, one bit each; takes 32 KiB for each GiB that has any. Safe for use by several threads once filled. */
final class PageSet {

    static final int PAGE = 4096;
    private static final int PAGE_SHIFT = 12;
    private static final int WORD_SHIFT = 6;

    /** Pages of a block of bits, as a power of two. */
    private static final int BLOCK_SHIFT = 15;

    private static final int BLOCK_PAGES = 1 << BLOCK_SHIFT;
    private static final int CHUNK = 1 << 20;

    /** 2 TiB of memory. */
    private static final int MOST_BLOCKS = 1 << 14;

    private final NavigableMap<Long, long[]> blocks = new TreeMap<>();

    /** Bytes of memory that have content; 2^63 - 1 if that is more. */
    static long bytesOf(GuestMemory memory) {
        long bytes = 0;
        for (MemoryRegion region : memory.regions()) {
            AddressRange range = region.range();
            long lessOne = region.hasContent() ? range.last() - range.first() : 0;
            if (lessOne < 0 || bytes + lessOne + 1 < 0) {
                return Long.MAX_VALUE;
            }
            bytes += lessOne + 1;
        }
        return bytes;
    }

    boolean contains(long address) {
        long page = address >>> PAGE_SHIFT;
        long @Nullable [] block = blocks.get(page >>> BLOCK_SHIFT);
        int bit = (int) page & BLOCK_PAGES - 1;
        return block != null && (block[bit >> WORD_SHIFT] >>> bit & 1) != 0;
    }

    /** The last address from {@code address} to {@code last} up to which all pages are in the set, or none is. */
    long lastAlike(long address, long last) {
        boolean in = contains(address);
        long page = address >>> PAGE_SHIFT;
        long lastPage = last >>> PAGE_SHIFT;
        while (page < lastPage) {
            long next = page + 1;
            long @Nullable [] block = blocks.get(next >>> BLOCK_SHIFT);
            int bit = (int) next & BLOCK_PAGES - 1;
            if (block == null) {
                if (in) {
                    break;
                }
                Long following = blocks.ceilingKey(next >>> BLOCK_SHIFT);
                page = following == null ? lastPage : (following << BLOCK_SHIFT) - 1;
                continue;
            }
            long word = block[bit >> WORD_SHIFT];
            if ((bit & Long.SIZE - 1) == 0 && word == (in ? -1L : 0)) {
                page = next + Long.SIZE - 1;
            } else if ((word >>> bit & 1) != 0 == in) {
                page = next;
            } else {
                break;
            }
        }
        return page >= lastPage ? last : (page << PAGE_SHIFT) + PAGE - 1;
    }

    private static long[] newBlock(long number) {
        return new long[BLOCK_PAGES >> WORD_SHIFT];
    }

    private boolean set(long page) {
        long[] block = blocks.computeIfAbsent(page >>> BLOCK_SHIFT, PageSet::newBlock);
        if (blocks.size() > MOST_BLOCKS) {
            throw new UnsupportedRequestException("pages can be left out of guests of up to 2 TiB; write all of them");
        }
        int bit = (int) page & BLOCK_PAGES - 1;
        long before = block[bit >> WORD_SHIFT];
        block[bit >> WORD_SHIFT] = before | 1L << bit;
        return (before >>> bit & 1) == 0;
    }

    /**
     * Adds pages as far as memory has them.
     *
     * @param first number of the first page
     * @return bytes of those that are readable and were not in the set
     */
    long add(GuestMemory memory, long first, long count) {
        long bytes = 0;
        for (long page = first; page < first + count;) {
            PageRun run = memory.runAt(page << PAGE_SHIFT);
            long lastOfRun = run.range().last() >>> PAGE_SHIFT;
            long end = Long.compareUnsigned(lastOfRun, first + count) < 0 ? lastOfRun + 1 : first + count;
            end = Math.max(end, page + 1);
            for (; run.state().isReadable() && page < end; page++) {
                bytes += set(page) ? PAGE : 0;
            }
            page = end;
        }
        return bytes;
    }

    /** Adds whole pages of zeros; gives how many bytes were not in the set. */
    long addZeros(GuestMemory memory, Progress progress) {
        long bytes = 0;
        byte[] chunk = new byte[CHUNK];
        for (MemoryRegion region : memory.regions()) {
            AddressRange range = region.range();
            if (!region.hasContent() || range.last() < 0) {
                continue;
            }
            long address = range.first() + PAGE - 1 & -PAGE;
            while (address + PAGE - 1 <= range.last()) {
                PageRun run = memory.contentRunAt(address);
                long inRun = Math.min(run.range().last(), range.last()) - address + 1 & -PAGE;
                long size = Math.clamp(inRun, PAGE, CHUNK);
                if (run.state() == PageState.ZERO && inRun > 0) {
                    bytes += add(memory, address >>> PAGE_SHIFT, size >>> PAGE_SHIFT);
                } else if (run.state().isReadable()) {
                    bytes += addZeros(memory, address, chunk, (int) size);
                } else {
                    size = Math.max(size, inRun);
                }
                progress.advance(size);
                address += size;
            }
        }
        return bytes;
    }

    private long addZeros(GuestMemory memory, long address, byte[] chunk, int size) {
        long bytes = 0;
        long read = memory.readAvailable(address, MemorySegment.ofArray(chunk).asSlice(0, size));
        MemorySegment zeros = MemorySegment.ofArray(new byte[PAGE]);
        for (int at = 0; at + PAGE <= read; at += PAGE) {
            if (MemorySegment.mismatch(MemorySegment.ofArray(chunk), at, at + PAGE, zeros, 0, PAGE) < 0) {
                bytes += set(address + at >>> PAGE_SHIFT) ? PAGE : 0;
            }
        }
        return bytes;
    }
}
