package dev.guestcore.manifest;

import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.Arrays;

/**
 * Pieces in the order in which they came, found by their address; outside the heap. 48 bytes a piece, and its tags where
 * they are wanted. Not thread-safe while it grows.
 */
final class PieceTable {

    private static final long ENTRY = 48;
    private static final long TAGS = 8;
    private static final long DIGEST = 16;

    private final Arena arena = Arena.ofAuto();
    private MemorySegment entries = arena.allocate(64 * ENTRY, Long.BYTES);
    private MemorySegment tags = arena.allocate(4096, Long.BYTES);
    private long count;
    private long tagBytes;
    private boolean ascending = true;
    private int[] order = {};

    /** Adds a piece. */
    void add(long first, byte[] digest, byte[] pieceTags) {
        entries = room(entries, count * ENTRY, ENTRY);
        tags = room(tags, tagBytes, pieceTags.length);
        ascending &= count == 0 || Long.compareUnsigned(stored(count - 1), first) < 0;
        long at = count * ENTRY;
        entries.set(ValueLayout.JAVA_LONG, at, first);
        entries.set(ValueLayout.JAVA_LONG, at + TAGS, tagBytes);
        MemorySegment.copy(digest, 0, entries, ValueLayout.JAVA_BYTE, at + DIGEST, Sha256.SIZE);
        MemorySegment.copy(pieceTags, 0, tags, ValueLayout.JAVA_BYTE, tagBytes, pieceTags.length);
        tagBytes += pieceTags.length;
        count++;
    }

    private MemorySegment room(MemorySegment full, long used, long more) {
        if (used + more <= full.byteSize()) {
            return full;
        }
        MemorySegment larger = arena.allocate(2 * (full.byteSize() + more), Long.BYTES);
        MemorySegment.copy(full, 0, larger, 0, used);
        return larger;
    }

    private long stored(long entry) {
        return entries.get(ValueLayout.JAVA_LONG, entry * ENTRY);
    }

    long count() {
        return count;
    }

    /** Has to be called when the last piece was added; gives whether no two pieces have the same address. */
    boolean sort() {
        if (ascending) {
            return true;
        }
        Integer[] sorted = new Integer[Math.toIntExact(count)];
        Arrays.setAll(sorted, i -> i);
        Arrays.sort(sorted, (left, right) -> Long.compareUnsigned(stored(left), stored(right)));
        order = Arrays.stream(sorted).mapToInt(Integer::intValue).toArray();
        for (int i = 1; i < count; i++) {
            if (first(i - 1) == first(i)) {
                return false;
            }
        }
        return true;
    }

    private long entry(long index) {
        return ascending ? index : order[(int) index];
    }

    /** Address of the piece that is the {@code index}th by address. */
    long first(long index) {
        return stored(entry(index));
    }

    /** Digest of the piece that is the {@code index}th by address. */
    byte[] digest(long index) {
        return entries.asSlice(entry(index) * ENTRY + DIGEST, Sha256.SIZE).toArray(ValueLayout.JAVA_BYTE);
    }

    /** Tags of the piece that is the {@code index}th by address. */
    byte[] tags(long index) {
        long entry = entry(index);
        long from = entries.get(ValueLayout.JAVA_LONG, entry * ENTRY + TAGS);
        long to = entry + 1 < count ? entries.get(ValueLayout.JAVA_LONG, (entry + 1) * ENTRY + TAGS) : tagBytes;
        return tags.asSlice(from, to - from).toArray(ValueLayout.JAVA_BYTE);
    }

    /** Which piece by address begins at {@code first}; -1 if none does. */
    long find(long first) {
        long from = ceiling(first);
        return from < count && first(from) == first ? from : -1;
    }

    private long ceiling(long address) {
        long low = 0;
        long high = count;
        while (low < high) {
            long middle = low + high >>> 1;
            if (Long.compareUnsigned(first(middle), address) < 0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /** SHA-256 over a region's ends, and address and digest of each of its pieces that is not zero. */
    byte[] regionDigest(Extents regions, long region) {
        MessageDigest sha = Sha256.begin();
        ByteBuffer numbers = ByteBuffer.allocate(2 * Long.BYTES);
        sha.update(numbers.putLong(regions.first(region)).putLong(regions.last(region)).array());
        byte[] address = new byte[Long.BYTES];
        for (long i = ceiling(regions.first(region));
                i < count && Long.compareUnsigned(first(i), regions.last(region)) <= 0;
                i++) {
            ByteBuffer.wrap(address).putLong(first(i));
            sha.update(address);
            sha.update(digest(i));
        }
        return sha.digest();
    }
}
