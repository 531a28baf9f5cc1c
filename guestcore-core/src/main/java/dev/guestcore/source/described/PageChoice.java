package dev.guestcore.source.described;

import java.util.Arrays;

/**
 * Which pages a piece applies to, and which part of each: those whose number modulo {@code modulo} is one of the
 * remainders.
 *
 * @param modulo at least 1
 * @param remainders ascending, each below {@code modulo}; do not modify
 * @param offset first byte of the part in each page
 * @param size bytes of the part
 */
record PageChoice(long modulo, long[] remainders, int offset, int size) {

    static final int PAGE_SHIFT = 12;
    static final int PAGE_SIZE = 1 << PAGE_SHIFT;

    /** Whether the byte at a guest-physical address is chosen. */
    boolean chooses(long address) {
        long inPage = address & PAGE_SIZE - 1;
        return inPage >= offset
                && inPage < offset + size
                && Arrays.binarySearch(remainders, (address >>> PAGE_SHIFT) % modulo) >= 0;
    }

    /** How many bytes from an address on are all chosen or all not; may be more than there are to the end of memory. */
    long sameFor(long address) {
        long inPage = address & PAGE_SIZE - 1;
        long remainder = (address >>> PAGE_SHIFT) % modulo;
        int found = Arrays.binarySearch(remainders, remainder);
        if (found >= 0) {
            if (inPage < offset) {
                return offset - inPage;
            }
            if (inPage < offset + size) {
                boolean wholePages = size == PAGE_SIZE && remainders.length == modulo;
                return wholePages ? Long.MAX_VALUE : offset + size - inPage;
            }
        }
        int next = found >= 0 ? found + 1 : -found - 1;
        long pages = next < remainders.length ? remainders[next] - remainder : modulo - remainder + remainders[0];
        if (pages > Long.MAX_VALUE >>> PAGE_SHIFT + 1) {
            return Long.MAX_VALUE;
        }
        return (pages << PAGE_SHIFT) - inPage + offset;
    }
}
