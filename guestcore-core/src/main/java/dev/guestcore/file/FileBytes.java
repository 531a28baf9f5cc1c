package dev.guestcore.file;

import dev.guestcore.Finding;
import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.SourceException;
import dev.guestcore.internal.file.Arenas;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * All reads of a file go through this class: every access is checked against the file's size, and every failure becomes
 * one error with file, field, offset, expected and found.
 *
 * <p>Fields and small records are read through a mapping; bulk data by positional reads, because a mapping costs a page fault
 * for every few pages and keeps them in the process, and because a short read of a file that another program truncates is
 * an ordinary result, where an access to the mapping faults.
 *
 * <p>A compressed file is decompressed first, and the temporary copy read instead. A flattened dump (a stream of addressed
 * pieces, as makedumpfile writes into a pipe) is read as the file that it describes: offsets and sizes are those of the
 * assembled file, what no piece covers is zero.
 *
 * <p>A block that the disk cannot read ends a read before it and is recorded ({@link #readFailures}); the rest of the file
 * can be read.
 *
 * <p>Thread-safe; an interrupted thread continues to read, and stays interrupted. Offsets and sizes are bytes from the start of
 * the file.
 */
public final class FileBytes implements AutoCloseable {

    /** Up to so many bytes are cheaper copied out of the mapping than asked of the system. */
    private static final int LARGEST_RECORD = 256;

    /** A smaller hole is read over. */
    private static final long SMALLEST_HOLE = 64 << 10;

    /** After so many holes that are too small, a stretch is read without looking for more. */
    private static final int MOST_SMALL_HOLES = 16;

    private static final long READ_WITHOUT_LOOKING = 4 << 20;

    private final RandomAccessBytes stored;

    /** All that is stored, as memory; null where it can only be read. */
    private final @Nullable MemorySegment mapped;

    private final long size;

    /** Which part of the assembled file lies where in the stored one; null where the file is as it is stored. */
    private final @Nullable Extents pieces;

    /** Ends with the file; holds the table of pieces. */
    private final @Nullable Arena arena;

    private final List<Finding> findings;
    private final AtomicBoolean closing = new AtomicBoolean();

    /**
     * What is stored from an offset on.
     *
     * @param hole whether that is nothing, so that the bytes are zero
     * @param size how many bytes this holds for, at least 1
     */
    public record StoredRun(boolean hole, long size) {}

    private FileBytes(RandomAccessBytes stored, @Nullable Arena arena, FlattenedStream.@Nullable Assembly assembly) {
        this.stored = stored;
        this.mapped = stored.mapped().orElse(null);
        this.arena = arena;
        this.size = assembly == null ? stored.size() : assembly.size();
        this.pieces = assembly == null ? null : assembly.pieces();
        this.findings = Stream.concat(
                stored.findings().stream(),
                assembly == null ? Stream.empty() : assembly.findings().stream())
                .toList();
    }

    /**
     * Opens a regular file for reading. A compressed one is decompressed into a temporary file, which may take as long and
     * as much room as its content does; {@link #findings()} says so. The name "-" stands for standard input, which is read
     * to its end into such a file, and can be read only once; a file of that name is "./-".
     *
     * @throws SourceException if there is no such file, it is not a regular file, it cannot be read, or there is no room
     *     to decompress it
     * @throws MalformedDumpException if it is a flattened stream that holds nothing or is of an unknown version, or is
     *     compressed and nothing of it can be decompressed
     */
    public static FileBytes open(Path path) {
        return open(path, Progress.none());
    }

    /**
     * The same with somebody who is told how much of a compressed file is decompressed, if that takes a while.
     *
     * @throws dev.guestcore.error.CancelledException if {@code progress} stops it
     */
    public static FileBytes open(Path path, Progress progress) {
        return open(path, progress, FileChannel::read);
    }

    /**
     * Opens the file that a user names.
     *
     * @param location its path, or the {@linkplain ByteStore address} of one elsewhere, which is read where needed
     * @throws SourceException as {@link #open(Path)} does, if it is no path, or the file elsewhere cannot be read
     */
    public static FileBytes open(String location, Progress progress) {
        return Locations.isAddress(location)
                ? of(Locations.open(location), progress)
                : open(path(location), progress);
    }

    private static Path path(String location) {
        try {
            return Path.of(location);
        } catch (InvalidPathException e) {
            throw new SourceException(
                    "'" + location + "' is not a path: " + e.getReason()
                            + "; letters that are not ASCII need a UTF-8 locale (LC_ALL=C.UTF-8)",
                    e);
        }
    }

    /** The same with another way to read, so that tests have disks that fail. */
    static FileBytes open(Path path, StoredFile.Reads reads) {
        return open(path, Progress.none(), reads);
    }

    private static FileBytes open(Path path, Progress progress, StoredFile.Reads reads) {
        return of(
                SpecialFile.isStream(path)
                        ? StoredFile.of(path.toString(), Optional.of(path),
                                SpooledFile.take(SpecialFile.nameOf(path), SpecialFile.stream(path)))
                        : StoredFile.open(path, reads),
                progress);
    }

    /**
     * The same of bytes that are open already.
     *
     * @param stored is closed with the result, and if this method throws
     * @param progress told how much of compressed bytes is decompressed, if that takes a while
     * @throws SourceException if they cannot be read, or there is no room to decompress them
     * @throws MalformedDumpException as {@link #open(Path)} does
     */
    public static FileBytes of(RandomAccessBytes stored, Progress progress) {
        FileBytes file = new FileBytes(stored, null, null);
        try {
            Compression compression = Compression.of(file);
            if (compression == Compression.NONE) {
                return assembled(file);
            }
            RandomAccessBytes whole = StoredFile.of(
                    file.name(), stored.path(), SpooledFile.decompress(file, compression, progress));
            file.close();
            return assembled(new FileBytes(whole, null, null));
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    /**
     * Bytes in memory, read as a file of that name would be.
     *
     * @param bytes stay as they are, and valid, until the result is closed
     */
    public static FileBytes of(String name, MemorySegment bytes) {
        return of(new MemoryBytes(name, bytes), Progress.none());
    }

    /** A flattened stream as the file that it describes. */
    private static FileBytes assembled(FileBytes whole) {
        if (!FlattenedStream.isFlattened(whole)) {
            return whole;
        }
        Arena arena = Arena.ofShared();
        try {
            return new FileBytes(whole.stored, arena, FlattenedStream.index(whole, arena));
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /**
     * The same file once more, to be closed for itself. A temporary copy is not made again.
     *
     * @throws SourceException as {@link #open} does
     */
    public FileBytes reopen() {
        FileBytes whole = new FileBytes(stored.reopen(), null, null);
        try {
            return assembled(whole);
        } catch (RuntimeException | Error e) {
            whole.close();
            throw e;
        }
    }

    /** Whether a name stands for standard input or an open pipe, which can be read only once. */
    public static boolean isStream(Path path) {
        return SpecialFile.isStream(path);
    }

    /** Whether {@link #open(Path)} decompresses the file of that name; false if there is none that can be read. */
    public static boolean isCompressed(Path path) {
        if (!Files.isRegularFile(path)) {
            return false;
        }
        try (FileBytes stored = openAsStored(path)) {
            return Compression.of(stored) != Compression.NONE;
        } catch (GuestcoreException e) {
            return false;
        }
    }

    /**
     * Opens a regular file for reading, whatever is in it: compressed and flattened files as they are stored.
     *
     * @throws SourceException if there is no such file, it is not a regular file, or it cannot be read
     */
    public static FileBytes openAsStored(Path path) {
        return new FileBytes(StoredFile.open(path, FileChannel::read), null, null);
    }

    /** Path of the file; empty of what is no file of this machine. */
    public Optional<Path> path() {
        return stored.path();
    }

    /** Name of the file for messages. */
    public String name() {
        return stored.name();
    }

    /** Size in bytes when the file was opened; of a flattened stream, the size of the file that it describes. */
    public long size() {
        return size;
    }

    /** How the file is compressed, by the name of the program; empty if it is not. */
    public Optional<String> compression() {
        return stored.compression();
    }

    /** Whether the file is stored as a flattened stream. */
    public boolean isFlattened() {
        return pieces != null;
    }

    /** That the file was decompressed, and what is damaged about that or a flattened stream; a format adds its own. */
    public List<Finding> findings() {
        return findings;
    }

    /** Whether {@code [offset, offset + length)} lies in the file. Negative values do not. */
    public boolean holds(long offset, long length) {
        return offset >= 0 && length >= 0 && length <= size && offset <= size - length;
    }

    /**
     * Checks that {@code [offset, offset + length)} lies in the file.
     *
     * @param what names the thing that lies there, for the message
     * @throws MalformedDumpException if it does not
     */
    public void require(long offset, long length, String what) {
        if (!holds(offset, length)) {
            throw malformed(
                    offset,
                    what,
                    Long.toUnsignedString(length) + " bytes up to offset 0x" + Long.toHexString(offset + length),
                    "a file of " + size + " bytes",
                    "the file is cut short or the field that points here is wrong");
        }
    }

    /** Reads an unsigned byte. */
    public int u8(long offset, String field) {
        return (int) field(offset, Byte.BYTES, ByteOrder.nativeOrder(), field) & 0xff;
    }

    /** Reads an unsigned 16-bit integer. */
    public int u16(long offset, ByteOrder order, String field) {
        return (int) field(offset, Short.BYTES, order, field) & 0xffff;
    }

    /** Reads a 32-bit integer, zero-extended. */
    public long u32(long offset, ByteOrder order, String field) {
        return field(offset, Integer.BYTES, order, field) & 0xffff_ffffL;
    }

    /** Reads a 64-bit integer. */
    public long u64(long offset, ByteOrder order, String field) {
        return field(offset, Long.BYTES, order, field);
    }

    private long field(long offset, int length, ByteOrder order, String field) {
        require(offset, length, field);
        MemorySegment whole = pieces == null ? mapped : null;
        MemorySegment bytes = whole != null ? whole : fieldBytes(offset, length);
        long place = whole != null ? offset : 0;
        try {
            long value = switch (length) {
                case Byte.BYTES -> bytes.get(ValueLayout.JAVA_BYTE, place);
                case Short.BYTES -> bytes.get(ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(order), place);
                case Integer.BYTES -> bytes.get(ValueLayout.JAVA_INT_UNALIGNED.withOrder(order), place);
                default -> bytes.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(order), place);
            };
            raiseFaults(this);
            return value;
        } catch (InternalError e) {
            throw faulted(offset, e);
        }
    }

    /** The field alone, in its piece or as a copy. */
    private MemorySegment fieldBytes(long offset, int length) {
        Optional<MemorySegment> piece = inOnePiece(offset, length);
        if (piece.isPresent()) {
            return piece.get();
        }
        MemorySegment copy = MemorySegment.ofArray(new byte[length]);
        long count = read(offset, copy);
        if (count < length) {
            throw incomplete(offset + count);
        }
        return copy;
    }

    /**
     * Raises the {@link InternalError} of an access to the mapping that faulted, in this thread. HotSpot lets such an access
     * give any bytes and raises the error some time later, but at the latest on the return from a native method. So nothing
     * may come between the access and this call, not even a branch on what was read.
     */
    static void raiseFaults(Object any) {
        Thread.holdsLock(any);
    }

    private SourceException faulted(long offset, InternalError fault) {
        return stored.faulted(placeOf(offset), fault);
    }

    /** Where a byte is stored; of one that is not, where it would be. */
    private long placeOf(long offset) {
        if (pieces == null) {
            return offset;
        }
        long index = pieces.floor(offset);
        return pieces.contains(index, offset) ? pieces.value(index) + (offset - pieces.first(index)) : offset;
    }

    /**
     * Copies a small piece of the file: fields that belong together at less cost than each for itself.
     *
     * @param length number of bytes; check it against what the format allows before the call
     */
    public byte[] bytes(long offset, int length, String field) {
        require(offset, length, field);
        byte[] copy = new byte[length];
        MemorySegment target = MemorySegment.ofArray(copy);
        if (mapped != null && pieces == null && length <= LARGEST_RECORD) {
            try {
                MemorySegment.copy(mapped, offset, target, 0, length);
                raiseFaults(this);
            } catch (InternalError e) {
                throw faulted(offset, e);
            }
        } else {
            long count = read(offset, target);
            if (count < length) {
                throw incomplete(offset + count);
            }
        }
        return copy;
    }

    /**
     * A read-only view of part of the mapped file, valid until {@link #close()}. Empty where the bytes do not lie in memory
     * in one piece, which happens in flattened files, and in files that are not on this machine. Where another program cuts the file off, an access through the
     * view gives any bytes, and the thread that made it meets an {@link InternalError} there or some time later.
     *
     * @throws MalformedDumpException if the bytes do not lie in the file at all
     */
    public Optional<MemorySegment> view(long offset, long length, String field) {
        require(offset, length, field);
        return inOnePiece(offset, length).map(MemorySegment::asReadOnly);
    }

    private Optional<MemorySegment> inOnePiece(long offset, long length) {
        if (mapped == null) {
            return Optional.empty();
        }
        if (pieces == null) {
            return Optional.of(mapped.asSlice(offset, length));
        }
        long index = pieces.floor(offset);
        if (!pieces.contains(index, offset) || length - 1 > pieces.last(index) - offset) {
            return Optional.empty();
        }
        return Optional.of(mapped.asSlice(pieces.value(index) + (offset - pieces.first(index)), length));
    }

    /**
     * Reads bulk data.
     *
     * @param offset where to begin
     * @param target receives the bytes; native or backed by a byte array
     * @return how many bytes were read: less than asked for only where the file ends, or before a block that its disk
     *     cannot give; {@link #incomplete} tells the two apart
     * @throws SourceException if the disk fails in too many places
     */
    public long read(long offset, MemorySegment target) {
        long wanted = Math.min(target.byteSize(), Math.max(0, size - offset));
        return pieces == null ? stored.read(offset, target, wanted) : readPieces(pieces, offset, target, wanted);
    }

    private long readPieces(Extents pieces, long offset, MemorySegment target, long wanted) {
        long done = 0;
        long index = wanted == 0 ? -1 : pieces.floor(offset);
        while (done < wanted) {
            long from = offset + done;
            if (pieces.contains(index, from)) {
                long length = Math.min(wanted - done, pieces.last(index) - from + 1);
                long place = pieces.value(index) + (from - pieces.first(index));
                long count = stored.read(place, target.asSlice(done, length), length);
                done += count;
                if (count < length) {
                    break;
                }
            }
            long gapEnd = index + 1 < pieces.count() ? pieces.first(index + 1) : size;
            long gap = Math.min(wanted - done, gapEnd - (offset + done));
            target.asSlice(done, gap).fill((byte) 0);
            done += gap;
            index++;
        }
        return done;
    }

    /**
     * How far the file can be read, as far as is known: nothing is read, but what could not be read before is remembered.
     *
     * @param offset where to begin; in the file
     * @param limit how far the answer matters, at least 1
     * @return how many bytes from there on are not known to be unreadable, at most {@code limit}
     */
    public long readableFrom(long offset, long limit) {
        if (pieces == null || !stored.hasFailed()) {
            return stored.readableFrom(offset, limit);
        }
        long done = 0;
        for (long index = pieces.floor(offset); done < limit; index++) {
            long from = offset + done;
            if (pieces.contains(index, from)) {
                long length = Math.min(limit - done, pieces.last(index) - from + 1);
                long readable = stored.readableFrom(pieces.value(index) + (from - pieces.first(index)), length);
                done += readable;
                if (readable < length) {
                    break;
                }
            }
            long gapEnd = index + 1 < pieces.count() ? pieces.first(index + 1) : Long.MAX_VALUE;
            done = Math.min(limit, Math.max(done, gapEnd - offset));
        }
        return done;
    }

    /**
     * How many bytes from {@code offset} on, at most {@code limit}, are known to be unreadable; 0 if that byte is not.
     *
     * @param offset where to begin; in the file
     */
    public long unreadableFrom(long offset, long limit) {
        if (pieces == null || !stored.hasFailed()) {
            return stored.unreadableFrom(offset, limit);
        }
        long index = pieces.floor(offset);
        if (!pieces.contains(index, offset)) {
            return 0;
        }
        long length = Math.min(limit, pieces.last(index) - offset + 1);
        return stored.unreadableFrom(pieces.value(index) + (offset - pieces.first(index)), length);
    }

    /** What of the file could not be read up to now, if anything; offsets are those of the file as it is stored. */
    public List<Finding> readFailures() {
        return stored.readFailures();
    }

    /**
     * Tells, without reading it, whether part of the file is a hole. Costs a few system calls, whatever the sizes.
     *
     * @param offset where to begin; in the file
     * @param limit how far the answer matters, at least 1
     * @return a run that begins there and is not longer than {@code limit}; a run that is no hole may hold small ones, and
     *     need not end where it could
     */
    public StoredRun storedAt(long offset, long limit) {
        long end = offset + Math.min(limit, size - offset);
        if (end - offset < SMALLEST_HOLE || !knowsHoles()) {
            return new StoredRun(false, limit);
        }
        long data = Math.min(nextData(offset), end);
        if (data - offset >= SMALLEST_HOLE) {
            return new StoredRun(true, data - offset);
        }
        for (int smallHoles = 0; smallHoles < MOST_SMALL_HOLES; smallHoles++) {
            long hole = nextHole(data);
            if (hole >= end) {
                return new StoredRun(false, limit);
            }
            data = Math.min(nextData(hole), end);
            if (data - hole >= SMALLEST_HOLE) {
                return new StoredRun(false, hole - offset);
            }
        }
        return new StoredRun(false, Math.min(limit, Math.max(data - offset, READ_WITHOUT_LOOKING)));
    }

    private boolean knowsHoles() {
        return pieces != null || stored.knowsHoles();
    }

    private long nextData(long offset) {
        return pieces == null ? stored.nextData(offset) : StoredRuns.nextData(pieces, size, offset);
    }

    private long nextHole(long offset) {
        return pieces == null ? stored.nextHole(offset) : StoredRuns.nextHole(pieces, size, offset);
    }

    /** An error about this file. */
    public MalformedDumpException malformed(
            long offset, String field, String expected, String found, String remedy) {
        return new MalformedDumpException(name(), offset, field, expected, found, remedy);
    }

    /** The error for bytes at {@code offset} that a read did not give: the disk failed, or the file became shorter. */
    public SourceException incomplete(long offset) {
        return stored.incomplete(placeOf(offset));
    }

    /** Closes the file once the reads under way have ended. Later ones end in {@link IllegalStateException}. */
    @Override
    public void close() {
        if (!closing.compareAndSet(false, true)) {
            return;
        }
        try {
            stored.close();
        } finally {
            if (arena != null) {
                Arenas.close(arena);
            }
        }
    }
}
