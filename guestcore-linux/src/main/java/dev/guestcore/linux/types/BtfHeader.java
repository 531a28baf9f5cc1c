package dev.guestcore.linux.types;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * The head of a BTF section: magic u16, version u8, flags u8, then u32: length of the header, offset and length of the types,
 * offset and length of the strings; since 2026 also offset and length of the layout of the kinds. Offsets count from the end of
 * the header. Source: {@code struct btf_header} in {@code include/uapi/linux/btf.h}.
 *
 * @param order byte order
 * @param length bytes of the header
 * @param types where the types begin, from the start of the section
 * @param typesSize their bytes
 * @param strings where the strings begin, from the start of the section
 * @param stringsSize their bytes
 * @param layout where the layout of the kinds begins, from the start of the section
 * @param layoutSize its bytes, 0 without one
 */
record BtfHeader(
        ByteOrder order,
        int length,
        int types,
        int typesSize,
        int strings,
        int stringsSize,
        int layout,
        int layoutSize) {

    /** The shortest header. */
    static final int SIZE = 24;

    /** The first bytes of a section in little-endian order: magic, version 1, flags 0. */
    static final byte[] MAGIC = {(byte) 0x9f, (byte) 0xeb, 1, 0};

    private static final int SIZE_WITH_LAYOUT = 32;
    private static final int LONGEST = 4096;
    private static final int NUMBER = 0xeb9f;

    /** The largest section that is read, which is kept on the heap; those of kernels have 3 to 7 MiB. */
    static final int MOST_BYTES = 16 << 20;

    /** Whether a parsed header may follow these 24 bytes: cheap, for searches. */
    static boolean looksRight(MemorySegment start) {
        ByteOrder order = orderOf(start);
        if (order == null) {
            return false;
        }
        long headerSize = word(start, order, 4);
        long size = headerSize + Math.max(word(start, order, 8) + word(start, order, 12),
                word(start, order, 16) + word(start, order, 20));
        return start.get(ValueLayout.JAVA_BYTE, 2) == 1
                && headerSize >= SIZE
                && headerSize <= LONGEST
                && word(start, order, 12) > 0
                && word(start, order, 20) > 0
                && size <= MOST_BYTES;
    }

    private static @Nullable ByteOrder orderOf(MemorySegment start) {
        int first = start.get(ValueLayout.JAVA_BYTE, 0) & 0xff;
        int second = start.get(ValueLayout.JAVA_BYTE, 1) & 0xff;
        if ((second << 8 | first) == NUMBER) {
            return ByteOrder.LITTLE_ENDIAN;
        }
        return (first << 8 | second) == NUMBER ? ByteOrder.BIG_ENDIAN : null;
    }

    private static long word(MemorySegment data, ByteOrder order, long offset) {
        return Integer.toUnsignedLong(
                data.get(ValueLayout.JAVA_INT_UNALIGNED.withOrder(order), offset));
    }

    /** How many bytes the section has, by the first 24 (32, if there are so many) of them. */
    static long sectionSize(MemorySegment start) {
        ByteOrder order = orderOf(start);
        if (order == null) {
            throw damaged("magic", "0xeb9f", "another number");
        }
        long header = word(start, order, 4);
        long end = Math.max(word(start, order, 8) + word(start, order, 12), word(start, order, 16)
                + word(start, order, 20));
        if (header >= SIZE_WITH_LAYOUT && start.byteSize() >= SIZE_WITH_LAYOUT) {
            end = Math.max(end, word(start, order, 24) + word(start, order, 28));
        }
        return header + end;
    }

    static BtfHeader read(MemorySegment data) {
        if (data.byteSize() < SIZE || data.byteSize() > MOST_BYTES) {
            throw damaged("size", SIZE + " to " + MOST_BYTES + " bytes", data.byteSize() + " bytes");
        }
        ByteOrder order = orderOf(data);
        if (order == null) {
            throw damaged("magic", "0xeb9f", "another number");
        }
        int version = data.get(ValueLayout.JAVA_BYTE, 2) & 0xff;
        if (version != 1) {
            throw damaged("version", "1", String.valueOf(version));
        }
        long length = word(data, order, 4);
        if (length < SIZE || length > LONGEST || length > data.byteSize()) {
            throw damaged("length of the header", SIZE + " to " + LONGEST, String.valueOf(length));
        }
        boolean withLayout = length >= SIZE_WITH_LAYOUT;
        return new BtfHeader(
                order,
                (int) length,
                place(data, order, length, 8, "types"),
                (int) word(data, order, 12),
                place(data, order, length, 16, "strings"),
                (int) word(data, order, 20),
                withLayout ? place(data, order, length, 24, "layout") : 0,
                withLayout ? (int) word(data, order, 28) : 0);
    }

    private static int place(MemorySegment data, ByteOrder order, long header, int field, String what) {
        long from = header + word(data, order, field);
        long size = word(data, order, field + Integer.BYTES);
        if (from + size > data.byteSize()) {
            throw damaged("place of the " + what, "at most " + data.byteSize(), from + " to " + (from + size));
        }
        return (int) from;
    }

    private static TypesException damaged(String field, String expected, String found) {
        return new TypesException("BTF, header: " + field + ": expected " + expected + ", found " + found
                + "; the memory with the kernel's types is damaged or is something else");
    }
}
