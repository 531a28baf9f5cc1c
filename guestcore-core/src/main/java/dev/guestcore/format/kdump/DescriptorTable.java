package dev.guestcore.format.kdump;

import dev.guestcore.file.FileBytes;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The page descriptors of one file.
 *
 * @param file holds them
 * @param header its header
 * @param count how many pages the bitmap says that the file has
 */
record DescriptorTable(FileBytes file, KdumpHeader header, long count) {

    private static final int BATCH = 4096;

    /** Sees descriptors in their order. */
    @FunctionalInterface
    interface Visitor {
        /**
         * Sees one.
         *
         * @param index its number
         * @param place file offset of the page
         * @param size bytes of the page in the file
         * @param flags how it is compressed
         */
        void visit(long index, long place, long size, long flags);
    }

    /** File offset of descriptor {@code index}. */
    long at(long index) {
        return header.descriptorsOffset() + index * KdumpLayout.DESCRIPTOR;
    }

    /** File offset behind the last. */
    long end() {
        return at(count);
    }

    /** Shows the descriptors from {@code first} on, below {@code limit}, as far as they lie in the file. */
    void visit(long first, long limit, Visitor visitor) {
        ValueLayout.OfLong u64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(header.order());
        ValueLayout.OfInt u32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(header.order());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment batch = arena.allocate((long) BATCH * KdumpLayout.DESCRIPTOR);
            for (long done = first; done < limit;) {
                long wanted = Math.min(BATCH, limit - done);
                long read = file.read(at(done), batch.asSlice(0, wanted * KdumpLayout.DESCRIPTOR))
                        / KdumpLayout.DESCRIPTOR;
                for (long i = 0; i < read; i++) {
                    long entry = i * KdumpLayout.DESCRIPTOR;
                    visitor.visit(
                            done + i,
                            batch.get(u64, entry),
                            Integer.toUnsignedLong(batch.get(u32, entry + 8)),
                            Integer.toUnsignedLong(batch.get(u32, entry + 12)));
                }
                if (read < wanted) {
                    return;
                }
                done += read;
            }
        }
    }

    /** Whether a descriptor could be one: a page of a known compression, behind {@code behind} and in the file. */
    boolean isPlausible(long place, long size, long flags, long behind) {
        return size > 0 && size <= header.blockSize() && PageCodec.ofFlags(flags).isPresent() && place >= behind
                && file.holds(place, size);
    }
}
