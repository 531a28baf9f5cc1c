package dev.guestcore.format.lime;

import dev.guestcore.file.FileBytes;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * What stands before each block of memory, 32 bytes, in the byte order of the machine (docs/formats/lime.md).
 *
 * <pre>
 *   0 magic u32    4 version u32    8 first address u64    16 last address u64    24 zero
 * </pre>
 *
 * @param magic magic number
 * @param version version
 * @param first guest-physical address of the first byte
 * @param last guest-physical address of the last byte
 */
record BlockHeader(long magic, long version, long first, long last) {

    static final int SIZE = 32;

    static BlockHeader read(FileBytes file, long at) {
        file.require(at, SIZE, "block header");
        ByteOrder order = Dialect.order(file, at);
        return new BlockHeader(
                file.u32(at, order, "magic"),
                file.u32(at + 4, order, "version"),
                file.u64(at + 8, order, "first address"),
                file.u64(at + 16, order, "last address"));
    }

    byte[] bytes() {
        return ByteBuffer.allocate(SIZE)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt((int) magic)
                .putInt((int) version)
                .putLong(first)
                .putLong(last)
                .array();
    }
}
