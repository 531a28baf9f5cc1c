package dev.guestcore.internal.spool;

import io.airlift.compress.v3.xxhash.XxHash32JavaHasher;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import org.jspecify.annotations.Nullable;

/**
 * Frames of LZ4 one after the other, blocks that refer to earlier ones included; little-endian; source: the LZ4 project's
 * lz4_Frame_format.md and lz4_Block_format.md. Not thread-safe.
 *
 * <pre>
 * 184d2204; flags u8 (c0 version 01, 20 blocks stand alone, 10 block checksums, 08 content size, 04 content checksum,
 * 01 dictionary); u8, 70: largest block 4 64 KiB, 5 256 KiB, 6 1 MiB, 7 4 MiB; content size u64; dictionary u32;
 * checksum u8
 * blocks: size u32, 80000000 set: stored as it is; bytes; checksum u32; size 0: end, then checksum u32 of the content
 * a block is sequences of: token u8, longer literal length, literals, distance u16, longer match length
 * </pre>
 */
public final class Lz4InputStream extends InputStream {

    private static final int MAGIC = 0x184d2204;
    private static final int SKIPPABLE = 0x184d2a50;
    private static final int BLOCK_CHECKSUM = 0x10;
    private static final int CONTENT_SIZE = 0x08;
    private static final int CONTENT_CHECKSUM = 0x04;
    private static final int DICTIONARY = 0x01;
    private static final int HISTORY = 1 << 16;
    private static final int SHORTEST_MATCH = 4;

    private final InputStream in;
    private byte[] stored = new byte[0];
    private byte[] window = new byte[0];
    private int at;
    private int end;
    private int flags;
    private int largest;
    private boolean inFrame;
    private @Nullable XxHash32JavaHasher hash;

    /** Begins; takes the compressed bytes from the first on. */
    public Lz4InputStream(InputStream in) {
        this.in = in;
    }

    @Override
    public int read() throws IOException {
        return at < end || next() ? window[at++] & 0xff : -1;
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
        System.arraycopy(window, at, target, offset, count);
        at += count;
        return count;
    }

    private boolean next() throws IOException {
        do {
            if (!inFrame && !beginFrame()) {
                return false;
            }
            readBlock();
        } while (at == end);
        return true;
    }

    private boolean beginFrame() throws IOException {
        while (true) {
            byte[] magic = in.readNBytes(4);
            if (magic.length == 0) {
                return false;
            }
            if (magic.length < 4) {
                throw new EOFException("the file ends within a frame's magic");
            }
            int word = number(magic);
            if (word == MAGIC) {
                break;
            }
            if ((word & ~0xf) != SKIPPABLE) {
                throw new IOException(String.format("%08x where a frame should begin", word));
            }
            in.skipNBytes(i32() & 0xffff_ffffL);
        }
        byte[] header = take(2);
        flags = header[0] & 0xff;
        int size = header[1] >>> 4 & 7;
        if (flags >>> 6 != 1 || size < 4) {
            throw new IOException("a frame of an unknown version");
        }
        XxHash32JavaHasher sum = new XxHash32JavaHasher(0);
        sum.update(header, 0, 2);
        byte[] rest = take(((flags & CONTENT_SIZE) != 0 ? 8 : 0) + ((flags & DICTIONARY) != 0 ? 4 : 0));
        sum.update(rest, 0, rest.length);
        if ((take(1)[0] & 0xff) != (sum.digest() >>> 8 & 0xff)) {
            throw new IOException("the checksum of a frame's header is wrong");
        }
        if ((flags & DICTIONARY) != 0) {
            throw new IOException("a frame that needs a dictionary");
        }
        largest = 1 << 8 + 2 * size;
        if (window.length < HISTORY + largest) {
            window = new byte[HISTORY + largest];
        }
        at = 0;
        end = 0;
        hash = (flags & CONTENT_CHECKSUM) != 0 ? new XxHash32JavaHasher(0) : null;
        inFrame = true;
        return true;
    }

    private void readBlock() throws IOException {
        int word = i32();
        if (word == 0) {
            inFrame = false;
            if (hash != null && i32() != hash.digest()) {
                throw new IOException("the checksum of a frame's content is wrong");
            }
            return;
        }
        int size = word & 0x7fffffff;
        if (size > largest) {
            throw new IOException("block of " + size + " bytes, at most " + largest);
        }
        if (stored.length < size) {
            stored = new byte[largest];
        }
        if (in.readNBytes(stored, 0, size) < size) {
            throw new EOFException("the file ends within a block");
        }
        if ((flags & BLOCK_CHECKSUM) != 0) {
            if (i32() != XxHash32JavaHasher.hash(stored, 0, size, 0)) {
                throw new IOException("the checksum of a block is wrong");
            }
        }
        int kept = Math.min(end, HISTORY);
        System.arraycopy(window, end - kept, window, 0, kept);
        at = kept;
        end = kept;
        if (word < 0) {
            System.arraycopy(stored, 0, window, at, size);
            end = at + size;
        } else {
            end = decode(size);
        }
        if (hash != null) {
            hash.update(window, at, end - at);
        }
    }

    /** Gives where the block's content ends in the window; it begins at {@link #at}. */
    private int decode(int size) throws IOException {
        int from = 0;
        int to = at;
        int limit = at + largest;
        while (from < size) {
            int token = stored[from++] & 0xff;
            int literals = token >>> 4;
            if (literals == 15) {
                int more;
                do {
                    more = byteAt(from++, size);
                    literals += more;
                } while (more == 255 && literals <= largest);
            }
            if (literals > size - from || literals > limit - to) {
                throw damaged();
            }
            System.arraycopy(stored, from, window, to, literals);
            from += literals;
            to += literals;
            if (from == size) {
                return to;
            }
            int distance = byteAt(from, size) | byteAt(from + 1, size) << 8;
            from += 2;
            int match = (token & 15) + SHORTEST_MATCH;
            if ((token & 15) == 15) {
                int more;
                do {
                    more = byteAt(from++, size);
                    match += more;
                } while (more == 255 && match <= largest);
            }
            if (distance == 0 || distance > to || match > limit - to) {
                throw damaged();
            }
            if (distance >= match) {
                System.arraycopy(window, to - distance, window, to, match);
                to += match;
            } else {
                for (int i = 0; i < match; i++, to++) {
                    window[to] = window[to - distance];
                }
            }
        }
        throw damaged();
    }

    private int byteAt(int from, int size) throws IOException {
        if (from >= size) {
            throw damaged();
        }
        return stored[from] & 0xff;
    }

    private static IOException damaged() {
        return new IOException("a block cannot be decompressed");
    }

    private int i32() throws IOException {
        return number(take(4));
    }

    private byte[] take(int count) throws IOException {
        byte[] bytes = in.readNBytes(count);
        if (bytes.length < count) {
            throw new EOFException("the file ends within a frame");
        }
        return bytes;
    }

    private static int number(byte[] bytes) {
        return bytes[0] & 0xff | (bytes[1] & 0xff) << 8 | (bytes[2] & 0xff) << 16 | bytes[3] << 24;
    }
}
