package dev.guestcore.manifest;

import dev.guestcore.internal.ranges.Extents;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Compares pieces as they come with those of a manifest, and names the pages that differ. Not thread-safe. */
final class PieceComparison implements Piece.Listener {

    private final PieceTable expected;
    private final Extents regions;
    private final boolean inFile;
    private final BitSet seen = new BitSet();
    private final List<Pages> changes = new ArrayList<>();
    private long changedPages;

    /** Pages side by side that differ, both addresses inclusive. */
    record Pages(long region, long first, long last, long count) {}

    /**
     * Begins.
     *
     * @param expected what the manifest says
     * @param inFile whether these are the pieces of the file without memory
     */
    PieceComparison(PieceTable expected, Extents regions, boolean inFile) {
        this.expected = expected;
        this.regions = regions;
        this.inFile = inFile;
    }

    @Override
    public void piece(Piece piece) {
        long index = expected.find(piece.first());
        if (index < 0) {
            compare(piece.region(), piece.first(), null, piece.tags());
            return;
        }
        seen.set(Math.toIntExact(index));
        if (!Arrays.equals(expected.digest(index), piece.digest())) {
            compare(piece.region(), piece.first(), expected.tags(index), piece.tags());
        }
    }

    /** What did not come is zero now. */
    void finish() {
        int count = Math.toIntExact(expected.count());
        for (int index = seen.nextClearBit(0); index < count; index = seen.nextClearBit(index + 1)) {
            long first = expected.first(index);
            compare(inFile ? Piece.FILE : regions.floor(first), first, expected.tags(index), null);
        }
    }

    private void compare(
            long region,
            long pieceFirst,
            byte @Nullable [] wanted,
            byte @Nullable [] found) {
        long block = pieceFirst & -Piece.SIZE;
        long pieceLast = PieceCollector.lastOf(regions, region, block);
        int pages = PieceCollector.pages(regions, region, block);
        boolean any = false;
        for (int i = 0; i < pages; i++) {
            long page = (pieceFirst & -Piece.PAGE) + (long) i * Piece.PAGE;
            if (tag(wanted, i, pieceFirst, pieceLast, page) != tag(found, i, pieceFirst, pieceLast, page)) {
                any = true;
                add(region, i == 0 ? pieceFirst : page, last(page, pieceLast), 1);
            }
        }
        if (!any) {
            // A tag is short: somebody took pains to keep all of them. The digest of the piece cannot be kept.
            add(region, pieceFirst, pieceLast, pages);
        }
    }

    private static long last(long page, long pieceLast) {
        long last = page + (Piece.PAGE - 1);
        return Long.compareUnsigned(last, pieceLast) < 0 ? last : pieceLast;
    }

    private static int tag(
            byte @Nullable [] tags, int page, long first, long last, long address) {
        byte[] source = tags == null ? PieceCollector.zeroDigest(first, last, address) : tags;
        int at = tags == null ? 0 : page * Piece.TAG;
        return source[at] << 24 | (source[at + 1] & 0xff) << 16 | (source[at + 2] & 0xff) << 8 | source[at + 3] & 0xff;
    }

    private void add(long region, long first, long last, long count) {
        changedPages += count;
        int end = changes.size() - 1;
        if (end >= 0 && changes.get(end).region() == region && changes.get(end).last() + 1 == first) {
            Pages before = changes.get(end);
            changes.set(end, new Pages(region, before.first(), last, before.count() + count));
        } else if (changes.size() < ManifestReport.MOST_CHANGES) {
            changes.add(new Pages(region, first, last, count));
        }
    }

    /** What differs, upwards; as many as a report may have. */
    List<Pages> changes() {
        changes.sort(Comparator.comparing(Pages::first, Long::compareUnsigned));
        return changes;
    }

    /** How many pages differ in all. */
    long changedPages() {
        return changedPages;
    }

    /** Whether more than half of what the manifest knows differs. */
    boolean isMostlyChanged() {
        long known = 0;
        for (long i = 0; i < expected.count(); i++) {
            long block = expected.first(i) & -Piece.SIZE;
            known += PieceCollector.pages(regions, inFile ? Piece.FILE : regions.floor(expected.first(i)), block);
        }
        return changedPages > known / 2;
    }
}
