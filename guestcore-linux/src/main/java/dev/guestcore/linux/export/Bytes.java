package dev.guestcore.linux.export;

import dev.guestcore.file.CoreSink;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Little-endian numbers and texts, gathered before they are written. Not thread-safe. */
final class Bytes {

    private static final int FIRST = 1 << 12;
    private static final int FULL = 1 << 16;
    private static final int LEB_BITS = 7;
    private static final int LEB_MASK = 0x7f;
    private static final int LEB_MORE = 0x80;
    private static final int LEB_SIGN = 0x40;

    private byte[] data = new byte[FIRST];
    private int size;

    /** How many bytes are gathered. */
    int size() {
        return size;
    }

    Bytes u8(int value) {
        if (size == data.length) {
            data = Arrays.copyOf(data, 2 * size);
        }
        data[size++] = (byte) value;
        return this;
    }

    Bytes u16(int value) {
        return u8(value).u8(value >> Byte.SIZE);
    }

    Bytes u32(int value) {
        return u16(value).u16(value >> Short.SIZE);
    }

    Bytes u64(long value) {
        return u32((int) value).u32((int) (value >> Integer.SIZE));
    }

    /** DWARF's number of any length, without sign. */
    Bytes uleb(long value) {
        long rest = value;
        while (rest < 0 || rest > LEB_MASK) {
            u8((int) rest & LEB_MASK | LEB_MORE);
            rest >>>= LEB_BITS;
        }
        return u8((int) rest);
    }

    /** DWARF's number of any length, with sign. */
    Bytes sleb(long value) {
        long rest = value;
        while (rest < -LEB_SIGN || rest >= LEB_SIGN) {
            u8((int) rest & LEB_MASK | LEB_MORE);
            rest >>= LEB_BITS;
        }
        return u8((int) rest & LEB_MASK);
    }

    /** A text and the zero byte that ends it. */
    Bytes text(String text) {
        return bytes(text.getBytes(StandardCharsets.UTF_8)).u8(0);
    }

    Bytes bytes(byte[] more) {
        while (data.length - size < more.length) {
            data = Arrays.copyOf(data, 2 * data.length);
        }
        System.arraycopy(more, 0, data, size, more.length);
        size += more.length;
        return this;
    }

    Bytes append(Bytes other) {
        return bytes(other.toArray());
    }

    /** Zero bytes up to a multiple of {@code alignment}, a power of two. */
    Bytes align(int alignment, int filler) {
        while ((size & alignment - 1) != 0) {
            u8(filler);
        }
        return this;
    }

    byte[] toArray() {
        return Arrays.copyOf(data, size);
    }

    /** Forgets all bytes. */
    Bytes clear() {
        size = 0;
        return this;
    }

    /** Writes all bytes and forgets them. */
    void drain(CoreSink sink) {
        sink.write(MemorySegment.ofArray(data).asSlice(0, size));
        size = 0;
    }

    /** Writes all bytes and forgets them, if there are many. */
    void drainIfFull(CoreSink sink) {
        if (size >= FULL) {
            drain(sink);
        }
    }
}
