package dev.guestcore.internal.check;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Compares what a dump holds more than once for an address: the same bytes twice are no damage, other ones contradict what
 * is shown. Not thread-safe.
 */
public final class SecondCopies {

    /** What opening a dump may read to compare: a few hundredths of a second. */
    public static final long AT_OPENING = 4 << 20;

    private static final int CHUNK = 64 << 10;
    private static final long PAGE = Architecture.SMALLEST_PAGE;

    private final long mostBytes;
    private long mostPieces;
    private final Arena arena = Arena.ofAuto();
    private final MemorySegment shown = arena.allocate(CHUNK);
    private final MemorySegment other = arena.allocate(CHUNK);
    private long copies;
    private long compared;
    private long left;
    private long differing;
    private long firstDifference;

    /** Reads bytes of one copy. */
    @FunctionalInterface
    public interface Reader {
        /**
         * Reads from one place on.
         *
         * @param at address or file offset
         * @param target receives the bytes
         * @return how many were read
         */
        long read(long at, MemorySegment target);
    }

    /**
     * Begins with nothing compared.
     *
     * @param mostBytes how much may be read; what is over stays uncompared
     * @param mostPieces how many stretches may be looked at, which bounds the time however ranges overlap
     */
    public SecondCopies(long mostBytes, long mostPieces) {
        this.mostBytes = mostBytes;
        this.mostPieces = mostPieces;
    }

    /**
     * Compares a range that lies in a file with what is shown at its addresses.
     *
     * @param extents what is shown, beside each range its file offset or a negative mark
     * @param file reads by file offset
     * @param first first address
     * @param size bytes of the copy
     * @param offset where they lie in the file
     */
    public void compare(Extents extents, Reader file, long first, long size, long offset) {
        compare(extents, first, size, offset, (at, length, shownAt) -> {
            if (shownAt >= 0) {
                compare(at, length, file, shownAt, file, offset + (at - first));
            }
        });
    }

    /** Compares a stretch of a copy with what is shown there. */
    @FunctionalInterface
    public interface Stretch {
        /**
         * Compares.
         *
         * @param address first address
         * @param size bytes
         * @param value the number beside what is shown, for {@code address}
         */
        void compare(long address, long size, long value);
    }

    /**
     * Finds where something else than a range is shown at its addresses.
     *
     * @param extents what is shown; beside each range an offset, or a negative number that is the same all over it
     * @param first first address
     * @param size bytes of the copy
     * @param value the number beside the copy
     * @param stretch is given every stretch that is shown from elsewhere
     */
    public void compare(Extents extents, long first, long size, long value, Stretch stretch) {
        long done = 0;
        for (long i = extents.floor(first); done < size; i++) {
            long at = first + done;
            if (i < 0 || i >= extents.count() || !extents.contains(i, at)) {
                return;
            }
            if (mostPieces-- <= 0) {
                left += size - done;
                return;
            }
            long behind = extents.last(i) - at;
            long length = Long.compareUnsigned(behind, size - done) < 0 ? behind + 1 : size - done;
            boolean marked = extents.value(i) < 0;
            long shown = marked ? extents.value(i) : extents.value(i) + (at - extents.first(i));
            if (shown != (value < 0 ? value : value + done)) {
                copies++;
                stretch.compare(at, length, shown);
            }
            done += length;
        }
    }

    /**
     * Compares a copy with what is shown.
     *
     * @param address first address of the bytes
     * @param size how many there are
     * @param first reads what is shown
     * @param firstAt from where
     * @param second reads the copy
     * @param secondAt from where
     */
    public void compare(long address, long size, Reader first, long firstAt, Reader second, long secondAt) {
        long done = 0;
        while (done < size && compared < mostBytes) {
            long wanted = Math.min(CHUNK, size - done);
            long read = Math.min(
                    first.read(firstAt + done, shown.asSlice(0, wanted)),
                    second.read(secondAt + done, other.asSlice(0, wanted)));
            for (long at = 0; at < read;) {
                long mismatch = MemorySegment.mismatch(shown, at, read, other, at, read);
                if (mismatch < 0) {
                    break;
                }
                firstDifference = differing++ == 0 ? address + done + at + mismatch : firstDifference;
                at = (at + mismatch) / PAGE * PAGE + PAGE;
            }
            compared += read;
            done += read;
            if (read < wanted) {
                return;
            }
        }
        left += size - done;
    }

    /** How many stretches are there more than once. */
    public long copies() {
        return copies;
    }

    /** How many pages differ between copies. */
    public long differing() {
        return differing;
    }

    /** How many bytes were left uncompared. */
    public long left() {
        return left;
    }

    /** What contradicts, for a reader; empty if nothing does. */
    public String contradiction() {
        return differing == 0 ? "" : differing + (differing == 1 ? " page is" : " pages are")
                + " there twice with different bytes, the first at guest-physical address 0x"
                + Long.toHexString(firstDifference);
    }
}
