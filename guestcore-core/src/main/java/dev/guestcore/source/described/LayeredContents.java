package dev.guestcore.source.described;

import dev.guestcore.PageState;
import dev.guestcore.RegionContents;
import dev.guestcore.file.FileBytes;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;

/**
 * Pieces on top of each other over zeros; the last one that covers a byte gives it. Which of the pieces without a
 * choice of pages lies on top is worked out beforehand, so that thousands of them cost O(log n); each of those with one
 * is asked.
 */
final class LayeredContents implements RegionContents {

    private static final int NONE = -1;

    /** In a shorter part of a file nobody looks for holes. */
    private static final int SMALLEST_HOLE = 64 << 10;

    private static final Filling ZEROS = new Filling.Zero();

    /** A run need not be maximal: this many spans are joined at most, so that one answer never takes long. */
    private static final int MOST_SPANS_IN_RUN = 1024;

    private final long address;
    private final FilledRange[] pieces;

    /** Indices of the pieces with a choice of pages, the topmost first. */
    private final int[] choosing;

    /** Where the topmost of the other pieces changes, ascending from 0, and which it is from there on. */
    private final long[] starts;

    private final int[] topmost;

    /** Up to where the bytes come from one piece. */
    private record Span(int piece, long size) {}

    /**
     * Lays the pieces on top of each other.
     *
     * @param address first guest-physical address of the region
     * @param layers the lowest first
     */
    LayeredContents(long address, List<FilledRange> layers) {
        this.address = address;
        pieces = layers.toArray(FilledRange[]::new);
        List<Integer> plain = new ArrayList<>();
        List<Integer> choosers = new ArrayList<>();
        for (int i = 0; i < pieces.length; i++) {
            (pieces[i].pages().isEmpty() ? plain : choosers).add(i);
        }
        choosing = choosers.reversed().stream().mapToInt(Integer::intValue).toArray();

        long[] changes = new long[2 * plain.size() + 1];
        for (int i = 0; i < plain.size(); i++) {
            changes[2 * i + 1] = pieces[plain.get(i)].offset();
            changes[2 * i + 2] = pieces[plain.get(i)].end();
        }
        starts = Arrays.stream(changes).sorted().distinct().toArray();
        topmost = new int[starts.length];
        Integer[] byStart = plain.toArray(Integer[]::new);
        Arrays.sort(byStart, (left, right) -> Long.compare(pieces[left].offset(), pieces[right].offset()));
        TreeSet<Integer> active = new TreeSet<>();
        int next = 0;
        for (int i = 0; i < starts.length; i++) {
            while (next < byStart.length && pieces[byStart[next]].offset() <= starts[i]) {
                active.add(byStart[next++]);
            }
            while (!active.isEmpty() && pieces[active.last()].end() <= starts[i]) {
                active.removeLast();
            }
            topmost[i] = active.isEmpty() ? NONE : active.last();
        }
    }

    private Span spanAt(long offset) {
        int found = Arrays.binarySearch(starts, offset);
        int index = found >= 0 ? found : -found - 2;
        int piece = topmost[index];
        long size = index + 1 < starts.length ? starts[index + 1] - offset : Long.MAX_VALUE;
        for (int candidate : choosing) {
            if (candidate < piece) {
                break;
            }
            size = Math.min(size, pieces[candidate].sameFor(offset, address + offset));
            if (pieces[candidate].covers(offset, address + offset)) {
                piece = candidate;
                break;
            }
        }
        return new Span(piece, size);
    }

    private Filling filling(Span span) {
        return span.piece() == NONE ? ZEROS : pieces[span.piece()].filling();
    }

    @Override
    public long readAvailable(long offset, MemorySegment target) {
        long done = 0;
        while (done < target.byteSize()) {
            long at = offset + done;
            Span span = spanAt(at);
            Filling filling = filling(span);
            if (!filling.state().isReadable()) {
                break;
            }
            long length = Math.min(span.size(), target.byteSize() - done);
            long position = span.piece() == NONE ? 0 : pieces[span.piece()].position(at, address + at);
            filling.fill(address + at, position, target.asSlice(done, length));
            done += length;
        }
        return done;
    }

    @Override
    public Run contentRunAt(long offset, long remaining) {
        Run run = runAt(offset, remaining);
        Span span = spanAt(offset);
        if (span.size() < SMALLEST_HOLE || !(filling(span) instanceof Filling.Slice(FileBytes file, long start))) {
            return run;
        }
        long limit = Math.min(span.size(), run.size());
        long position = pieces[span.piece()].position(offset, address + offset);
        FileBytes.StoredRun stored = file.storedAt(start + position, limit);
        if (stored.size() == limit) {
            return new Run(stored.hole() ? PageState.ZERO : PageState.PRESENT, limit);
        }
        long inPage = address + offset + stored.size() & PageChoice.PAGE_SIZE - 1;
        return stored.hole()
                ? new Run(PageState.ZERO, stored.size() - inPage)
                : new Run(
                        PageState.PRESENT,
                        inPage == 0 ? stored.size() : Math.min(limit, stored.size() + PageChoice.PAGE_SIZE - inPage));
    }

    @Override
    public Run runAt(long offset, long remaining) {
        Span span = spanAt(offset);
        PageState state = filling(span).state();
        long size = Math.min(span.size(), remaining);
        for (int joined = 1; joined < MOST_SPANS_IN_RUN && size < remaining; joined++) {
            Span next = spanAt(offset + size);
            if (filling(next).state() != state) {
                break;
            }
            size += Math.min(next.size(), remaining - size);
        }
        return new Run(state, size);
    }
}
