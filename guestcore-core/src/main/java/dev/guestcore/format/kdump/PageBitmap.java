package dev.guestcore.format.kdump;

import dev.guestcore.file.FileBytes;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * One bit a page, lowest bit first, and how many are set before any page at once. Bits and counts lie outside the heap, the
 * bits of a very large guest stay in the file; the counts take 1/64 of the bitmap. Immutable and thread-safe.
 */
final class PageBitmap {

    private static final ValueLayout.OfLong WORD =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int BLOCK_SHIFT = 12;
    private static final int BLOCK_PAGES = 1 << BLOCK_SHIFT;
    private static final long WORDS_PER_BLOCK = BLOCK_PAGES / Long.SIZE;

    /** A larger bitmap, of a guest with more than 1 TiB, stays in the file. */
    private static final long LARGEST_COPY = 32 << 20;

    private final FileBytes file;
    private final long offset;

    /** Null where they stay in the file. */
    private final @Nullable MemorySegment bits;

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
        this.file = file;
        this.pageCount = pageCount;
        this.offset = offset;
        this.bits = size <= LARGEST_COPY ? copy(file, offset, size, arena) : null;
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
        long read = file.read(offset, copy);
        if (read < size) {
            throw file.incomplete(offset + read);
        }
        return copy;
    }

    /** Pages of word {@code index}; bits behind the last page are cleared. */
    private long word(long index) {
        long word = bits == null
                ? file.u64(offset + index * Long.BYTES, ByteOrder.LITTLE_ENDIAN, "bitmap")
                : bits.get(WORD, index * Long.BYTES);
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

    /** The page that is set and has {@code rank} set pages before it; {@code rank} from 0, less than {@link #total}. */
    long select(long rank) {
        long low = 0;
        long high = counts.byteSize() / Long.BYTES - 1;
        while (high - low > 1) {
            long middle = low + high >>> 1;
            if (counts.getAtIndex(ValueLayout.JAVA_LONG, middle) <= rank) {
                low = middle;
            } else {
                high = middle;
            }
        }
        long left = rank - counts.getAtIndex(ValueLayout.JAVA_LONG, low);
        long index = low * WORDS_PER_BLOCK;
        while (Long.bitCount(word(index)) <= left) {
            left -= Long.bitCount(word(index));
            index++;
        }
        long word = word(index);
        for (long i = 0; i < left; i++) {
            word &= word - 1;
        }
        return (index << 6) + Long.numberOfTrailingZeros(word);
    }

    /** First page from {@code page} on, below {@code limit}, whose bit is {@code set}; {@code limit} if there is none. */
    long next(long page, boolean set, long limit) {
        long end = Math.min(limit, pageCount);
        long at = page;
        while (at < end) {
            if ((at & BLOCK_PAGES - 1) == 0 && at + BLOCK_PAGES <= end && isUniform(at >>> BLOCK_SHIFT, !set)) {
                at += BLOCK_PAGES;
                continue;
            }
            long candidates = (set ? word(at >>> 6) : ~word(at >>> 6)) >>> at;
            if (candidates != 0) {
                return Math.min(at + Long.numberOfTrailingZeros(candidates), limit);
            }
            at = (at | Long.SIZE - 1) + 1;
        }
        return set ? limit : Math.min(Math.max(page, end), limit);
    }

    private boolean isUniform(long block, boolean set) {
        long count = counts.getAtIndex(ValueLayout.JAVA_LONG, block + 1)
                - counts.getAtIndex(ValueLayout.JAVA_LONG, block);
        return count == (set ? BLOCK_PAGES : 0);
    }
}
