package dev.guestcore.internal.lzo;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * LZO1X blocks, after the description in the Linux kernel's Documentation/staging/lzo.rst. Works in arrays of its own, so a
 * hostile block cannot reach any other memory. Not thread-safe.
 *
 * <pre>
 *  first byte   18..255   copy (byte - 17) literals
 *  0000LLLL     after a match without literals: copy 3 + L literals (L 0: 18 + 255 for each zero byte + next byte)
 *  0000DDSS H   after 1 to 3 literals: copy 2 bytes from (H &lt;&lt; 2) + D + 1 back, then S literals
 *  0000DDSS H   after 4 or more literals: copy 3 bytes from (H &lt;&lt; 2) + D + 2049 back, then S literals
 *  0001HLLL W   copy 2 + L bytes (L 0: 9 + ...) from 16384 + (H &lt;&lt; 14) + (W &gt;&gt; 2) back, then W &amp; 3 literals;
 *               16384 back is the end of the block
 *  001LLLLL W   copy 2 + L bytes (L 0: 33 + ...) from (W &gt;&gt; 2) + 1 back, then W &amp; 3 literals
 *  01LDDDSS H   copy 3 + L bytes from (H &lt;&lt; 3) + D + 1 back, then S literals
 *  1LLDDDSS H   copy 5 + L bytes from (H &lt;&lt; 3) + D + 1 back, then S literals
 * </pre>
 *
 * <p>W is 16 bits, little-endian.
 */
public final class LzoDecoder {

    private static final VarHandle LONGS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    /** Copies go by 8 bytes and may run over their end by 7; an instruction may be read up to 7 bytes beyond the block. */
    private static final int SLACK = 16;

    private static final int AFTER_RUN = 4;
    private static final int FAR = 16384;

    private byte[] in = new byte[0];
    private byte[] out = new byte[0];

    /** Begins with no memory of its own yet; it grows to the largest block. */
    public LzoDecoder() {}

    /**
     * Decodes one block.
     *
     * @param source exactly the compressed block
     * @param target as long as the block is when decoded
     * @return whether the block came out whole
     */
    public boolean decode(MemorySegment source, MemorySegment target) {
        int inSize = Math.toIntExact(source.byteSize());
        int outSize = Math.toIntExact(target.byteSize());
        if (in.length < inSize + SLACK) {
            in = new byte[inSize + SLACK];
        }
        if (out.length < outSize + SLACK) {
            out = new byte[outSize + SLACK];
        }
        MemorySegment.copy(source, ValueLayout.JAVA_BYTE, 0, in, 0, inSize);
        if (!decode(in, inSize, out, outSize)) {
            return false;
        }
        MemorySegment.copy(out, 0, target, ValueLayout.JAVA_BYTE, 0, outSize);
        return true;
    }

    /** Whether the block fills exactly {@code outEnd} bytes; both arrays are longer than that by {@link #SLACK}. */
    private static boolean decode(byte[] in, int inEnd, byte[] out, int outEnd) {
        int ip = 0;
        int op = 0;
        int state = 0;
        if (inEnd > 0 && (in[0] & 0xff) > 17) {
            int count = (in[ip++] & 0xff) - 17;
            if (count > inEnd - ip || count > outEnd) {
                return false;
            }
            copy(in, ip, out, op, count);
            ip += count;
            op += count;
            state = Math.min(count, AFTER_RUN);
        }
        while (ip < inEnd) {
            int code = in[ip++] & 0xff;
            int length;
            int distance;
            int literals;
            if (code >= 64) {
                length = code >= 128 ? 5 + (code >>> 5 & 3) : 3 + (code >>> 5 & 1);
                distance = ((in[ip++] & 0xff) << 3) + (code >>> 2 & 7) + 1;
                literals = code & 3;
            } else if (code >= 16) {
                int mask = code >= 32 ? 31 : 7;
                length = code & mask;
                if (length == 0) {
                    int end = endOfZeros(in, ip, inEnd);
                    length = mask + (end - ip) * 255 + (in[end] & 0xff);
                    ip = end + 1;
                }
                length += 2;
                int word = in[ip] & 0xff | (in[ip + 1] & 0xff) << 8;
                ip += 2;
                literals = word & 3;
                distance = (word >>> 2) + 1;
                if (code < 32) {
                    distance += FAR - 1 + ((code & 8) << 11);
                    if (distance == FAR) {
                        return ip == inEnd && op == outEnd;
                    }
                }
            } else if (state == 0) {
                int count = code;
                if (count == 0) {
                    int end = endOfZeros(in, ip, inEnd);
                    count = 15 + (end - ip) * 255 + (in[end] & 0xff);
                    ip = end + 1;
                }
                count += 3;
                if (count > inEnd - ip || count > outEnd - op) {
                    return false;
                }
                copy(in, ip, out, op, count);
                ip += count;
                op += count;
                state = AFTER_RUN;
                continue;
            } else {
                length = state == AFTER_RUN ? 3 : 2;
                distance = ((in[ip++] & 0xff) << 2) + (code >>> 2) + (state == AFTER_RUN ? 2049 : 1);
                literals = code & 3;
            }
            if (distance > op || length > outEnd - op) {
                return false;
            }
            if (distance >= Long.BYTES) {
                copy(out, op - distance, out, op, length);
            } else {
                repeat(out, op, distance, length);
            }
            op += length;
            if (literals > inEnd - ip || literals > outEnd - op) {
                return false;
            }
            for (int i = 0; i < literals; i++) {
                out[op++] = in[ip++];
            }
            state = literals;
        }
        // Without the mark of its end a block is cut off.
        return false;
    }

    /** First byte from {@code at} on that is not zero, or the end of the block. */
    private static int endOfZeros(byte[] in, int at, int inEnd) {
        int end = at;
        while (end < inEnd && in[end] == 0) {
            end++;
        }
        return end;
    }

    private static void copy(byte[] from, int at, byte[] to, int target, int count) {
        for (int i = 0; i < count; i += Long.BYTES) {
            LONGS.set(to, target + i, (long) LONGS.get(from, at + i));
        }
    }

    /** Copies bytes that the copy itself produces: a pattern of fewer than 8 bytes. */
    private static void repeat(byte[] out, int target, int distance, int count) {
        for (int i = 0; i < count; i++) {
            out[target + i] = out[target + i - distance];
        }
    }
}
