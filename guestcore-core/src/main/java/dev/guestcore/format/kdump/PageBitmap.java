package dev.guestcore.format.kdump;

import dev.guestcore.format.FileBytes;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * One bit a page, lowest bit first, and how many are set before any page at once. The bits stay in the file where they lie
 * in one piece; the counts lie outside the heap, 1/64 of the bitmap. Immutable and thread-safe.
 */
final class PageBitmap {

    private static final ValueLayout.OfLong WORD =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int BLOCK_SHIFT = 12;
    private static final long WORDS_PER_BLOCK = (1 << BLOCK_SHIFT) / Long.SIZE;

    private final MemorySegment bits;
    private final MemorySegment counts;
    private final long pageCount;

    /**
     * Reads a bitmap.
     *
     * @param offset where it lies in the file
     * @param size its bytes, a multiple of 8
     * @param pageCount how many of its bits mean a page
     */
    PageBitmap(FileBytes file, long offset, long size, long pageCount, Arena arena) {
        this.pageCount = pageCount;
        this.bits = file.view(offset, size, "bitmap").orElseGet(() -> copy(file, offset, size, arena));
        long blocks = pageCount + (1L << BLOCK_SHIFT) - 1 >>> BLOCK_SHIFT;
        this.counts = arena.allocate((blocks + 1) * Long.BYTES, Long.BYTES);
        long words = pageCount + Long.SIZE - 1 >>> 6;
        long total = 0;
        for (long block = 0; block < blocks; block++) {
            counts.setAtIndex(ValueLayout.JAVA_LONG, block, total);
            long end = Math.min(words, (block + 1) * WORDS_PER_BLOCK);
            for (long word = block * WORDS_PER_BLOCK; word < end; word++) {
                total += Long.bitCount(word(word));
            }
        }
        counts.setAtIndex(ValueLayout.JAVA_LONG, blocks, total);
    }

    private static MemorySegment copy(FileBytes file, long offset, long size, Arena arena) {
        MemorySegment copy = arena.allocate(size, Long.BYTES);
        if (file.read(offset, copy) < size) {
            throw file.shrunk();
        }
        return copy;
    }

    /** Pages of word {@code index}; bits behind the last page are cleared. */
    private long word(long index) {
        long word = bits.get(WORD, index * Long.BYTES);
        long left = pageCount - (index << 6);
        return left >= Long.SIZE ? word : word & (1L << left) - 1;
    }

    long pageCount() {
        return pageCount;
    }

    /** How many pages are set in all. */
    long total() {
        return counts.getAtIndex(ValueLayout.JAVA_LONG, counts.byteSize() / Long.BYTES - 1);
    }

    boolean get(long page) {
        return page >= 0 && page < pageCount && (word(page >>> 6) >>> page & 1) != 0;
    }

    /** How many pages below {@code page} are set; {@code page} from 0 to the page count. */
    long rank(long page) {
        long rank = counts.getAtIndex(ValueLayout.JAVA_LONG, page >>> BLOCK_SHIFT);
        for (long word = (page >>> BLOCK_SHIFT) * WORDS_PER_BLOCK; word < page >>> 6; word++) {
            rank += Long.bitCount(word(word));
        }
        int within = (int) (page & Long.SIZE - 1);
        return within == 0 ? rank : rank + Long.bitCount(word(page >>> 6) & (1L << within) - 1);
    }

    /** First page from {@code page} on, below {@code limit}, whose bit is {@code set}; {@code limit} if there is none. */
    long next(long page, boolean set, long limit) {
        long end = Math.min(limit, pageCount);
        long at = page;
        while (at < end) {
            long candidates = (set ? word(at >>> 6) : ~word(at >>> 6)) >>> at;
            if (candidates != 0) {
                return Math.min(at + Long.numberOfTrailingZeros(candidates), limit);
            }
            at = (at | Long.SIZE - 1) + 1;
        }
        return set ? limit : Math.min(Math.max(page, end), limit);
    }
}
