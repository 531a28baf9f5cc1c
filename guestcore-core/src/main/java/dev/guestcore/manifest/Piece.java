package dev.guestcore.manifest;

import dev.guestcore.cpu.Architecture;

/**
 * The digest of a piece: what lies in one aligned MiB, of one memory region or of the file without the memory in it.
 *
 * @param region index of the region, or {@link #FILE}
 * @param first guest-physical address, or file offset, of its first byte
 * @param pages how many pages it has; the first and the last may be cut off by the region's ends
 * @param digest SHA-256 over the SHA-256 digests of all its pages
 * @param tags the first four bytes of each page's digest
 */
record Piece(long region, long first, int pages, byte[] digest, byte[] tags) {

    /** Size and alignment of a page, in bytes. */
    static final int PAGE = Architecture.SMALLEST_PAGE;
    /** Size and alignment of a piece, in bytes. */
    static final int SIZE = 1 << 20;
    /** Bytes of a tag. */
    static final int TAG = 4;
    /** The region of what is no guest memory. */
    static final long FILE = -1;

    /** Told of pieces, in the order in which they are complete. Pieces that are all zero are not told. */
    interface Listener {
        void piece(Piece piece);
    }
}
