package dev.guestcore.internal.spool;

import io.airlift.compress.v3.zstd.ZstdInputStream;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;
import org.tukaani.xz.UnsupportedOptionsException;

/**
 * Frames of Zstandard one after the other; little-endian; source: RFC 8878. Not thread-safe.
 *
 * <p>The library gives the content of a frame a whole window late, so an error costs up to eight megabytes that were
 * right. Where one occurs, the frame is read once more, up to the block before and without the checksum, as if that block
 * were the last; then the error is thrown.
 *
 * <pre>
 * fd2fb528; descriptor u8 (2 bits size of the content size, 20 single segment, 04 checksum, 2 bits size of dictionary number);
 * window u8 unless single segment; dictionary number; content size
 * blocks: 3 bytes: 1 last block, 2 bits type (0 raw, 1 one byte repeated, 2 compressed), 21 bits size; bytes
 * checksum u32
 * </pre>
 */
public final class ZstdFrames extends InputStream {

    private static final int MAGIC = 0xfd2fb528;
    private static final int SKIPPABLE = 0x184d2a50;
    private static final int SINGLE_SEGMENT = 0x20;
    private static final int CHECKSUM = 0x04;
    private static final int REPEATED = 1;
    private static final int LARGEST_BLOCK = 128 << 10;

    /** What the library takes. */
    private static final long LARGEST_WINDOW = 8 << 20;

    private static final byte[] EMPTY_LAST_BLOCK = {1, 0, 0};

    private final LongFunction<InputStream> stored;
    private final byte[] one = new byte[1];
    private InputStream in;
    private long at;
    private long frameAt;
    private long delivered;
    private @Nullable Frame frame;
    private @Nullable ZstdInputStream content;
    private @Nullable Exception failure;

    /**
     * Begins.
     *
     * @param stored gives the compressed bytes from an offset on
     */
    public ZstdFrames(LongFunction<InputStream> stored) {
        this.stored = stored;
        this.in = stored.apply(0);
    }

    @Override
    public int read() throws IOException {
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
        while (true) {
            ZstdInputStream current = content;
            if (current == null) {
                if (!nextFrame()) {
                    return -1;
                }
                current = begin(Long.MAX_VALUE);
            }
            try {
                int count = current.read(target, offset, length);
                if (count >= 0) {
                    delivered += count;
                    return count;
                }
            } catch (IOException | RuntimeException e) {
                rescue(e);
                continue;
            }
            if (failure != null) {
                throw wrapped(failure);
            }
            content = null;
            delivered = 0;
        }
    }

    private static IOException wrapped(Exception cause) {
        return cause instanceof IOException known ? known : new IOException(cause.getMessage(), cause);
    }

    /** Begins again, for as many blocks as were good. */
    private void rescue(Exception cause) throws IOException {
        long good = frame == null ? 0 : frame.goodBlocks();
        if (failure != null || good == 0 || cause instanceof UnsupportedOptionsException) {
            throw wrapped(cause);
        }
        failure = cause;
        in = stored.apply(frameAt);
        at = frameAt;
        begin(good).skipNBytes(delivered);
    }

    private ZstdInputStream begin(long blocks) {
        Frame begun = new Frame(blocks);
        frame = begun;
        ZstdInputStream opened = new ZstdInputStream(begun);
        content = opened;
        return opened;
    }

    /** Moves to the next frame with content. */
    private boolean nextFrame() throws IOException {
        while (true) {
            frameAt = at;
            byte[] magic = in.readNBytes(4);
            at += magic.length;
            if (magic.length == 0) {
                return false;
            }
            if (magic.length < 4) {
                throw new EOFException("the file ends within a frame's magic");
            }
            int word = number(magic, 0, 4);
            if (word == MAGIC) {
                in = stored.apply(frameAt);
                at = frameAt;
                return true;
            }
            if ((word & ~0xf) != SKIPPABLE) {
                throw new IOException("no frame at offset 0x" + Long.toHexString(frameAt));
            }
            long size = number(take(4), 0, 4) & 0xffff_ffffL;
            in.skipNBytes(size);
            at += size;
        }
    }

