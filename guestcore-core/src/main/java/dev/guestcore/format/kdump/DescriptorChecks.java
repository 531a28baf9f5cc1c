package dev.guestcore.format.kdump;

import dev.guestcore.file.FileBytes;

/** Goes over all page descriptors of a file and remembers of each rule the first place where it is broken. */
final class DescriptorChecks {

    private final FileBytes file;
    private final KdumpHeader header;
    private final DescriptorTable table;
    private long codecAt = -1;
    private long codec;
    private long sizeAt = -1;
    private long size;
    private long placeAt = -1;
    private long place;

    DescriptorChecks(DescriptorTable table) {
        this.file = table.file();
        this.header = table.header();
        this.table = table;
    }

    void run() {
        table.visit(0, table.count(),
                (index, pagePlace, pageSize, flags) -> check(table.at(index), pagePlace, pageSize, flags));
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
        if (placeAt < 0 && (!file.holds(pagePlace, pageSize) || pagePlace < table.end())) {
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
