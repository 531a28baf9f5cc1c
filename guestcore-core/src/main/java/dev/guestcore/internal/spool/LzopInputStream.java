package dev.guestcore.internal.spool;

import dev.guestcore.internal.lzo.LzoDecoder;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.util.zip.Adler32;
import java.util.zip.CRC32;
import java.util.zip.Checksum;

/**
 * Files of lzop; big-endian; source: docs/formats/vmstate.md. Not thread-safe.
 *
 * <pre>
 * 89 "LZO" 00 0d 0a 1a 0a
 * version u16, of the library u16, needed u16 (from version 0940 on), method u8, level u8 (0940), flags u32,
 * filter u32 (flag 800), mode u32, time u32, upper half of the time u32 (0940), length u8, name, checksum u32
 * (flag 40: length u32, extra field, checksum u32)
 * blocks: size u32 (0: end), stored size u32, checksums u32 of the content (flag 1 Adler-32, 100 CRC-32),
 *         if the stored size is smaller: checksums of what is stored (flags 2, 200); the bytes, plain if the sizes are equal
 * </pre>
 */
public final class LzopInputStream extends InputStream {

    private static final int WITH_LEVEL = 0x0940;
    private static final int ADLER_CONTENT = 0x1;
    private static final int ADLER_STORED = 0x2;
    private static final int EXTRA_FIELD = 0x40;
    private static final int CRC_CONTENT = 0x100;
    private static final int CRC_STORED = 0x200;
    private static final int FILTER = 0x800;
    private static final int LARGEST_METHOD = 3;

    /** lzop writes 256 KiB, and reads up to 64 MiB, for which our heap has no room. */
    private static final int LARGEST_BLOCK = 2 << 20;

    private final InputStream in;
    private final LzoDecoder decoder = new LzoDecoder();
    private final int flags;
    private byte[] stored = new byte[0];
    private byte[] block = new byte[0];
    private int at;
    private int end;
    private boolean finished;

    /**
     * Begins.
     *
     * @param in the compressed bytes from the first on
     * @throws IOException if they are none of lzop, or damaged there
     */
    public LzopInputStream(InputStream in) throws IOException {
        this.in = in;
        skip(9);
        int version = u16();
        skip(2);
        boolean withLevel = version >= WITH_LEVEL;
        if (withLevel) {
            skip(2);
        }
        int method = u8();
        if (method < 1 || method > LARGEST_METHOD) {
            throw new IOException("lzop method " + method + ", expected 1 to " + LARGEST_METHOD);
        }
        skip(withLevel ? 1 : 0);
        flags = i32();
        if ((flags & FILTER) != 0) {
            throw new IOException("lzop file with a filter, which no version of lzop writes by itself");
        }
        skip(withLevel ? 12 : 8);
        skip(u8());
        skip(4);
        if ((flags & EXTRA_FIELD) != 0) {
            int length = i32();
            if (length < 0 || length > LARGEST_BLOCK) {
                throw new IOException("extra field of " + Integer.toUnsignedString(length) + " bytes");
            }
            skip(length);
            skip(4);
        }
    }

    private int u8() throws IOException {
        int value = in.read();
        if (value < 0) {
            throw new EOFException("the lzop file ends early");
        }
        return value;
    }

    private int u16() throws IOException {
        return u8() << 8 | u8();
    }

    private int i32() throws IOException {
        return u16() << 16 | u16();
    }

    private void skip(int count) throws IOException {
        for (int i = 0; i < count; i++) {
            u8();
        }
    }

    private boolean next() throws IOException {
        if (finished) {
            return false;
        }
        int size = i32();
        if (size == 0) {
            finished = true;
            return false;
        }
        int storedSize = i32();
        if (size < 0 || size > LARGEST_BLOCK || storedSize <= 0 || storedSize > size) {
            throw new IOException("lzop block of " + Integer.toUnsignedString(size) + " bytes stored in "
                    + Integer.toUnsignedString(storedSize) + ", expected at most " + LARGEST_BLOCK);
        }
        int adler = (flags & ADLER_CONTENT) != 0 ? i32() : 0;
        int crc = (flags & CRC_CONTENT) != 0 ? i32() : 0;
        if (storedSize < size) {
            skip((flags & ADLER_STORED) != 0 ? 4 : 0);
            skip((flags & CRC_STORED) != 0 ? 4 : 0);
        }
        if (block.length < size) {
            block = new byte[size];
        }
        if (storedSize == size) {
            readFully(block, size);
        } else {
            if (stored.length < storedSize) {
                stored = new byte[storedSize];
            }
            readFully(stored, storedSize);
            if (!decoder.decode(MemorySegment.ofArray(stored).asSlice(0, storedSize),
                    MemorySegment.ofArray(block).asSlice(0, size))) {
                throw new IOException("lzop block cannot be decompressed");
            }
        }
        if ((flags & ADLER_CONTENT) != 0) {
            check(new Adler32(), size, adler);
        }
        if ((flags & CRC_CONTENT) != 0) {
            check(new CRC32(), size, crc);
        }
        at = 0;
        end = size;
        return true;
    }

    private void check(Checksum sum, int size, int expected) throws IOException {
        sum.update(block, 0, size);
        if ((int) sum.getValue() != expected) {
            throw new IOException("checksum of an lzop block is " + Long.toHexString(sum.getValue()) + ", expected "
                    + Integer.toHexString(expected));
        }
    }

    private void readFully(byte[] target, int length) throws IOException {
        if (in.readNBytes(target, 0, length) < length) {
            throw new EOFException("the lzop file ends early");
        }
    }

    @Override
    public int read() throws IOException {
        return at < end || next() ? block[at++] & 0xff : -1;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        if (at == end && !next()) {
            return -1;
        }
        int count = Math.min(length, end - at);
        System.arraycopy(block, at, target, offset, count);
        at += count;
        return count;
    }
}
