package dev.guestcore.inspect;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The XXH64 hash with seed 0, after its public specification (xxHash fast digest algorithm, version 0.1.1). Four
 * independent lanes of multiplications keep a processor core busy at about the speed at which memory delivers.
 *
 * <p>Not for use against an attacker: whoever writes the memory can make two pages with one hash.
 */
final class XxHash64 {

    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final long PRIME_1 = 0x9E3779B185EBCA87L;
    private static final long PRIME_2 = 0xC2B2AE3D27D4EB4FL;
    private static final long PRIME_3 = 0x165667B19E3779F9L;
    private static final long PRIME_4 = 0x85EBCA77C2B2AE63L;
    private static final long PRIME_5 = 0x27D4EB2F165667C5L;
    private static final int STRIPE = 32;

    private XxHash64() {}

    /** The hash of {@code size} bytes from {@code offset} on. */
    static long hash(MemorySegment bytes, long offset, long size) {
        long at = offset;
        long end = offset + size;
        long hash = PRIME_5;
        if (size >= STRIPE) {
            long lane1 = PRIME_1 + PRIME_2;
            long lane2 = PRIME_2;
            long lane3 = 0;
            long lane4 = -PRIME_1;
            for (long lastStripe = end - STRIPE; at <= lastStripe; at += STRIPE) {
                lane1 = round(lane1, bytes.get(LONG, at));
                lane2 = round(lane2, bytes.get(LONG, at + 8));
                lane3 = round(lane3, bytes.get(LONG, at + 16));
                lane4 = round(lane4, bytes.get(LONG, at + 24));
            }
            hash = Long.rotateLeft(lane1, 1)
                    + Long.rotateLeft(lane2, 7)
                    + Long.rotateLeft(lane3, 12)
                    + Long.rotateLeft(lane4, 18);
            hash = mergeLane(hash, lane1);
            hash = mergeLane(hash, lane2);
            hash = mergeLane(hash, lane3);
            hash = mergeLane(hash, lane4);
        }
        return finish(hash + size, bytes, at, end);
    }

    private static long round(long lane, long input) {
        return Long.rotateLeft(lane + input * PRIME_2, 31) * PRIME_1;
    }

    private static long mergeLane(long hash, long lane) {
        return (hash ^ round(0, lane)) * PRIME_1 + PRIME_4;
    }

    private static long finish(long begun, MemorySegment bytes, long from, long end) {
        long hash = begun;
        long at = from;
        for (; at <= end - 8; at += 8) {
            hash = Long.rotateLeft(hash ^ round(0, bytes.get(LONG, at)), 27) * PRIME_1 + PRIME_4;
        }
        if (at <= end - 4) {
            hash = Long.rotateLeft(hash ^ (bytes.get(INT, at) & 0xffffffffL) * PRIME_1, 23) * PRIME_2 + PRIME_3;
            at += 4;
        }
        for (; at < end; at++) {
            hash = Long.rotateLeft(hash ^ (bytes.get(ValueLayout.JAVA_BYTE, at) & 0xff) * PRIME_5, 11) * PRIME_1;
        }
        hash = (hash ^ hash >>> 33) * PRIME_2;
        hash = (hash ^ hash >>> 29) * PRIME_3;
        return hash ^ hash >>> 32;
    }
}
