package dev.guestcore.internal.spool;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** The XXH32 hash with seed 0, after its public specification (xxHash fast digest algorithm). Not thread-safe. */
final class XxHash32 {

    private static final VarHandle INT =
            MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

    private static final int PRIME_1 = 0x9E3779B1;
    private static final int PRIME_2 = 0x85EBCA77;
    private static final int PRIME_3 = 0xC2B2AE3D;
    private static final int PRIME_4 = 0x27D4EB2F;
    private static final int PRIME_5 = 0x165667B1;
    private static final int STRIPE = 16;

    private final byte[] rest = new byte[STRIPE];
    private int held;
    private long total;
    // Wraps, as all sums here do.
    private int lane1 = (int) ((long) PRIME_1 + PRIME_2);
    private int lane2 = PRIME_2;
    private int lane3;
    private int lane4 = -PRIME_1;

    /** Adds bytes. */
    void update(byte[] bytes, int offset, int length) {
        int at = offset;
        int end = offset + length;
        total += length;
        if (held > 0) {
            int more = Math.min(STRIPE - held, length);
            System.arraycopy(bytes, at, rest, held, more);
            held += more;
            at += more;
            if (held < STRIPE) {
                return;
            }
            stripe(rest, 0);
            held = 0;
        }
        for (; at <= end - STRIPE; at += STRIPE) {
            stripe(bytes, at);
        }
        held = end - at;
        System.arraycopy(bytes, at, rest, 0, held);
    }

    private void stripe(byte[] bytes, int at) {
        lane1 = round(lane1, (int) INT.get(bytes, at));
        lane2 = round(lane2, (int) INT.get(bytes, at + 4));
        lane3 = round(lane3, (int) INT.get(bytes, at + 8));
        lane4 = round(lane4, (int) INT.get(bytes, at + 12));
    }

    private static int round(int lane, int word) {
        return Integer.rotateLeft(lane + word * PRIME_2, 13) * PRIME_1;
    }

    /** The hash of all bytes so far. */
    int value() {
        int hash = total < STRIPE
                ? PRIME_5
                : Integer.rotateLeft(lane1, 1) + Integer.rotateLeft(lane2, 7) + Integer.rotateLeft(lane3, 12)
                        + Integer.rotateLeft(lane4, 18);
        hash += (int) total;
        int at = 0;
        for (; at <= held - 4; at += 4) {
            hash = Integer.rotateLeft(hash + (int) INT.get(rest, at) * PRIME_3, 17) * PRIME_4;
        }
        for (; at < held; at++) {
            hash = Integer.rotateLeft(hash + (rest[at] & 0xff) * PRIME_5, 11) * PRIME_1;
        }
        hash = (hash ^ hash >>> 15) * PRIME_2;
        hash = (hash ^ hash >>> 13) * PRIME_3;
        return hash ^ hash >>> 16;
    }
}
