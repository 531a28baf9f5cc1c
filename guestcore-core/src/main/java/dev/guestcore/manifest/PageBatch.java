package dev.guestcore.manifest;

import java.security.DigestException;
import java.security.MessageDigest;
import java.util.Arrays;

/** Pages on their way through the digesting threads, and the order in which their bytes stand in the file. */
final class PageBatch {

    static final int SLOTS = Piece.SIZE / Piece.PAGE;

    private static final int MOST_STRETCHES = 4 * SLOTS;
    /** Zeros have no bytes here; a stretch of them ends a batch, so that a cancelled write need not wait long. */
    private static final long MOST_ZEROS = 64L << 20;

    final byte[] bytes = new byte[Piece.SIZE];
    final byte[] digests = new byte[SLOTS * Sha256.SIZE];
    final Kind[] kinds = new Kind[SLOTS];
    final long[] regions = new long[SLOTS];
    final long[] addresses = new long[SLOTS];
    private final int[] sizes = new int[SLOTS];
    private int slots;

    private final int[] stretchFrom = new int[MOST_STRETCHES];
    private final long[] stretchSize = new long[MOST_STRETCHES];
    private int stretches;
    private long zeros;

    /** What a page is digested for. */
    enum Kind {
        /** The memory of the guest. */
        MEMORY,
        /** The file without memory in it. */
        FILE,
        /** The digest of the whole file only. */
        NOTHING
    }

    /** Told of the bytes in the order of the file. */
    interface Stretches {
        /** Bytes {@code from} to {@code from + size} of {@link #bytes}, or zeros where {@code from} is negative. */
        void stretch(int from, long size);
    }

    void clear() {
        slots = 0;
        stretches = 0;
        zeros = 0;
    }

    boolean isEmpty() {
        return slots == 0 && stretches == 0;
    }

    int slots() {
        return slots;
    }

    /** Whether a page, and a stretch for its bytes, may not have room. */
    boolean isFull() {
        return slots == SLOTS || stretches >= MOST_STRETCHES - 1 || zeros >= MOST_ZEROS;
    }

    /**
     * Adds a page.
     *
     * @param address of its first byte
     * @param size in bytes
     * @param clear whether its bytes may come only in part, so that the rest are zeros
     */
    int add(Kind kind, long region, long address, int size, boolean clear) {
        int slot = slots++;
        kinds[slot] = kind;
        regions[slot] = region;
        addresses[slot] = address;
        sizes[slot] = size;
        if (clear) {
            Arrays.fill(bytes, slot * Piece.PAGE, (slot + 1) * Piece.PAGE, (byte) 0);
        }
        return slot;
    }

    /** Takes over a page that is not yet complete, from a batch that is. */
    int carry(PageBatch full, int slot) {
        int here = add(full.kinds[slot], full.regions[slot], full.addresses[slot], full.sizes[slot], false);
        System.arraycopy(full.bytes, slot * Piece.PAGE, bytes, here * Piece.PAGE, Piece.PAGE);
        full.kinds[slot] = Kind.NOTHING;
        return here;
    }

    /** Says that the next bytes of the file are some of this batch. */
    void stretch(int from, int size) {
        int last = stretches - 1;
        if (last >= 0 && stretchFrom[last] >= 0 && stretchFrom[last] + stretchSize[last] == from) {
            stretchSize[last] += size;
        } else {
            stretchFrom[stretches] = from;
            stretchSize[stretches++] = size;
        }
    }

    /** Says that the next bytes of the file are zeros; gives how many of them found room. */
    long zeros(long size) {
        long some = Math.min(size, MOST_ZEROS - zeros);
        int last = stretches - 1;
        if (last >= 0 && stretchFrom[last] < 0) {
            stretchSize[last] += some;
        } else {
            stretchFrom[stretches] = -1;
            stretchSize[stretches++] = some;
        }
        zeros += some;
        return some;
    }

    void forEachStretch(Stretches target) {
        for (int i = 0; i < stretches; i++) {
            target.stretch(stretchFrom[i], stretchSize[i]);
        }
    }

    /** Digests every page; may run beside other batches. */
    void digest() {
        MessageDigest sha = Sha256.begin();
        try {
            for (int slot = 0; slot < slots; slot++) {
                if (kinds[slot] != Kind.NOTHING) {
                    sha.update(bytes, slot * Piece.PAGE, sizes[slot]);
                    sha.digest(digests, slot * Sha256.SIZE, Sha256.SIZE);
                }
            }
        } catch (DigestException e) {
            throw new IllegalStateException("a SHA-256 digest has 32 bytes", e);
        }
    }
}
