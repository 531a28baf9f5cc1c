package dev.guestcore.source.described;

import java.util.Optional;

/**
 * Contents of part of a region.
 *
 * @param offset first byte, from the start of the region
 * @param size length in bytes, at least 1
 * @param pages only part of the pages, if not empty
 * @param filling the bytes
 */
record FilledRange(long offset, long size, Optional<PageChoice> pages, Filling filling) {

    /** First offset behind the piece. */
    long end() {
        return offset + size;
    }

    /** Whether the piece gives the byte at an offset. */
    boolean covers(long at, long address) {
        return at >= offset && at - offset < size && (pages.isEmpty() || pages.get().chooses(address));
    }

    /** How many bytes from an offset on the piece gives all or none of. */
    long sameFor(long at, long address) {
        if (at < offset) {
            return offset - at;
        }
        if (at - offset >= size) {
            return Long.MAX_VALUE;
        }
        long toEnd = size - (at - offset);
        return pages.isEmpty() ? toEnd : Math.min(toEnd, pages.get().sameFor(address));
    }

    /** Offset of a byte from the start of what it belongs to: the piece, or its part of a page. */
    long position(long at, long address) {
        return pages.isEmpty() ? at - offset : (address & PageChoice.PAGE_SIZE - 1) - pages.get().offset();
    }
}
