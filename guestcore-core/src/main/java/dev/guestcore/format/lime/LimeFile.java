package dev.guestcore.format.lime;

import dev.guestcore.Finding;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.check.CappedFindings;
import dev.guestcore.internal.check.SecondCopies;
import dev.guestcore.internal.memory.FileMemory;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.internal.ranges.LayeredExtents;
import java.lang.foreign.Arena;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * The blocks of an image. Beside each range of {@link #extents} stands the file offset of its bytes, or the index of a
 * chunk with the sign bit set, or {@link FileMemory#UNREADABLE}.
 *
 * @param extents what lies where in the file
 * @param regions the ranges that the blocks cover
 * @param chunks compressed chunks
 * @param blocks how many blocks there are
 * @param ordered whether they ascend without overlap
 * @param contradiction memory that blocks hold twice with different bytes, in words; empty if there is none
 */
record LimeFile(
        Extents extents, Extents regions, ChunkTable chunks, long blocks, boolean ordered, String contradiction) {

    /** Set beside a range whose other bits are the index of a chunk. */
    static final long CHUNK = Long.MIN_VALUE;

    /** Name of the field behind a compressed block. */
    static final String STREAM_LENGTH = "length of a compressed block";

    private static final int SECTOR = 512;

    /** A disk may be much larger than the memory that was written to it. */
    private static final long LOOKED_AT = 1 << 20;

    /**
     * Finds all blocks of a file; where it breaks off, the rest is a finding.
     *
     * @param mostCompared how many bytes of memory that is there twice may be read to compare
     */
    static LimeFile read(FileBytes file, Arena arena, CappedFindings findings, long mostCompared) {
        try (Arena scratch = Arena.ofConfined()) {
            return new Scan(file, arena, scratch, findings).run(mostCompared);
        }
    }

    private static final class Scan {

        private final FileBytes file;
        private final Arena arena;
        private final CappedFindings findings;
        private final LayeredExtents layers;
        private final LayeredExtents covered;
        private final ChunkTable chunks;

        Scan(FileBytes file, Arena arena, Arena scratch, CappedFindings findings) {
            this.file = file;
            this.arena = arena;
            this.findings = findings;
            this.layers = new LayeredExtents(scratch);
            this.covered = new LayeredExtents(scratch);
            this.chunks = new ChunkTable(arena);
        }

        LimeFile run(long mostCompared) {
            long at = 0;
            while (at >= 0 && at < file.size()) {
                at = readBlock(at);
            }
            Extents extents = layers.build(arena, LayeredExtents.Precedence.EARLIER);
            Extents regions = covered.build(arena, LayeredExtents.Precedence.EARLIER);
            LimeFile image = new LimeFile(extents, regions, chunks, covered.count(), covered.isOrdered(), "");
            if (covered.isOrdered()) {
                return image;
            }
            String contradiction = contradiction(image, mostCompared);
            if (!contradiction.isEmpty()) {
                findings.add(Finding.damage(file.name() + ": blocks overlap and contradict each other: " + contradiction
                        + "; that of the first block is shown"));
            }
            return new LimeFile(extents, regions, chunks, covered.count(), false, contradiction);
        }

        private String contradiction(LimeFile image, long mostCompared) {
            LimeMemory memory = new LimeMemory(file, image);
            SecondCopies copies = new SecondCopies(mostCompared, 4 * (layers.count() + image.extents().count()) + 1024);
            layers.forEach((first, last, value) -> {
                if (value >= 0 || value < FileMemory.ZERO) {
                    copies.compare(image.extents(), first, last - first + 1, value,
                            (at, size, shown) -> copies.compare(at, size, memory::readAvailable, at, value >= 0
                                    ? (address, target) -> file.read(value + (address - first), target)
                                    : (address, target) -> memory.readChunk(value & ~CHUNK, address, target), at));
                }
            });
            return copies.contradiction();
        }

        /** Gives where the next block begins, or -1 if that cannot be told. */
        private long readBlock(long at) {
            if (!file.holds(at, BlockHeader.SIZE)) {
                findings.damage(file.malformed(at, "block header", "32 bytes", (file.size() - at) + " bytes",
                        "the file is cut short; what follows is missing"));
                return -1;
            }
            BlockHeader header = BlockHeader.read(file, at);
            boolean plain = Dialect.LIME.matches(header);
            if (!plain && !Dialect.AVML.matches(header)) {
                if (at > 0 && isRestOfDisk(at)) {
                    findings.note(file.malformed(at, "magic and version of a block",
                            "4c694d45 and 1, or 4c4d5641 and 2", "zeros up to the end or for a MiB",
                            "they are taken for the rest of a disk that the image was written to"));
                    return -1;
                }
                findings.damage(file.malformed(at, "magic and version of a block",
                        "4c694d45 and 1, or 4c4d5641 and 2",
                        String.format("%08x and %d", header.magic(), header.version()),
                        "everything from here on is lost"));
                return -1;
            }
            if (Long.compareUnsigned(header.last(), header.first()) < 0 || header.last() - header.first() < 0
                    || header.last() - header.first() == Long.MAX_VALUE) {
                findings.damage(file.malformed(at + 16, "last address of a block",
                        "an address from 0x" + Long.toHexString(header.first()) + " on, not 2^63 bytes away",
                        "0x" + Long.toHexString(header.last()), "everything from here on is lost"));
                return -1;
            }
            covered.add(header.first(), header.last(), FileMemory.UNREADABLE);
            long size = header.last() - header.first() + 1;
            long content = at + BlockHeader.SIZE;
            return plain ? readPlain(content, header.first(), size) : readStream(content, header.first(), size);
        }

        /** LiME may be told to write to a whole disk. */
        private boolean isRestOfDisk(long at) {
            if (file.size() % SECTOR != 0) {
                return false;
            }
            int size = (int) Math.min(LOOKED_AT, file.size() - at);
            byte[] rest = file.bytes(at, size, "bytes after the last block");
            return Arrays.mismatch(rest, new byte[size]) < 0;
        }

        private long readPlain(long content, long first, long size) {
            long held = Math.min(size, file.size() - content);
            if (held > 0) {
                layers.add(first, first + (held - 1), content);
            }
            if (held < size) {
                lose(content + held, first, held, size, "the end of the file", "the file is cut short");
                return -1;
            }
            return content + size;
        }

        private void lose(long offset, long first, long held, long size, String found, String why) {
            layers.add(first + held, first + (size - 1), FileMemory.UNREADABLE);
            findings.damage(file.malformed(offset, "content of the block at 0x" + Long.toHexString(first),
                    size + " bytes of memory", found + " after " + held,
                    why + "; everything from here on is lost"));
        }

        /** Chunk by chunk up to the block's size; then the stream's length follows. */
        private long readStream(long content, long first, long size) {
            long at = content;
            long done = 0;
            while (done < size) {
                if (!file.holds(at, SnappyFrames.CHUNK_HEADER)) {
                    lose(at, first, done, size, "the end of the file", "the file is cut short");
                    return -1;
                }
                long word = file.u32(at, ByteOrder.LITTLE_ENDIAN, "chunk header");
                int type = (int) word & 0xff;
                long length = word >>> 8;
                long data = at + SnappyFrames.CHUNK_HEADER;
                if (!file.holds(data, length)) {
                    lose(at, first, done, size, "a chunk of " + length + " bytes that ends past the end of the file",
                            "the file is cut short, or the chunk's length is wrong");
                    return -1;
                }
                if (type < SnappyFrames.FIRST_SKIPPABLE) {
                    int chunk = chunkSize(type, data, length);
                    if (chunk < 0 || chunk > size - done) {
                        lose(at, first, done, size, "a chunk of type " + type + " that cannot be right",
                                "the block is damaged");
                        return -1;
                    }
                    if (chunk > 0) {
                        long index = chunks.add(first + done, data + SnappyFrames.CHECKSUM,
                                (int) length - SnappyFrames.CHECKSUM, chunk, type == SnappyFrames.COMPRESSED);
                        layers.add(first + done, first + (done + chunk - 1), CHUNK | index);
                    }
                    done += chunk;
                }
                at = data + length;
            }
            return afterStream(at, at - content);
        }

        /** Size of the content of a data chunk, or -1 if it makes no sense. */
        private int chunkSize(int type, long data, long length) {
            if (length < SnappyFrames.CHECKSUM || type > SnappyFrames.UNCOMPRESSED) {
                return -1;
            }
            long stored = length - SnappyFrames.CHECKSUM;
            if (type == SnappyFrames.UNCOMPRESSED) {
                return stored <= SnappyFrames.LARGEST_CHUNK ? (int) stored : -1;
            }
            return stored <= SnappyFrames.LARGEST_STORED
                    ? SnappyFrames.contentSize(file, data + SnappyFrames.CHECKSUM, stored)
                    : -1;
        }

        private long afterStream(long at, long length) {
            if (!file.holds(at, Long.BYTES)) {
                findings.damage(file.malformed(at, STREAM_LENGTH, "8 bytes",
                        (file.size() - at) + " bytes", "the file is cut short; what follows is missing"));
                return -1;
            }
            long said = file.u64(at, ByteOrder.LITTLE_ENDIAN, STREAM_LENGTH);
            if (said != length) {
                findings.note(file.malformed(at, STREAM_LENGTH, Long.toString(length),
                        Long.toUnsignedString(said), "the chunks themselves are whole"));
            }
            return at + Long.BYTES;
        }
    }
}
