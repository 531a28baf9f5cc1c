package dev.guestcore.internal.spool;

import io.airlift.compress.v3.bzip2.BZip2HadoopStreams;
import java.io.IOException;
import java.io.InputStream;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/**
 * Streams of bzip2 one after the other, as pbzip2 writes them. Behind the end of the first the library looks for the next
 * block, skips the mark that it begins with, and takes what follows for a damaged block; then it is begun anew at that
 * stream's head. Not thread-safe.
 */
public final class Bzip2Streams extends InputStream {

    /** "BZh", the level, the mark of a block, and the six bytes in which the library expected the mark. */
    private static final int READ_OF_NEXT = 3 + 1 + 6 + 6;

    private static final long BLOCK = 0x314159265359L;

    private final LongFunction<InputStream> stored;
    private final byte[] one = new byte[1];
    private @Nullable Counted from;
    private @Nullable InputStream content;

    /**
     * Begins.
     *
     * @param stored gives the compressed bytes from an offset on
     */
    public Bzip2Streams(LongFunction<InputStream> stored) {
        this.stored = stored;
    }

    @Override
    public int read() throws IOException {
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
        while (true) {
            if (content == null || from == null) {
                begin(0);
                continue;
            }
            try {
                return content.read(target, offset, length);
            } catch (IOException e) {
                if (!from.isBehindHead()) {
                    throw e;
                }
                begin(from.position - READ_OF_NEXT);
            }
        }
    }

    private void begin(long position) throws IOException {
        from = new Counted(stored.apply(position), position);
        content = new BZip2HadoopStreams().createInputStream(from);
    }

    /** Gives single bytes, so that the library's buffer does not run ahead, and knows the last ones. */
    private static final class Counted extends InputStream {

        private final InputStream in;
        private final long begin;
        private long position;

        /** The last sixteen bytes. */
        private long earlier;

        private long last;

        Counted(InputStream in, long begin) {
            this.in = in;
            this.begin = begin;
            this.position = begin;
        }

        /** Whether what was read last is the head of a stream with its first block. */
        boolean isBehindHead() {
            int level = (int) (earlier >>> 32 & 0xff);
            long block = (earlier & 0xffff_ffffL) << 16 | last >>> 48;
            return position - begin > READ_OF_NEXT && earlier >>> 40 == 0x425a68 && level >= '1' && level <= '9'
                    && block == BLOCK;
        }

        @Override
        public int read() throws IOException {
            int value = in.read();
            if (value >= 0) {
                position++;
                earlier = earlier << 8 | last >>> 56;
                last = last << 8 | value;
            }
            return value;
        }

        @Override
        public int read(byte[] target, int offset, int length) throws IOException {
            int value = length == 0 ? 0 : read();
            if (value >= 0 && length > 0) {
                target[offset] = (byte) value;
            }
            return value < 0 ? -1 : Math.min(1, length);
        }
    }
}