    private byte[] take(int count) throws IOException {
        byte[] bytes = in.readNBytes(count);
        at += bytes.length;
        if (bytes.length < count) {
            throw new EOFException("the file ends within a frame");
        }
        return bytes;
    }

    private static int number(byte[] bytes, int offset, int count) {
        int number = 0;
        for (int i = count - 1; i >= 0; i--) {
            number = number << 8 | bytes[offset + i] & 0xff;
        }
        return number;
    }

    /**
     * The bytes of one frame for the library: header, blocks, checksum, each piece for itself. The library asks until its
     * buffer is full; between two pieces it is told once that there are no more, so that it works on what it has. Thus the
     * block that it fails on is the last one that it was given.
     */
    private final class Frame extends InputStream {

        private final long most;
        private ByteArrayInputStream piece = new ByteArrayInputStream(new byte[0]);
        private boolean begun;
        private boolean checksum;
        private boolean last;
        private boolean ended;
        private boolean pause;
        private boolean inBlock;
        private long blocks;

        Frame(long most) {
            this.most = most;
        }

        /** How many blocks came before the piece that was given last. */
        long goodBlocks() {
            return inBlock ? blocks - 1 : blocks;
        }

        @Override
        public int read() {
            throw new UnsupportedOperationException("the library reads arrays");
        }

        @Override
        public int read(byte[] target, int offset, int length) throws IOException {
            if (piece.available() == 0) {
                if (pause) {
                    pause = false;
                    return -1;
                }
                if (ended) {
                    return -1;
                }
                piece = new ByteArrayInputStream(nextPiece());
            }
            int count = piece.read(target, offset, length);
            // With a buffer that is full the library does not ask again.
            pause = piece.available() == 0 && count < length;
            return count;
        }

        private byte[] nextPiece() throws IOException {
            if (!begun) {
                begun = true;
                return header();
            }
            if (!last) {
                inBlock = false;
                return block();
            }
            inBlock = false;
            ended = true;
            return take(4);
        }

        private byte[] header() throws IOException {
            byte[] fixed = take(5);
            int descriptor = fixed[4] & 0xff;
            boolean single = (descriptor & SINGLE_SEGMENT) != 0;
            int dictionary = new int[] {0, 1, 2, 4}[descriptor & 3];
            int contentSize = new int[] {single ? 1 : 0, 2, 4, 8}[descriptor >>> 6];
            byte[] rest = take((single ? 0 : 1) + dictionary + contentSize);
            if (!single) {
                int exponent = (rest[0] & 0xff) >>> 3;
                long window = (1L << 10 + exponent) / 8 * (8 + (rest[0] & 7));
                if (window > LARGEST_WINDOW) {
                    throw new UnsupportedOptionsException("a window of " + (window >> 20) + " MiB, at most "
                            + (LARGEST_WINDOW >> 20) + " MiB fit into memory");
                }
            }
            checksum = (descriptor & CHECKSUM) != 0 && most == Long.MAX_VALUE;
            byte[] header = new byte[fixed.length + rest.length];
            System.arraycopy(fixed, 0, header, 0, fixed.length);
            System.arraycopy(rest, 0, header, fixed.length, rest.length);
            header[4] = (byte) (checksum ? descriptor : descriptor & ~CHECKSUM);
            return header;
        }

        private byte[] block() throws IOException {
            if (blocks == most) {
                last = true;
                ended = true;
                return EMPTY_LAST_BLOCK;
            }
            byte[] header = take(3);
            int word = number(header, 0, 3);
            int size = word >>> 3;
            if (size > LARGEST_BLOCK) {
                throw new IOException("block of " + size + " bytes, at most " + LARGEST_BLOCK);
            }
            byte[] bytes = take((word >>> 1 & 3) == REPEATED ? 1 : size);
            byte[] block = new byte[header.length + bytes.length];
            System.arraycopy(header, 0, block, 0, header.length);
            System.arraycopy(bytes, 0, block, header.length, bytes.length);
            last = (word & 1) != 0;
            ended = last && !checksum;
            inBlock = true;
            blocks++;
            return block;
        }
    }
}
