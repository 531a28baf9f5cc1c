package dev.guestcore.internal.lzo;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Writes LZO1X blocks, whose instructions {@link LzoDecoder} lists. Takes the first match that a small table remembers, and
 * looks ever less often where it finds none, so that what cannot be shrunk costs little. Knows pages of up to 4096 bytes,
 * so it needs no instruction that reaches further back. Not thread-safe.
 *
 * <p>Table, page and block lie in one array: each array more has a length to check against, for which there are not enough
 * registers.
 *
 * <pre>
 *  0      2048 places of 2 bytes, by the hash of what lies there: where in this array it was seen last
 *  4096   page, and some room for reads that run over its end
 *  8208   block
 * </pre>
 */
public final class LzoEncoder {

    private static final VarHandle LONGS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle SHORTS =
            MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);

    private static final int LARGEST_PAGE = 4096;

    /** Copies go by 8 bytes twice and may run over their end. */
    private static final int SLACK = 16;

    /** So many bytes from a match on are compared at once; none begins nearer to the end. */
    private static final int LOOKED_AHEAD = 3 * Long.BYTES;

    private static final int TABLE_BITS = 11;
    private static final int TABLE = Short.BYTES << TABLE_BITS;
    private static final int PAGE = TABLE;
    private static final int BLOCK = PAGE + LARGEST_PAGE + SLACK;

    /**
     * Six of eight bytes make the hash, the others are shifted out: matches of four and five are found by chance only, but
     * are worth least.
     */
    private static final long HASH_MULTIPLIER = 0x9e3779b97f4a7c15L << 16;

    /** Behind this many literals without a match every second place is tried, behind twice as many every third. */
    private static final int PATIENCE_SHIFT = 5;

    private static final int LONGEST_NEAR_MATCH = 8;
    private static final int NEAR = 2048;
    private static final int LONGEST_PLAIN_MATCH = 33;
    private static final int LONGEST_PLAIN_RUN = 18;
    private static final int LONGEST_FIRST_RUN = 238;
    private static final int LONGEST_RUN_IN_MATCH = 3;

    private final byte[] room = new byte[BLOCK + bound(LARGEST_PAGE) + SLACK];
    private final MemorySegment segment = MemorySegment.ofArray(room);

    /** A table in which everything was seen last where the page begins, which is no lie that could do harm. */
    private final byte[] freshTable = new byte[TABLE];

    /** With tables of its own. */
    public LzoEncoder() {
        for (int slot = 0; slot < TABLE; slot += Short.BYTES) {
            SHORTS.set(freshTable, slot, (short) PAGE);
        }
    }

    /** The longest block that a page of {@code pageSize} bytes becomes. */
    public int bound(int pageSize) {
        // A run of literals costs a byte for every 255, a match is never longer than what it stands for; and the end.
        return pageSize + pageSize / 16 + 64;
    }

    /**
     * Compresses a page of at most 4096 bytes.
     *
     * @param target receives the block; at least {@link #bound} bytes
     * @return size of the block
     */
    public int encode(MemorySegment source, MemorySegment target) {
        int size = Math.toIntExact(source.byteSize());
        if (size > LARGEST_PAGE) {
            throw new IllegalArgumentException("at most " + LARGEST_PAGE + " bytes make a page, found " + size);
        }
        System.arraycopy(freshTable, 0, room, 0, TABLE);
        MemorySegment.copy(source, 0, segment, PAGE, size);
        int written = compress(room, PAGE + size) - BLOCK;
        MemorySegment.copy(segment, BLOCK, target, 0, written);
        return written;
    }

    /** Compresses the page in {@code room}; gives where the block ends. */
    private static int compress(byte[] room, int end) {
        int limit = end - LOOKED_AHEAD - 1;
        int op = BLOCK;
        int literals = PAGE;
        int ip = PAGE + 1;
        while (ip <= limit) {
            long word = (long) LONGS.get(room, ip);
            int seen = lastSeen(room, word, ip);
            long difference = (long) LONGS.get(room, seen) ^ word;
            // Two tries outside the loop keep it one of its own for the compiler, whatever the pages are like.
            if ((int) difference != 0) {
                word = (long) LONGS.get(room, ++ip);
                seen = lastSeen(room, word, ip);
                difference = (long) LONGS.get(room, seen) ^ word;
                if ((int) difference != 0) {
                    ip++;
                    while (true) {
                        if (ip > limit) {
                            return finish(room, literals, end, op);
                        }
                        word = (long) LONGS.get(room, ip);
                        seen = lastSeen(room, word, ip);
                        difference = (long) LONGS.get(room, seen) ^ word;
                        if ((int) difference == 0) {
                            break;
                        }
                        ip += 1 + (ip - literals >>> PATIENCE_SHIFT);
                    }
                }
            }
            int count = ip - literals;
            if (count <= LONGEST_RUN_IN_MATCH && op > BLOCK) {
                // Each match ends in two bytes of which the first has room for this.
                room[op - 2] |= (byte) count;
                LONGS.set(room, op, (long) LONGS.get(room, literals));
                op += count;
            } else {
                op = putRun(room, literals, count, op);
            }
            int distance = ip - seen;
            int length = matchLength(room, seen, ip, difference, end);
            if (length <= LONGEST_PLAIN_MATCH) {
                // Both forms are made and one is chosen without a branch, which nobody could predict.
                int near = length - 1 << 5 | (distance - 1 & 7) << 2 | distance - 1 >>> 3 << 8;
                int far = 0x20 | length - 2 | distance - 1 << 10;
                int isFar = (LONGEST_NEAR_MATCH - length | NEAR - distance) >> 31;
                LONGS.set(room, op, (long) (near ^ (near ^ far) & isFar));
                op += 2 - isFar;
            } else {
                op = putLongMatch(room, distance, length, op);
            }
            ip += length;
            literals = ip;
        }
        return finish(room, literals, end, op);
    }

    /** Where the eight bytes that lie here were seen last, or something with its hash; from now on, here. */
    private static int lastSeen(byte[] room, long word, int at) {
        int slot = (int) (word * HASH_MULTIPLIER >>> Long.SIZE - TABLE_BITS) * Short.BYTES;
        int seen = (short) SHORTS.get(room, slot) & 0xffff;
        SHORTS.set(room, slot, (short) at);
        return seen;
    }

    private static long difference(byte[] room, int one, int other) {
        return (long) LONGS.get(room, one) ^ (long) LONGS.get(room, other);
    }

    /**
     * How many bytes are equal from both places on; at most up to the end. Most matches are 4 to 23 bytes long, and nobody
     * could predict how long: no branch for these.
     *
     * @param first the bits that differ in the first eight bytes
     */
    private static int matchLength(byte[] room, int seen, int at, long first, int end) {
        long second = difference(room, seen + Long.BYTES, at + Long.BYTES);
        long third = difference(room, seen + 2 * Long.BYTES, at + 2 * Long.BYTES);
        int firstDiffers = (int) ((first | -first) >> 63);
        int length = Long.numberOfTrailingZeros(first) + (Long.numberOfTrailingZeros(second) & ~firstDiffers) >>> 3;
        length += Long.numberOfTrailingZeros(third) >>> 3 & -(length >>> 4);
        if (length < LOOKED_AHEAD) {
            return length;
        }
        int back = at - seen;
        int place = at + LOOKED_AHEAD;
        int more = Long.BYTES;
        // The step is eight while the loop goes on; written so, the compiler makes no long run-up for short matches.
        while (more == Long.BYTES && place < end) {
            more = Long.numberOfTrailingZeros(difference(room, place - back, place)) >>> 3;
            place += more;
        }
        return Math.min(place, end) - at;
    }

    /** Puts what follows the last match, and the end of the block. */
    private static int finish(byte[] room, int literals, int end, int at) {
        int op = at;
        int count = end - literals;
        if (count > LONGEST_RUN_IN_MATCH || op == BLOCK) {
            op = putRun(room, literals, count, op);
        } else {
            room[op - 2] |= (byte) count;
            LONGS.set(room, op, (long) LONGS.get(room, literals));
            op += count;
        }
        // A match 16384 back marks the end.
        LONGS.set(room, op, 0x11L);
        return op + 3;
    }

    /** Puts literals at the start, or more of them than fit into the match before. */
    private static int putRun(byte[] room, int from, int count, int at) {
        int op = at;
        if (op == BLOCK && count <= LONGEST_FIRST_RUN) {
            room[op++] = (byte) (17 + count);
        } else if (count <= LONGEST_PLAIN_RUN) {
            room[op++] = (byte) (count - 3);
        } else {
            room[op++] = 0;
            op = putRest(room, count - LONGEST_PLAIN_RUN, op);
        }
        if (count <= 2 * Long.BYTES) {
            LONGS.set(room, op, (long) LONGS.get(room, from));
            LONGS.set(room, op + Long.BYTES, (long) LONGS.get(room, from + Long.BYTES));
        } else {
            System.arraycopy(room, from, room, op, count);
        }
        return op + count;
    }

    private static int putLongMatch(byte[] room, int distance, int length, int at) {
        room[at] = 0x20;
        int op = putRest(room, length - LONGEST_PLAIN_MATCH, at + 1);
        LONGS.set(room, op, (long) (distance - 1 << 2));
        return op + 2;
    }

    /** The rest of a long length: a zero byte for each whole 255, then what is left, 1 to 255. */
    private static int putRest(byte[] room, int rest, int at) {
        int op = at;
        int left = rest;
        while (left > 255) {
            room[op++] = 0;
            left -= 255;
        }
        room[op++] = (byte) left;
        return op;
    }
}
