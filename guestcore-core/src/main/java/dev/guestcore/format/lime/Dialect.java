package dev.guestcore.format.lime;

import dev.guestcore.file.FileBytes;
import java.nio.ByteOrder;

/** The two kinds of image: each block begins with its magic and version. */
enum Dialect {
    /** "EMiL": the block's bytes follow as they are. */
    LIME("lime", 0x4c694d45L, 1),
    /** "AVML": the block's bytes follow as a framed Snappy stream, then its length as u64. */
    AVML("avml", 0x4c4d5641L, 2);

    private final String label;
    private final long magic;
    private final long version;

    Dialect(String label, long magic, long version) {
        this.label = label;
        this.magic = magic;
        this.version = version;
    }

    String label() {
        return label;
    }

    /** What an image is called in messages. */
    String kind() {
        return this == LIME ? "a LiME image" : "an AVML image";
    }

    long magic() {
        return magic;
    }

    long version() {
        return version;
    }

    boolean begins(FileBytes file) {
        return file.holds(0, 4) && file.u32(0, order(file, 0), "magic") == magic;
    }

    /** The byte order in which there is a magic; little-endian where there is none. A block has that of its machine. */
    static ByteOrder order(FileBytes file, long at) {
        long swapped = file.u32(at, ByteOrder.BIG_ENDIAN, "magic");
        return swapped == LIME.magic || swapped == AVML.magic ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
    }

    boolean matches(BlockHeader header) {
        return header.magic() == magic && header.version() == version;
    }
}
