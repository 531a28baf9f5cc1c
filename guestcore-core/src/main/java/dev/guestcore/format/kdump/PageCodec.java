package dev.guestcore.format.kdump;

import dev.guestcore.internal.lzo.LzoDecoder;
import io.airlift.compress.v3.Compressor;
import io.airlift.compress.v3.Decompressor;
import io.airlift.compress.v3.MalformedInputException;
import io.airlift.compress.v3.lzo.LzoCompressor;
import io.airlift.compress.v3.snappy.SnappyJavaCompressor;
import io.airlift.compress.v3.snappy.SnappyJavaDecompressor;
import io.airlift.compress.v3.zstd.ZstdJavaCompressor;
import io.airlift.compress.v3.zstd.ZstdJavaDecompressor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Locale;
import java.util.Optional;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/**
 * How a page is compressed; the numbers are the flags of a page descriptor (docs/formats/kdump.md, section 4). The codecs
 * are those in Java: the native ones of the same library are no faster for pages, and it would unpack them into the folder
 * for temporary files, where others may write.
 */
public enum PageCodec {
    /** Stored as it is. */
    NONE(0),
    /** zlib, RFC 1950. */
    ZLIB(0x1),
    /** LZO1X block without header. */
    LZO(0x2),
    /** Snappy block without framing. */
    SNAPPY(0x4),
    /** Zstandard frame, RFC 8878. */
    ZSTD(0x20);

    /** zlib's and makedumpfile's own choice: speed before size. */
    private static final int ZLIB_LEVEL = Deflater.BEST_SPEED;

    private static final PageCodec[] ALL = values();

    private final int flag;
    private final Optional<PageCodec> known = Optional.of(this);

    PageCodec(int flag) {
        this.flag = flag;
    }

    int flag() {
        return flag;
    }

    /** The name in options: in lower case. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The codec of that label. */
    public static Optional<PageCodec> ofLabel(String label) {
        for (PageCodec codec : ALL) {
            if (codec.label().equals(label)) {
                return codec.known;
            }
        }
        return Optional.empty();
    }

    /** The codec of a page descriptor's flags; each has one only. */
    static Optional<PageCodec> ofFlags(long flags) {
        for (PageCodec codec : ALL) {
            if (codec.flag == flags) {
                return codec.known;
            }
        }
        return Optional.empty();
    }

    /** Turns compressed pages into pages. Not thread-safe. */
    interface Decoder {
        /**
         * Decodes one page.
         *
         * @param source native memory that holds exactly the compressed page
         * @param target native memory as long as a page
         * @return whether the page came out whole
         */
        boolean decode(MemorySegment source, MemorySegment target);
    }

    /** Compresses pages. Not thread-safe. */
    interface Encoder {
        /** Size that a target needs at least for a page of {@code pageSize} bytes. */
        int bound(int pageSize);

        /**
         * Compresses one page.
         *
         * @param source native memory, one page
         * @param target native memory of at least {@link #bound} bytes
         * @return compressed size
         */
        int encode(MemorySegment source, MemorySegment target);

        /** Whether it can be told cheaply that a page will not become smaller. */
        default boolean isInVain(MemorySegment page) {
            return false;
        }
    }

    Decoder decoder() {
        return switch (this) {
            case NONE -> (source, target) -> {
                boolean whole = source.byteSize() == target.byteSize();
                if (whole) {
                    target.copyFrom(source);
                }
                return whole;
            };
            case ZLIB -> new ZlibDecoder();
            case LZO -> new LzoDecoder()::decode;
            case SNAPPY -> block(new SnappyJavaDecompressor());
            case ZSTD -> block(new ZstdJavaDecompressor());
        };
    }

    private static Decoder block(Decompressor codec) {
        return (source, target) -> {
            try {
                return codec.decompress(source, target) == target.byteSize();
            } catch (MalformedInputException | IllegalArgumentException | IndexOutOfBoundsException e) {
                // What a damaged block makes a codec throw; the caller reports the page.
                return false;
            } catch (IllegalStateException e) {
                if (!source.scope().isAlive() || !target.scope().isAlive()) {
                    throw e;
                }
                // That, too, is what Zstandard's throws at a header which contradicts itself.
                return false;
            }
        };
    }

    Encoder encoder() {
        return switch (this) {
            case NONE -> throw new IllegalStateException("nothing to compress with");
            case ZLIB -> new ZlibEncoder();
            case LZO -> block(new LzoCompressor());
            case SNAPPY -> block(new SnappyJavaCompressor());
            case ZSTD -> block(new ZstdJavaCompressor());
        };
    }

    private static Encoder block(Compressor codec) {
        return new Encoder() {
            @Override
            public int bound(int pageSize) {
                return codec.maxCompressedLength(pageSize);
            }

            @Override
            public int encode(MemorySegment source, MemorySegment target) {
                return codec.compress(source, target);
            }
        };
    }

    private static final class ZlibDecoder implements Decoder {

        private final Inflater inflater = new Inflater();

        @Override
        public boolean decode(MemorySegment source, MemorySegment target) {
            inflater.reset();
            inflater.setInput(source.asByteBuffer());
            ByteBuffer output = target.asByteBuffer();
            try {
                while (output.hasRemaining()) {
                    if (inflater.inflate(output) == 0) {
                        return false;
                    }
                }
                // A page that would inflate beyond its size is as damaged as one that falls short.
                return inflater.finished() || inflater.inflate(new byte[1]) == 0 && inflater.finished();
            } catch (DataFormatException e) {
                return false;
            }
        }
    }

    private static final class ZlibEncoder implements Encoder {

        private final Deflater deflater = new Deflater(ZLIB_LEVEL);
        private final IncompressiblePages incompressible = new IncompressiblePages();

        @Override
        public int bound(int pageSize) {
            // zlib's compressBound: input + input/4096 + input/16384 + input/33554432 + 13
            return pageSize + (pageSize >> 12) + (pageSize >> 14) + (pageSize >> 25) + 13;
        }

        @Override
        public int encode(MemorySegment source, MemorySegment target) {
            deflater.reset();
            deflater.setInput(source.asByteBuffer());
            deflater.finish();
            ByteBuffer output = target.asByteBuffer();
            while (!deflater.finished() && output.hasRemaining()) {
                deflater.deflate(output);
            }
            return output.position();
        }

        @Override
        public boolean isInVain(MemorySegment page) {
            return incompressible.contains(page);
        }
    }
}
