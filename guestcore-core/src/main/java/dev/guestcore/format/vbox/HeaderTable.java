package dev.guestcore.format.vbox;

import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.elf.ProgramHeader;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The program headers of a file, one after the other, whatever their number; only a few of them are in memory at
 * once.
 */
final class HeaderTable {

    /** Size of a program header (section 3). */
    static final int ENTRY = 56;

    private static final int BATCH = 1024;
    private static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final FileBytes file;
    private final long offset;
    private final long count;

    /** {@code count} headers from {@code offset} on; all must lie in the file. */
    HeaderTable(FileBytes file, long offset, long count) {
        this.file = file;
        this.offset = offset;
        this.count = count;
    }

    /** Gets the headers in file order. */
    @FunctionalInterface
    interface Visitor {

        /**
         * One header.
         *
         * @return whether to go on
         */
        boolean visit(long index, ProgramHeader header);
    }

    /** Number of headers. */
    long count() {
        return count;
    }

    /** File offset of header {@code index}. */
    long offsetOf(long index) {
        return offset + index * ENTRY;
    }

    /** Shows the headers until the visitor has seen enough. */
    void visit(Visitor visitor) {
        MemorySegment batch = MemorySegment.ofArray(new byte[BATCH * ENTRY]);
        for (long start = 0; start < count; start += BATCH) {
            long length = Math.min(BATCH, count - start);
            long read = file.read(offsetOf(start), batch.asSlice(0, length * ENTRY));
            if (read < length * ENTRY) {
                throw file.incomplete(offsetOf(start) + read);
            }
            for (long i = 0; i < length; i++) {
                if (!visitor.visit(start + i, parse(batch, i * ENTRY))) {
                    return;
                }
            }
        }
    }

    private static ProgramHeader parse(MemorySegment bytes, long at) {
        return new ProgramHeader(
                Integer.toUnsignedLong(bytes.get(U32, at)),
                Integer.toUnsignedLong(bytes.get(U32, at + 4)),
                bytes.get(U64, at + 8),
                bytes.get(U64, at + 16),
                bytes.get(U64, at + 24),
                bytes.get(U64, at + 32),
                bytes.get(U64, at + 40),
                bytes.get(U64, at + 48));
    }
}
