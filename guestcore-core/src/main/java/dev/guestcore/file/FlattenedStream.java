package dev.guestcore.file;

import dev.guestcore.Finding;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.internal.ranges.LayeredExtents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The flattened form of a dump: what {@code makedumpfile -F} and QEMU write where they cannot seek. Each piece says at
 * which offset of the real file it belongs; pieces may come in any order, and a later one overwrites an earlier one, as if
 * written to a file. All integers are big-endian, whatever the dump inside (docs/formats/flattened.md).
 *
 * <pre>
 *    0  16  "makedumpfile", NUL-padded     4096  8  offset of the piece, or -1 at the end of the stream
 *   16   8  type, 1                        4104  8  its size, or -1 at the end of the stream
 *   24   8  version, 1                     4112  n  its bytes; the next piece follows without padding
 * </pre>
 */
final class FlattenedStream {

    private static final byte[] SIGNATURE =
            Arrays.copyOf("makedumpfile".getBytes(StandardCharsets.US_ASCII), 16);
    private static final long HEADER = 4096;
    private static final long PIECE_HEADER = 16;
    private static final ValueLayout.OfLong BIG_LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.BIG_ENDIAN);

    /** A hostile offset must not make a small stream look like a file of 2^63 bytes of zeros to loop over. */
    private static final long MOST_GAPS = 1L << 30;

    private static final long MOST_GAPS_FACTOR = 256;

    private FlattenedStream() {}

    /**
     * The file that the stream describes.
     *
     * @param pieces offsets in that file; beside each range, the offset in the stream
     * @param size its size in bytes
     * @param findings what is damaged about the stream
     */
    public record Assembly(Extents pieces, long size, List<Finding> findings) {}

    /** Whether the file begins with the stream's signature. */
    public static boolean isFlattened(FileBytes stored) {
        return stored.size() >= SIGNATURE.length
                && Arrays.equals(SIGNATURE, stored.bytes(0, SIGNATURE.length, "signature"));
    }

    /**
     * Finds all pieces of a file for which {@link #isFlattened} holds. A stream that is cut short gives what it holds.
     *
     * @param arena how long the table of pieces lives
     * @throws dev.guestcore.error.MalformedDumpException if it is of an unknown type or version, or holds no piece
     */
    public static Assembly index(FileBytes stored, Arena arena) {
        requireOne(stored, 16, "type of the flattened stream");
        requireOne(stored, 24, "version of the flattened stream");
        stored.require(0, HEADER, "header of the flattened stream");
        List<Finding> findings = new ArrayList<>();
        long mostSize = Math.min(stored.size(), Long.MAX_VALUE / (2 * MOST_GAPS_FACTOR)) * MOST_GAPS_FACTOR + MOST_GAPS;
        long size = 0;
        try (Arena scratch = Arena.ofConfined()) {
            LayeredExtents pieces = new LayeredExtents(scratch);
            // Read, not mapped: a page fault for each header takes several times as long.
            MemorySegment header = scratch.allocate(PIECE_HEADER, Long.BYTES);
            long at = HEADER;
            while (true) {
                if (!stored.holds(at, PIECE_HEADER)) {
                    findings.add(damage(stored, at, "end of the flattened stream", "an end mark (-1, -1)",
                            "the end of the file", "the stream is cut short; what follows is missing"));
                    break;
                }
                long read = stored.read(at, header);
                if (read < PIECE_HEADER) {
                    throw stored.incomplete(at + read);
                }
                long offset = header.get(BIG_LONG, 0);
                long length = header.get(BIG_LONG, Long.BYTES);
                if (offset == -1 && length == -1) {
                    break;
                }
                if (offset < 0 || length <= 0 || length > mostSize || offset > mostSize - length) {
                    findings.add(damage(stored, at, "piece of the flattened stream",
                            "a size above 0 and an end at most at " + mostSize,
                            "offset " + offset + ", size " + length, "everything from here on is lost"));
                    break;
                }
                long held = Math.min(length, stored.size() - at - PIECE_HEADER);
                if (held > 0) {
                    pieces.add(offset, offset + held - 1, at + PIECE_HEADER);
                }
                size = Math.max(size, offset + length);
                if (held < length) {
                    findings.add(damage(stored, at, "piece of the flattened stream", length + " bytes",
                            "only " + held + " up to the end of the file",
                            "the stream is cut short; what follows is missing"));
                    break;
                }
                at += PIECE_HEADER + length;
            }
            if (pieces.count() == 0) {
                throw stored.malformed(HEADER, "first piece of the flattened stream", "an offset, a size and bytes",
                        "none", "the stream holds nothing; write it again");
            }
            return new Assembly(pieces.build(arena, LayeredExtents.Precedence.LATER), size, List.copyOf(findings));
        }
    }

    private static void requireOne(FileBytes stored, long offset, String field) {
        long found = stored.u64(offset, ByteOrder.BIG_ENDIAN, field);
        if (found != 1) {
            throw stored.malformed(offset, field, "1", Long.toString(found),
                    "rearrange it with the program that wrote it (makedumpfile -R)");
        }
    }

    private static Finding damage(
            FileBytes stored, long offset, String field, String expected, String found, String consequence) {
        return Finding.damage(
                stored.malformed(offset, field, expected, found, consequence).getMessage());
    }
}
