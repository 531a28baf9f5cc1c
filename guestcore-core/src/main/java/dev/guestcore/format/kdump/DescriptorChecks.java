package dev.guestcore.format.kdump;

import dev.guestcore.format.FileBytes;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Goes over all page descriptors of a file and remembers of each rule the first place where it is broken. */
final class DescriptorChecks {

    private static final int BATCH = 4096;

    private final FileBytes file;
    private final KdumpHeader header;
    private final KdumpMemory.Part part;
    private final long count;
    private long codecAt = -1;
    private long codec;
    private long sizeAt = -1;
    private long size;
    private long placeAt = -1;
    private long place;

    DescriptorChecks(FileBytes file, KdumpFile kdump) {
        this.file = file;
        this.header = kdump.header();
        this.part = kdump.pages().parts().getFirst();
        this.count = kdump.stored().rank(part.endPfn()) - part.firstRank();
    }

    void run() {
        ValueLayout.OfLong u64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(header.order());
        ValueLayout.OfInt u32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(header.order());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment batch = arena.allocate((long) BATCH * KdumpLayout.DESCRIPTOR);
            long at = part.descriptorsOffset();
            for (long done = 0; done < count; ) {
                long wanted = Math.min(BATCH, count - done);
                long read = file.read(at, batch.asSlice(0, wanted * KdumpLayout.DESCRIPTOR)) / KdumpLayout.DESCRIPTOR;
                for (long i = 0; i < read; i++) {
                    long entry = i * KdumpLayout.DESCRIPTOR;
                    check(
                            at + entry,
                            batch.get(u64, entry),
                            Integer.toUnsignedLong(batch.get(u32, entry + 8)),
                            Integer.toUnsignedLong(batch.get(u32, entry + 12)));
                }
                if (read < wanted) {
                    return;
                }
                done += read;
                at += read * KdumpLayout.DESCRIPTOR;
            }
        }
    }

    private void check(long at, long pagePlace, long pageSize, long flags) {
        if (codecAt < 0 && PageCodec.ofFlags(flags).isEmpty()) {
            codecAt = at;
            codec = flags;
        }
        if (sizeAt < 0 && (pageSize == 0 || pageSize > header.blockSize())) {
            sizeAt = at;
            size = pageSize;
        }
        if (placeAt < 0 && (!file.holds(pagePlace, pageSize) || pagePlace < part.descriptorsOffset())) {
            placeAt = at;
            place = pagePlace;
        }
    }

    /** File offset of the first descriptor with unknown flags, or -1. */
    long codecAt() {
        return codecAt;
    }

    long codec() {
        return codec;
    }

    /** File offset of the first descriptor with a size that no page has, or -1. */
    long sizeAt() {
        return sizeAt;
    }

    long size() {
        return size;
    }

    /** File offset of the first descriptor that points out of the file or into its tables, or -1. */
    long placeAt() {
        return placeAt;
    }

    long place() {
        return place;
    }
}
