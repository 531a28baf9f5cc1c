package dev.guestcore.address;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Page tables written by hand: every entry is set by number, with no help from the code under test. */
final class MadeUpTables {

    static final int PAGE = 4096;

    private final byte[] memory;
    private final ByteBuffer bytes;

    MadeUpTables(int pages) {
        memory = new byte[pages * PAGE];
        bytes = ByteBuffer.wrap(memory).order(ByteOrder.LITTLE_ENDIAN);
    }

    MadeUpTables entry64(int table, int index, long value) {
        bytes.putLong(table + index * 8, value);
        return this;
    }

    MadeUpTables entry32(int table, int index, long value) {
        bytes.putInt(table + index * 4, (int) value);
        return this;
    }

    void text(int address, String text) {
        byte[] source = text.getBytes(StandardCharsets.ISO_8859_1);
        System.arraycopy(source, 0, memory, address, source.length);
    }

    long word64(long address) {
        return address >= 0 && address <= memory.length - 8 ? bytes.getLong((int) address) : 0;
    }

    boolean holds(long address, int size) {
        return address >= 0 && address <= memory.length - size;
    }

    long word32(long address) {
        return Integer.toUnsignedLong(bytes.getInt((int) address));
    }

    MemorySegment segment() {
        return MemorySegment.ofArray(memory);
    }
}
