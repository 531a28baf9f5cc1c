package dev.guestcore.manifest;

import dev.guestcore.GuestMemory;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.file.MemoryOutput;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.MemorySegment;

/** Reads the memory of a guest for its digests. What cannot be read counts as zeros. */
final class MemoryReader {

    private static final int CHUNK = 1 << 20;

    private MemoryReader() {}

    /** Tells all memory of {@code regions}, upwards. */
    static void tell(GuestMemory memory, Extents regions, MemoryOutput sink, Progress progress) {
        MemorySegment buffer = MemorySegment.ofArray(new byte[CHUNK]);
        for (long i = 0; i < regions.count(); i++) {
            long address = regions.first(i);
            long last = regions.last(i);
            while (true) {
                PageRun run = memory.contentRunAt(address);
                long runLast = Long.compareUnsigned(run.range().last(), last) < 0
                        ? run.range().last()
                        : last;
                long end = run.state() == PageState.PRESENT
                        ? read(memory, address, runLast, buffer, sink, progress)
                        : runLast;
                if (end == last) {
                    break;
                }
                address = end + 1;
            }
        }
    }

    /** Gives the last address that is done. */
    private static long read(
            GuestMemory memory, long first, long last, MemorySegment buffer, MemoryOutput sink, Progress progress) {
        long lessOne = Math.min(last - first < 0 ? Long.MAX_VALUE : last - first, CHUNK - (first & CHUNK - 1) - 1);
        MemorySegment chunk = buffer.asSlice(0, lessOne + 1);
        long count = memory.readAvailable(first, chunk);
        if (count > 0) {
            sink.tell(first, chunk.asSlice(0, count));
        }
        progress.advance(lessOne + 1);
        if (count > lessOne) {
            return first + lessOne;
        }
        // The source failed here although it had promised otherwise: the rest of that page counts as zeros.
        long pageEnd = first + count | Piece.PAGE - 1;
        return Long.compareUnsigned(pageEnd, first + lessOne) < 0 ? pageEnd : first + lessOne;
    }
}
