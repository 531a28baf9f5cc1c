package dev.guestcore.search;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Finds one string of bytes. Looks at two of its bytes only, the rarest, at eight places with each pair of 64-bit
 * loads; the whole is compared where both agree. Immutable and thread-safe.
 */
final class NeedleFinder {

    private static final VarHandle LONGS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long LOW_BITS = 0x0101_0101_0101_0101L;
    private static final long HIGH_BITS = 0x8080_8080_8080_8080L;

    /** What memory is full of: the more frequent, the higher. */
    private static final byte[] FREQUENT = {
        0, -1, ' ', 'e', 't', 'a', 'o', 'i', 'n', 's', 'r', 'H', 1, 2, 4, 8, 15, '_'
    };

    private final byte[] needle;
    private final int rare;
    private final int second;

    NeedleFinder(byte[] needle) {
        this.needle = needle;
        int best = 0;
        for (int i = 1; i < needle.length; i++) {
            best = frequency(needle[i]) <= frequency(needle[best]) ? i : best;
        }
        int next = best == 0 ? needle.length - 1 : 0;
        for (int i = 0; i < needle.length; i++) {
            if (i != best && frequency(needle[i]) < frequency(needle[next])) {
                next = i;
            }
        }
        rare = best;
        second = next;
    }

    private static int frequency(byte value) {
        for (int i = 0; i < FREQUENT.length; i++) {
            if (FREQUENT[i] == value) {
                return FREQUENT.length + 3 - i;
            }
        }
        boolean letter = value >= 'a' && value <= 'z';
        boolean digit = value >= '0' && value <= '9';
        return letter ? 2 : digit ? 1 : 0;
    }

    int length() {
        return needle.length;
    }

    /**
     * The first place.
     *
     * @param from first index to try
     * @param startsEnd index before which it must begin; the whole needle must fit from any index before it
     * @return the index, or -1
     */
    int indexOf(byte[] bytes, int from, int startsEnd) {
        int at = from;
        long rarePattern = (needle[rare] & 0xffL) * LOW_BITS;
        long secondPattern = (needle[second] & 0xffL) * LOW_BITS;
        int wide = Math.min(startsEnd, bytes.length - needle.length + 1) - 31;
        while (at < wide) {
            long first = candidates(bytes, at, rarePattern, secondPattern);
            long next = candidates(bytes, at + 8, rarePattern, secondPattern);
            long third = candidates(bytes, at + 16, rarePattern, secondPattern);
            long fourth = candidates(bytes, at + 24, rarePattern, secondPattern);
            if ((first | next | third | fourth) != 0) {
                int found = check(bytes, at, first);
                found = found < 0 ? check(bytes, at + 8, next) : found;
                found = found < 0 ? check(bytes, at + 16, third) : found;
                found = found < 0 ? check(bytes, at + 24, fourth) : found;
                if (found >= 0) {
                    return found;
                }
            }
            at += 32;
        }
        for (; at < startsEnd; at++) {
            if (bytes[at + rare] == needle[rare] && matchesAt(bytes, at)) {
                return at;
            }
        }
        return -1;
    }

    /** The high bit of each byte where both rare bytes agree; bits above the lowest may be set for nothing. */
    private long candidates(byte[] bytes, int at, long rarePattern, long secondPattern) {
        long difference = (long) LONGS.get(bytes, at + rare) ^ rarePattern
                | (long) LONGS.get(bytes, at + second) ^ secondPattern;
        return difference - LOW_BITS & ~difference & HIGH_BITS;
    }

    private int check(byte[] bytes, int at, long candidates) {
        for (long left = candidates; left != 0; left &= left - 1) {
            int index = at + (Long.numberOfTrailingZeros(left) >>> 3);
            if (matchesAt(bytes, index)) {
                return index;
            }
        }
        return -1;
    }

    private boolean matchesAt(byte[] bytes, int at) {
        return Arrays.equals(bytes, at, at + needle.length, needle, 0, needle.length);
    }
}
