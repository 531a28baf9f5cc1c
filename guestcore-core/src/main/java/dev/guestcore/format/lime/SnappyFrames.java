package dev.guestcore.format.lime;

import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.file.CoreSink;
import dev.guestcore.file.FileBytes;
import dev.guestcore.file.MemoryOutput;
import io.airlift.compress.v3.MalformedInputException;
import io.airlift.compress.v3.snappy.SnappyJavaCompressor;
import io.airlift.compress.v3.snappy.SnappyJavaDecompressor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.zip.CRC32C;

/**
 * The framing format of Snappy (framing_format.txt of the Snappy project): chunks of a type byte and a 24-bit length,
 * little-endian. Data chunks hold the masked CRC-32C of the content, then the content, at most 65536 bytes of it.
 */
final class SnappyFrames {

    /** Most content that a chunk may hold. */
    static final int LARGEST_CHUNK = 1 << 16;

    /** Most bytes that any compressor makes of that. */
    static final int LARGEST_STORED = 32 + LARGEST_CHUNK + LARGEST_CHUNK / 6;

    static final int COMPRESSED = 0x00;
    static final int UNCOMPRESSED = 0x01;
    static final int STREAM_IDENTIFIER = 0xff;

    /** Chunks from this type on may be skipped by who does not know them. */
    static final int FIRST_SKIPPABLE = 0x80;

    static final int CHUNK_HEADER = 4;
    static final int CHECKSUM = 4;

    /** The chunk that a stream begins with. */
    static final byte[] IDENTIFIER = ("\u00ff\u0006\0\0sNaPpY").getBytes(StandardCharsets.ISO_8859_1);

    private static final SnappyJavaDecompressor DECOMPRESSOR = new SnappyJavaDecompressor();

    private SnappyFrames() {}

    static int maskedChecksum(byte[] content, int size) {
        CRC32C checksum = new CRC32C();
        checksum.update(content, 0, size);
        int value = (int) checksum.getValue();
        return (value >>> 15 | value << 17) + 0xa282ead8;
    }

    /**
     * The size of the content of a compressed chunk, a varint before it; at most three bytes for what a chunk may hold.
     *
     * @return the size, or -1 if there is none or it is too large
     */
    static int contentSize(FileBytes file, long offset, long storedSize) {
        int size = 0;
        for (int i = 0; i < 3 && i < storedSize; i++) {
            int next = file.u8(offset + i, "size of a chunk");
            size |= (next & 0x7f) << 7 * i;
            if (next < 0x80) {
                return size <= LARGEST_CHUNK ? size : -1;
            }
        }
        return -1;
    }

    /**
     * Reads the content of a chunk.
     *
     * @throws MalformedDumpException if it cannot be decompressed, or its checksum is wrong
     */
    static byte[] read(FileBytes file, long offset, int storedSize, int size, boolean compressed) {
        byte[] stored = file.bytes(offset, storedSize, "chunk");
        byte[] content = stored;
        if (compressed) {
            content = new byte[size];
            int found;
            try {
                found = DECOMPRESSOR.decompress(stored, 0, storedSize, content, 0, size);
            } catch (MalformedInputException | IllegalArgumentException | IndexOutOfBoundsException e) {
                throw file.malformed(offset, "compressed chunk", "a Snappy block", "bytes that do not decompress",
                        "its " + size + " bytes of memory are lost");
            }
            if (found != size) {
                throw file.malformed(offset, "content of a compressed chunk", size + " bytes", found + " bytes",
                        "its memory is lost");
            }
        }
        int expected = (int) file.u32(offset - CHECKSUM, ByteOrder.LITTLE_ENDIAN, "checksum of a chunk");
        int actual = maskedChecksum(content, size);
        if (expected != actual) {
            throw file.malformed(offset - CHECKSUM, "checksum of a chunk", String.format("%08x", expected),
                    String.format("%08x", actual), "its " + size + " bytes of memory are damaged");
        }
        return content;
    }

    /** Most bytes that a stream of {@code size} bytes can take. */
    static long largestStream(long size) {
        long chunks = size / LARGEST_CHUNK + (size % LARGEST_CHUNK == 0 ? 0 : 1);
        return IDENTIFIER.length + chunks * (CHUNK_HEADER + CHECKSUM) + size;
    }

    /** Compresses what is written into chunks. Not thread-safe. Call {@link #finish()} at the end of each stream. */
    static final class Sink implements CoreSink {

        private final CoreSink target;
        private final SnappyJavaCompressor compressor = new SnappyJavaCompressor();
        private final byte[] content = new byte[LARGEST_CHUNK];
        private final MemorySegment contentSegment = MemorySegment.ofArray(content);
        private final byte[] chunk =
                new byte[CHUNK_HEADER + CHECKSUM + compressor.maxCompressedLength(LARGEST_CHUNK)];
        private byte[] zeroChunk = new byte[0];
        private int filled;
        private boolean zeros = true;
        private long position;

        Sink(CoreSink target) {
            this.target = target;
        }

        /** Begins a stream. */
        void begin() {
            target.write(MemorySegment.ofArray(IDENTIFIER));
        }

        @Override
        public long position() {
            return position;
        }

        @Override
        public void write(MemorySegment bytes) {
            long done = 0;
            while (done < bytes.byteSize()) {
                long count = Math.min(LARGEST_CHUNK - filled, bytes.byteSize() - done);
                MemorySegment.copy(bytes, done, contentSegment, filled, count);
                zeros = false;
                advance((int) count);
                done += count;
            }
        }

        @Override
        public MemoryOutput memory() {
            return new MemoryOutput() {
                @Override
                public void write(long address, MemorySegment bytes) {
                    target.memory().tell(address, bytes);
                    Sink.this.write(bytes);
                }

                @Override
                public void writeZeros(long address, long count) {
                    Sink.this.writeZeros(count);
                }
            };
        }

        @Override
        public void writeZeros(long count) {
            long left = count;
            while (left > 0) {
                int some = (int) Math.min(LARGEST_CHUNK - filled, left);
                contentSegment.asSlice(filled, some).fill((byte) 0);
                advance(some);
                left -= some;
            }
        }

        private void advance(int count) {
            filled += count;
            position += count;
            if (filled == LARGEST_CHUNK) {
                emit();
            }
        }

        private void emit() {
            // Much of an idle guest's memory is zero: that chunk is compressed once.
            if (zeros && filled == LARGEST_CHUNK) {
                if (zeroChunk.length == 0) {
                    zeroChunk = Arrays.copyOf(chunk, compress());
                }
                target.write(MemorySegment.ofArray(zeroChunk));
            } else {
                target.write(MemorySegment.ofArray(chunk).asSlice(0, compress()));
            }
            filled = 0;
            zeros = true;
        }

        /** Makes the chunk; gives its size. */
        private int compress() {
            int room = chunk.length - CHUNK_HEADER - CHECKSUM;
            int size = compressor.compress(content, 0, filled, chunk, CHUNK_HEADER + CHECKSUM, room);
            boolean compressed = size < filled;
            if (!compressed) {
                System.arraycopy(content, 0, chunk, CHUNK_HEADER + CHECKSUM, filled);
                size = filled;
            }
            int type = compressed ? COMPRESSED : UNCOMPRESSED;
            ByteBuffer.wrap(chunk)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putInt(CHECKSUM + size << 8 | type)
                    .putInt(maskedChecksum(content, filled));
            return CHUNK_HEADER + CHECKSUM + size;
        }

        /** Writes what is left of the stream. */
        void finish() {
            if (filled > 0) {
                emit();
            }
        }
    }
}
