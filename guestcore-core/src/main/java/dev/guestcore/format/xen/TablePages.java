package dev.guestcore.format.xen;

import dev.guestcore.AddressRange;
import dev.guestcore.Progress;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.file.CoreSink;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.internal.writer.MemoryCopier;
import java.nio.ByteOrder;

/** Writes pages and tables that follow a frame table: entry by entry as it is, or in the order of its frames. */
final class TablePages {

    private TablePages() {}

    /** Every entry's page; one that has none is zero. */
    static void writePages(
            FrameTable frames, int pageShift, CoreSink sink, MemoryCopier copier, Progress progress) {
        long pageSize = 1L << pageShift;
        long[] pfns = new long[FrameIndex.CHUNK];
        long[] mfns = new long[FrameIndex.CHUNK];
        for (long index = 0; index < frames.size(); index += FrameIndex.CHUNK) {
            int count = (int) Math.min(FrameIndex.CHUNK, frames.size() - index);
            frames.read(index, pfns, mfns, count);
            for (int i = 0; i < count;) {
                int run = 1;
                if (pfns[i] >>> Long.SIZE - pageShift != 0) {
                    sink.writeZeros(pageSize);
                    progress.advance(pageSize);
                } else {
                    while (i + run < count && pfns[i + run] == pfns[i] + run) {
                        run++;
                    }
                    copier.copy(AddressRange.ofSize(pfns[i] << pageShift, run * pageSize));
                }
                i += run;
            }
        }
    }

    /** Every entry as it is. */
    static void writeTable(FrameTable frames, ByteOrder order, CoreSink sink) {
        FrameStream table = new FrameStream(order, sink);
        long[] pfns = new long[FrameIndex.CHUNK];
        long[] mfns = new long[FrameIndex.CHUNK];
        for (long index = 0; index < frames.size(); index += FrameIndex.CHUNK) {
            int count = (int) Math.min(FrameIndex.CHUNK, frames.size() - index);
            frames.read(index, pfns, mfns, count);
            for (int i = 0; i < count; i++) {
                table.put(pfns[i]);
                if (frames.hasMachineFrames()) {
                    table.put(mfns[i]);
                }
            }
        }
        table.flush();
    }

    /** The pages of all runs, ascending. */
    static void writePages(Extents runs, CoreSink sink, MemoryCopier copier) {
        for (long run = 0; run < runs.count(); run++) {
            copier.copy(new AddressRange(runs.first(run), runs.last(run)));
        }
    }

    /**
     * Page frame and machine frame of every page of all runs, ascending.
     *
     * @param runs beside each run, the index of its first entry times the page size
     */
    static void writeTable(Extents runs, FrameTable frames, int pageShift, CoreSink sink) {
        FrameStream table = new FrameStream(ByteOrder.LITTLE_ENDIAN, sink);
        for (long run = 0; run < runs.count(); run++) {
            long first = runs.first(run) >>> pageShift;
            long last = runs.last(run) >>> pageShift;
            long index = runs.value(run) >>> pageShift;
            for (long page = first; page <= last; page++) {
                table.put(page);
                table.put(frames.mfn(index + page - first));
            }
        }
        table.flush();
    }
}
