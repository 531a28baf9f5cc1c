package dev.guestcore.format.xenlegacy;

import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.xen.ContextLayout;
import java.nio.ByteOrder;
import java.util.Optional;

/**
 * The header, 24 bytes, and what follows from it (docs/formats/xen-legacy.md).
 *
 * <pre>
 *   0 magic u32             4 number of vCPUs u32       8 number of pages u32
 *  12 offset of contexts    16 offset of the list u32   20 offset of the pages u32
 * </pre>
 *
 * @param file the dump
 * @param order byte order of the machine that wrote it
 * @param hvm whether the magic is the one of HVM guests
 * @param vcpuCount number of vCPUs
 * @param pageCount number of pages as the header says
 * @param contextOffset where the contexts begin
 * @param listOffset where the list of frames begins
 * @param pagesOffset where the pages begin
 */
record LegacyDump(
        FileBytes file,
        ByteOrder order,
        boolean hvm,
        long vcpuCount,
        long pageCount,
        long contextOffset,
        long listOffset,
        long pagesOffset) {

    static final long PAGE = 4096;
    static final long HEADER = 24;
    static final int MAGIC = 0xf00febed;
    static final int MAGIC_HVM = 0xf00febee;

    /** The byte order in which the file begins with one of the magics. */
    static Optional<ByteOrder> order(FileBytes file) {
        if (!file.holds(0, HEADER)) {
            return Optional.empty();
        }
        for (ByteOrder order : new ByteOrder[] {ByteOrder.LITTLE_ENDIAN, ByteOrder.BIG_ENDIAN}) {
            int magic = (int) file.u32(0, order, "magic");
            if (magic == MAGIC || magic == MAGIC_HVM) {
                return Optional.of(order);
            }
        }
        return Optional.empty();
    }

    /**
     * Reads the header of a file that begins with a magic.
     *
     * @throws MalformedDumpException if its offsets do not ascend
     */
    static LegacyDump read(FileBytes file, ByteOrder order) {
        LegacyDump dump = new LegacyDump(
                file,
                order,
                (int) file.u32(0, order, "magic") == MAGIC_HVM,
                file.u32(4, order, "number of vCPUs"),
                file.u32(8, order, "number of pages"),
                file.u32(12, order, "offset of the contexts"),
                file.u32(16, order, "offset of the frame list"),
                file.u32(20, order, "offset of the pages"));
        if (dump.contextOffset < HEADER) {
            throw file.malformed(12, "offset of the contexts", "24 or more", Long.toString(dump.contextOffset),
                    "the header is damaged");
        }
        if (dump.listOffset < dump.contextOffset) {
            throw file.malformed(16, "offset of the frame list", "at least " + dump.contextOffset,
                    Long.toString(dump.listOffset), "the header is damaged");
        }
        if (dump.pagesOffset < dump.listOffset || dump.pagesOffset % PAGE != 0) {
            throw file.malformed(20, "offset of the pages", "a multiple of 4096, at least " + dump.listOffset,
                    Long.toString(dump.pagesOffset), "the header is damaged");
        }
        if (dump.pageCount > (dump.pagesOffset - dump.listOffset) / Integer.BYTES) {
            throw file.malformed(8, "number of pages",
                    "at most " + (dump.pagesOffset - dump.listOffset) / Integer.BYTES + ", for which the list has room",
                    Long.toString(dump.pageCount), "the header is damaged");
        }
        return dump;
    }

    /** Bytes of one context: what lies between contexts and list, divided by the number of vCPUs. */
    long contextSize() {
        return vcpuCount == 0 ? 0 : (listOffset - contextOffset) / vcpuCount;
    }

    /** The layout of the contexts, if it is a known one. */
    Optional<ContextLayout> contextLayout() {
        for (ContextLayout layout : ContextLayout.values()) {
            if (order == ByteOrder.LITTLE_ENDIAN && contextSize() == layout.size()) {
                return Optional.of(layout);
            }
        }
        return Optional.empty();
    }

    /**
     * Bytes of an entry of the list: a native long of the machine that wrote it, which may be wider than the guest's. Where
     * the room up to the pages allows both, entries of eight bytes show by their upper halves, which are zero.
     */
    int entrySize() {
        boolean four = ends(Integer.BYTES);
        boolean eight = ends(Long.BYTES);
        if (four != eight) {
            return four ? Integer.BYTES : Long.BYTES;
        }
        if (pageCount > (pagesOffset - listOffset) / Long.BYTES) {
            return Integer.BYTES;
        }
        for (long i = 0; i < Math.min(pageCount, 16); i++) {
            if (!file.holds(listOffset + i * Long.BYTES, Long.BYTES)) {
                return Integer.BYTES;
            }
            long entry = file.u64(listOffset + i * Long.BYTES, order, "frame");
            if (entry != -1L && entry >>> Integer.SIZE != 0) {
                return Integer.BYTES;
            }
        }
        return Long.BYTES;
    }

    /** Whether a list of such entries ends right before the page on which the pages begin. */
    private boolean ends(int width) {
        return (listOffset + pageCount * width + PAGE - 1 & -PAGE) == pagesOffset;
    }

    /** How many pages lie in the file, the last one perhaps in part. */
    long storedPages() {
        long bytes = Math.max(0, file.size() - pagesOffset);
        return Math.min(pageCount, (bytes + PAGE - 1) / PAGE);
    }
}
