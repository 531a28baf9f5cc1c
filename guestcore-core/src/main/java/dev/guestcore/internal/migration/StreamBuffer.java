package dev.guestcore.internal.migration;

import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.SourceException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ReadableByteChannel;
import java.nio.charset.StandardCharsets;

/** A stream read forward through a buffer; all numbers are big-endian. Not thread-safe. */
final class StreamBuffer {

    static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private static final int CAPACITY = 1 << 20;

    private final ReadableByteChannel channel;
    private final String name;
    private final MemorySegment buffer;
    private final ByteBuffer filling;
    private long filled;
    private int at;
    private int end;

    StreamBuffer(ReadableByteChannel channel, String name, long origin, Arena arena) {
        this.channel = channel;
        this.filled = origin;
        this.name = name;
        this.buffer = arena.allocate(CAPACITY, RamSink.PAGE_SIZE);
        this.filling = buffer.asByteBuffer();
    }

    /** Where the next byte lies in the stream. */
    long position() {
        return filled - (end - at);
    }

    /** Name of the stream for messages. */
    String name() {
        return name;
    }

    /** An error at the next byte. */
    MalformedDumpException malformed(String field, String expected, String found, String remedy) {
        return new MalformedDumpException(name, position(), field, expected, found, remedy);
    }

    /** Whether {@code count} bytes are there, at most the buffer's capacity. */
    boolean has(int count) {
        while (end - at < count) {
            if (CAPACITY - at < count) {
                MemorySegment.copy(buffer, at, buffer, 0, end - at);
                end -= at;
                at = 0;
            }
            int read = read();
            if (read < 0) {
                return false;
            }
        }
        return true;
    }

    private int read() {
        try {
            int read = channel.read(filling.limit(CAPACITY).position(end));
            if (read > 0) {
                end += read;
                filled += read;
            }
            return read;
        } catch (IOException e) {
            throw new SourceException(
                    name + ": reading at offset 0x" + Long.toHexString(filled) + " failed: " + e.getMessage(), e);
        }
    }

    private void require(int count, String field) {
        if (!has(count)) {
            throw malformed(field, count + " bytes", (end - at) + " bytes up to the end of the stream",
                    "the stream is cut short");
        }
    }

    int u8(String field) {
        require(1, field);
        return buffer.get(ValueLayout.JAVA_BYTE, at++) & 0xff;
    }

    int u16(String field) {
        require(Short.BYTES, field);
        int value = buffer.get(U16, at) & 0xffff;
        at += Short.BYTES;
        return value;
    }

    int i32(String field) {
        require(Integer.BYTES, field);
        int value = buffer.get(U32, at);
        at += Integer.BYTES;
        return value;
    }

    long i64(String field) {
        require(Long.BYTES, field);
        long value = buffer.get(U64, at);
        at += Long.BYTES;
        return value;
    }

    /** The next bytes, valid until the next call. */
    MemorySegment take(int count, String field) {
        require(count, field);
        MemorySegment bytes = buffer.asSlice(at, count);
        at += count;
        return bytes;
    }

    /** Text of {@code length} bytes; what is not printable ASCII becomes '?'. */
    String text(int length, String field) {
        return printable(take(length, field));
    }

    /** The next byte, which stays the next; -1 at the end. */
    int peek() {
        return has(1) ? buffer.get(ValueLayout.JAVA_BYTE, at) & 0xff : -1;
    }

    /** Whether the next bytes are a word of that type and number; they stay the next. */
    boolean begins(int type, int number) {
        return has(5)
                && (buffer.get(ValueLayout.JAVA_BYTE, at) & 0xff) == type
                && buffer.get(U32, at + 1) == number;
    }

    void skip(int count, String field) {
        take(count, field);
    }

    /** Skips any number of bytes. */
    void skipAll(long count, String field) {
        long left = count;
        while (left > 0) {
            int step = (int) Math.min(left, CAPACITY / 2);
            skip(step, field);
            left -= step;
        }
    }

    /** Everything that is left, but at most {@code most} bytes; what is behind them stays the next. */
    MemorySegment rest(long most, Arena arena) {
        MemorySegment rest = arena.allocate(CAPACITY);
        long size = 0;
        while (has(1)) {
            int available = (int) Math.min(end - at, most - size);
            if (available == 0) {
                break;
            }
            if (available > rest.byteSize() - size) {
                MemorySegment larger = arena.allocate(Math.min(most, 2 * rest.byteSize()));
                MemorySegment.copy(rest, 0, larger, 0, size);
                rest = larger;
            }
            MemorySegment.copy(buffer, at, rest, size, available);
            size += available;
            at += available;
        }
        return rest.asSlice(0, size);
    }

    /** Bytes as text in which nothing but printable ASCII is left. */
    static String printable(MemorySegment bytes) {
        byte[] copy = bytes.toArray(ValueLayout.JAVA_BYTE);
        for (int i = 0; i < copy.length; i++) {
            copy[i] = copy[i] >= ' ' && copy[i] < 0x7f ? copy[i] : (byte) '?';
        }
        return new String(copy, StandardCharsets.US_ASCII);
    }
}
