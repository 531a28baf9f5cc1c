package dev.guestcore.manifest;

import dev.guestcore.internal.ranges.Extents;
import java.security.MessageDigest;
import java.util.Arrays;

/** Puts page digests together to pieces. Pages that do not come are zero. Not thread-safe. */
final class PieceCollector {

    private static final int SLOTS = PageBatch.SLOTS;
    private static final byte[] ZERO_PAGE = Sha256.begin().digest(new byte[Piece.PAGE]);

    private final Extents regions;
    private final Piece.Listener listener;
    private final MessageDigest sha = Sha256.begin();
    private final byte[] digests = new byte[SLOTS * Sha256.SIZE];
    private final boolean[] known = new boolean[SLOTS];
    private boolean open;
    private long region;
    private long block;

    /**
     * Begins.
     *
     * @param regions the memory regions, none for a file
     */
    PieceCollector(Extents regions, Piece.Listener listener) {
        this.regions = regions;
        this.listener = listener;
    }

    /**
     * A page.
     *
     * @param address any in it
     * @param from where its digest begins in {@code source}
     */
    void page(long region, long address, byte[] source, int from) {
        long block = address & -Piece.SIZE;
        if (!open || region != this.region || block != this.block) {
            finish();
            open = true;
            this.region = region;
            this.block = block;
            Arrays.fill(known, false);
        }
        int page = (int) (address - block) / Piece.PAGE;
        known[page] = true;
        System.arraycopy(source, from, digests, page * Sha256.SIZE, Sha256.SIZE);
    }

    /** No page comes any more. */
    void finish() {
        if (!open) {
            return;
        }
        open = false;
        long first = firstOf(regions, region, block);
        long last = lastOf(regions, region, block);
        int from = (int) (first - block) / Piece.PAGE;
        int to = (int) (last - block) / Piece.PAGE;
        byte[] tags = new byte[(to - from + 1) * Piece.TAG];
        boolean zero = true;
        for (int page = from; page <= to; page++) {
            byte[] zeros = zeroDigest(first, last, block + (long) page * Piece.PAGE);
            int at = page * Sha256.SIZE;
            if (!known[page]) {
                System.arraycopy(zeros, 0, digests, at, Sha256.SIZE);
            }
            zero &= Arrays.equals(digests, at, at + Sha256.SIZE, zeros, 0, Sha256.SIZE);
            sha.update(digests, at, Sha256.SIZE);
            System.arraycopy(digests, at, tags, (page - from) * Piece.TAG, Piece.TAG);
        }
        byte[] digest = sha.digest();
        if (!zero) {
            listener.piece(new Piece(region, first, to - from + 1, digest, tags));
        }
    }

    /** Digest of as many zeros as the page has bytes between {@code first} and {@code last}. */
    static byte[] zeroDigest(long first, long last, long page) {
        long from = Long.compareUnsigned(first, page) > 0 ? first : page;
        long end = page + (Piece.PAGE - 1);
        long to = Long.compareUnsigned(last, end) < 0 ? last : end;
        int size = (int) (to - from) + 1;
        return size == Piece.PAGE ? ZERO_PAGE : Sha256.begin().digest(new byte[size]);
    }

    /** First byte of a piece, whose block is cut off where its region begins. */
    static long firstOf(Extents regions, long region, long block) {
        return region == Piece.FILE || Long.compareUnsigned(regions.first(region), block) < 0
                ? block
                : regions.first(region);
    }

    /** Last byte of a piece, whose block is cut off where its region ends. */
    static long lastOf(Extents regions, long region, long block) {
        long end = block + (Piece.SIZE - 1);
        return region == Piece.FILE || Long.compareUnsigned(regions.last(region), end) > 0 ? end : regions.last(region);
    }

    /** How many pages a piece has. */
    static int pages(Extents regions, long region, long block) {
        int from = (int) (firstOf(regions, region, block) - block) / Piece.PAGE;
        int to = (int) (lastOf(regions, region, block) - block) / Piece.PAGE;
        return to - from + 1;
    }
}
