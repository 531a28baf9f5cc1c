package dev.guestcore.search;

import dev.guestcore.GuestMemory;
import dev.guestcore.cpu.Architecture;
import java.lang.foreign.MemorySegment;

/**
 * A stretch of neighbouring addresses to search, and what was found in it. Its memory is of fixed size. Filled by one
 * thread, then worked on by another.
 *
 * <p>Of two stretches that follow one another the second repeats the end of the first, so that a match always lies in
 * one: a match is looked for where it has all the room that the longest may need.
 */
final class SearchBatch {

    /** Bytes of a stretch. */
    static final int SIZE = 1 << 19;

    /** More than the longest overlap has bytes, so that a stretch always has room for new pieces. */
    private static final int MOST_PIECES = 2 * SearchPattern.LONGEST;

    private static final int MOST_HITS = 2048;
    private static final int PAGE = Architecture.SMALLEST_PAGE;
    private static final int MOST_SEGMENTS = 2 * MOST_PIECES + SIZE / PAGE;

    private final GuestMemory memory;
    private final ByteMatcher matcher;
    private final byte[] bytes = new byte[SIZE];

    private final long[] pieceAddress = new long[MOST_PIECES];
    private final int[] pieceSize = new int[MOST_PIECES];
    private int pieces;
    private int size;
    private long address;
    private int carried;
    private int overlap;

    private final int[] segmentStart = new int[MOST_SEGMENTS];
    private final int[] segmentEnd = new int[MOST_SEGMENTS];
    private int segments;
    private int unreadable;

    private final int[] hitStart = new int[MOST_HITS];
    private final int[] hitLength = new int[MOST_HITS];
    private int hits;
    private boolean all;

    SearchBatch(GuestMemory memory, SearchPattern pattern) {
        this.memory = memory;
        this.matcher = pattern.matcher();
    }

    /** Begins a stretch at {@code start}. */
    void begin(long start) {
        address = start;
        pieces = 0;
        size = 0;
        carried = 0;
        overlap = 0;
    }

    /** Address behind the last byte. */
    long end() {
        return address + size;
    }

    long address() {
        return address;
    }

    boolean isEmpty() {
        return size == carried;
    }

    boolean isFull() {
        return size == SIZE || pieces == MOST_PIECES;
    }

    /** Bytes that were in no stretch before. */
    int newBytes() {
        return size - carried;
    }

    int unreadable() {
        return unreadable;
    }

    /** Adds as much as there is room for, and gives how much that was. */
    int add(long physical, long length) {
        int added = (int) Math.min(length, SIZE - size);
        pieceAddress[pieces] = physical;
        pieceSize[pieces] = added;
        pieces++;
        size += added;
        return added;
    }

    /** Says that the memory goes on in {@code next}, and gives it the last {@code length} bytes of this one. */
    void continueIn(SearchBatch next, int length) {
        int carry = Math.min(length, size);
        next.begin(address + size - carry);
        overlap = carry;
        int skip = size - carry;
        for (int i = 0; i < pieces; i++) {
            int inPiece = Math.min(skip, pieceSize[i]);
            skip -= inPiece;
            if (inPiece < pieceSize[i]) {
                next.add(pieceAddress[i] + inPiece, pieceSize[i] - inPiece);
            }
        }
        next.carried = carry;
    }

    /** Reads and searches. */
    void work() {
        read();
        hits = 0;
        all = search(0, (start, length) -> {
            if (hits == MOST_HITS) {
                return false;
            }
            hitStart[hits] = start;
            hitLength[hits] = length;
            hits++;
            return true;
        });
    }

    /** Takes a find; false to stop. */
    interface HitConsumer {
        boolean take(int start, int length);
    }

    /**
     * Gives the finds from {@code from} on, ascending.
     *
     * @return whether {@code consumer} took them all
     */
    boolean report(long from, HitConsumer consumer) {
        // What follows the find before may lie anywhere: in the stretch, or below it by any distance.
        long inside = Long.compareUnsigned(from, address) > 0 ? from - address : 0;
        if (hits > 0 && Long.compareUnsigned(hitStart[0], inside) < 0) {
            return search(Long.compareUnsigned(inside, size) < 0 ? (int) inside : size, consumer);
        }
        for (int i = 0; i < hits; i++) {
            if (!consumer.take(hitStart[i], hitLength[i])) {
                return false;
            }
        }
        // There were more finds than there is room for: they are looked up again instead of being kept.
        return all || searchBehindKept(consumer);
    }

    private boolean searchBehindKept(HitConsumer consumer) {
        int[] kept = {hits};
        return search(hitStart[0], (start, length) -> kept[0]-- > 0 || consumer.take(start, length));
    }

    private boolean search(int from, HitConsumer consumer) {
        int startsEnd = size - overlap;
        for (int i = 0; i < segments; i++) {
            int begin = Math.max(from, segmentStart[i]);
            int limit = Math.min(startsEnd, segmentEnd[i]);
            if (begin >= limit) {
                continue;
            }
            matcher.reset(bytes, begin, limit, segmentEnd[i]);
            while (matcher.find()) {
                if (!consumer.take(matcher.start(), matcher.length())) {
                    return false;
                }
            }
        }
        return true;
    }

    private void read() {
        segments = 0;
        unreadable = 0;
        int open = 0;
        int at = 0;
        for (int i = 0; i < pieces; i++) {
            int done = 0;
            while (done < pieceSize[i]) {
                MemorySegment target = MemorySegment.ofArray(bytes).asSlice(at, pieceSize[i] - done);
                long from = pieceAddress[i] + done;
                int copied = (int) memory.readAvailable(from, target);
                done += copied;
                at += copied;
                if (done < pieceSize[i]) {
                    long failed = pieceAddress[i] + done;
                    int skip = (int) Math.min(pieceSize[i] - done, PAGE - (failed & PAGE - 1));
                    segment(open, at);
                    done += skip;
                    at += skip;
                    open = at;
                    unreadable += Math.max(0, Math.min(skip, at - carried));
                }
            }
        }
        segment(open, at);
    }

    private void segment(int start, int end) {
        if (end > start) {
            segmentStart[segments] = start;
            segmentEnd[segments] = end;
            segments++;
        }
    }
}
