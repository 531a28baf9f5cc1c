package dev.guestcore.format.xen;

import dev.guestcore.facts.FrameTable;
import dev.guestcore.file.FileBytes;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Objects;

/** The frame table of a file (docs/formats/xen-dump-core.md, section 6): {u64 pfn, u64 gmfn} or u64 pfn a page. */
final class FileFrameTable implements FrameTable {

    static final int P2M_ENTRY = 16;
    static final int PFN_ENTRY = 8;

    private static final ValueLayout.OfLong LITTLE =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final FileBytes file;
    private final ByteOrder order;
    private final long offset;
    private final long size;
    private final boolean machineFrames;

    /**
     * A table in {@code file}.
     *
     * @param offset where it begins
     * @param size number of entries, all of them in the file
     */
    FileFrameTable(FileBytes file, ByteOrder order, long offset, long size, boolean machineFrames) {
        this.file = file;
        this.order = order;
        this.offset = offset;
        this.size = size;
        this.machineFrames = machineFrames;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public long pfn(long index) {
        return file.u64(entry(index), order, "pfn");
    }

    @Override
    public long mfn(long index) {
        if (!machineFrames) {
            throw new IllegalStateException("a .xen_pfn table has no machine frames");
        }
        return file.u64(entry(index) + Long.BYTES, order, "gmfn");
    }

    @Override
    public boolean hasMachineFrames() {
        return machineFrames;
    }

    private long entry(long index) {
        return offset + Objects.checkIndex(index, size) * width();
    }

    private int width() {
        return machineFrames ? P2M_ENTRY : PFN_ENTRY;
    }

    @Override
    public void read(long index, long[] pfns, long[] mfns, int count) {
        Objects.checkFromIndexSize(index, count, size);
        byte[] bytes = new byte[count * width()];
        MemorySegment segment = MemorySegment.ofArray(bytes);
        long read = file.read(offset + index * width(), segment);
        if (read < bytes.length) {
            throw file.incomplete(offset + index * width() + read);
        }
        boolean swap = order == ByteOrder.BIG_ENDIAN;
        for (int i = 0; i < count; i++) {
            long at = (long) i * width();
            long pfn = segment.get(LITTLE, at);
            long mfn = machineFrames ? segment.get(LITTLE, at + Long.BYTES) : pfn;
            pfns[i] = swap ? Long.reverseBytes(pfn) : pfn;
            mfns[i] = swap ? Long.reverseBytes(mfn) : mfn;
        }
    }
}
