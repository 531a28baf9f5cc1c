package dev.guestcore.format.kdump;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Tells in a tenth of the time that zlib takes for a page that zlib will not shrink it: a sample of its bytes is spread
 * evenly over all values, as in what is encrypted or compressed already, and nothing long in it comes again. Not
 * thread-safe.
 */
final class IncompressiblePages {

    private static final int SAMPLE_STRIDE = 32;

    /**
     * Of n evenly spread bytes the squares of the counts add up to n + n² / 256, give or take n / 11 once in three times.
     * Where the sum is larger by n / 2, fewer than 7.9 bits are needed for a byte, and zlib may save something.
     */
    private static final int TOLERATED_SHARE = 2;

    /** Of the 64 bytes of so many words fewer than {@link #TELLING_ZEROS} are zero in 7,999 of 8,000 random pages. */
    private static final int GLANCED_WORDS = 8;

    private static final int TELLING_ZEROS = 4;

    /**
     * Every sixteenth place is remembered, and sixteen places in a row of every 64 are looked up. So of any 96 bytes that
     * come again, one place is both, whatever the distance; one in sixteen is forgotten for another with its hash.
     */
    private static final int REMEMBERED_STRIDE = 16;

    private static final int LOOKED_UP_STRIDE = 64;
    private static final int TABLE_BITS = 12;
    private static final long LOW_BITS = 0x7f7f_7f7f_7f7f_7f7fL;
    private static final long HASH_MULTIPLIER = 0x9e3779b97f4a7c15L;
    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG_UNALIGNED;

    private final int[] counts = new int[1 << Byte.SIZE];
    private final short[] places = new short[1 << TABLE_BITS];

    /** Whether a page, of 32768 bytes at most, is not worth trying. */
    boolean contains(MemorySegment page) {
        return !hasManyZeros(page) && isSpreadEvenly(page) && !repeats(page);
    }

    /** True of most pages that are worth trying, and quick to tell. */
    private static boolean hasManyZeros(MemorySegment page) {
        int zeros = 0;
        long stride = page.byteSize() / GLANCED_WORDS & -Long.BYTES;
        for (int i = 0; i < GLANCED_WORDS && stride > 0; i++) {
            long word = page.get(WORD, i * stride);
            // The top bit of each byte that is not zero, without a carry from one byte to the next.
            long notZero = (word & LOW_BITS) + LOW_BITS | word;
            zeros += Long.BYTES - Long.bitCount(notZero & ~LOW_BITS);
        }
        return zeros >= TELLING_ZEROS;
    }

    private boolean repeats(MemorySegment page) {
        Arrays.fill(places, (short) 0);
        int end = (int) page.byteSize() - Long.BYTES;
        for (int at = 0; at <= end; at += REMEMBERED_STRIDE) {
            places[slot(page.get(WORD, at))] = (short) at;
        }
        for (int from = 0; from <= end; from += LOOKED_UP_STRIDE) {
            for (int at = from; at <= Math.min(end, from + REMEMBERED_STRIDE - 1); at++) {
                long word = page.get(WORD, at);
                int place = places[slot(word)];
                if (place != at && page.get(WORD, place) == word) {
                    return true;
                }
            }
        }
        return false;
    }

    private static int slot(long word) {
        return (int) (word * HASH_MULTIPLIER >>> Long.SIZE - TABLE_BITS);
    }

    private boolean isSpreadEvenly(MemorySegment page) {
        Arrays.fill(counts, 0);
        long sampled = 0;
        for (long at = 0; at + Long.BYTES <= page.byteSize(); at += SAMPLE_STRIDE) {
            long word = page.get(WORD, at);
            for (int shift = 0; shift < Long.SIZE; shift += Byte.SIZE) {
                counts[(int) (word >>> shift) & 0xff]++;
            }
            sampled += Long.BYTES;
        }
        long squares = 0;
        for (int count : counts) {
            squares += (long) count * count;
        }
        return squares <= sampled + (sampled * sampled >> Byte.SIZE) + sampled / TOLERATED_SHARE;
    }
}
