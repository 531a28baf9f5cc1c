package dev.guestcore.file;

import dev.guestcore.Finding;
import dev.guestcore.error.SourceException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Bytes of a fixed number that can be read at any position: a file, a temporary copy, memory, an object on a server. This is
 * what {@link FileBytes} stands on, which checks every access; nothing else reads it. Positions and sizes are in bytes.
 *
 * <p>An implementation is thread-safe, and an interrupted thread reads on and stays interrupted. It may fail in
 * {@link SourceException}s only, each with one line for the user.
 */
public interface RandomAccessBytes extends AutoCloseable {

    /** What messages call it. Holds no secret: where an address has one, that is left out. */
    String name();

    /** Path of the file, compressed or not, that was opened; empty of what is no file of this machine. */
    default Optional<Path> path() {
        return Optional.empty();
    }

    /** How many bytes there are; never changes. */
    long size();

    /**
     * Reads.
     *
     * @param offset where to begin, not negative
     * @param target receives the bytes at its beginning; native or backed by a byte array
     * @param length how many bytes are wanted; {@code offset + length} is at most {@link #size()}
     * @return how many were read: less only where the bytes end sooner than they did when they were opened, or before some
     *     that cannot be read; {@link #incomplete} tells the two apart
     * @throws SourceException if nothing can be read any more
     */
    long read(long offset, MemorySegment target, long length);

    /** All bytes as memory, if they are that or are mapped; valid until {@link #close()}. */
    default Optional<MemorySegment> mapped() {
        return Optional.empty();
    }

    /** Whether {@link #nextData} and {@link #nextHole} can tell anything. */
    default boolean knowsHoles() {
        return false;
    }

    /** The first position, from {@code offset} on, at which there may be other bytes than zeros; the size if none. */
    default long nextData(long offset) {
        return offset;
    }

    /** The first position, from {@code offset} on, at which a stretch of zeros is known to begin; the size if none. */
    default long nextHole(long offset) {
        return size();
    }

    /** Whether some bytes are known to be unreadable. */
    default boolean hasFailed() {
        return false;
    }

    /** How many bytes from {@code offset} on, at most {@code limit}, are not known to be unreadable. Reads nothing. */
    default long readableFrom(long offset, long limit) {
        return limit;
    }

    /** How many bytes from {@code offset} on, at most {@code limit}, are known to be unreadable. Reads nothing. */
    default long unreadableFrom(long offset, long limit) {
        return 0;
    }

    /** What could not be read up to now, if anything. */
    default List<Finding> readFailures() {
        return List.of();
    }

    /** What is noteworthy about how the bytes were had: that they were decompressed, and what is damaged about that. */
    default List<Finding> findings() {
        return List.of();
    }

    /** The program that the bytes were compressed with, if they were. */
    default Optional<String> compression() {
        return Optional.empty();
    }

    /**
     * The error for bytes that a read did not give.
     *
     * @param offset of the first byte that is missing
     */
    SourceException incomplete(long offset);

    /**
     * The error for an access to {@link #mapped()} that failed.
     *
     * @param fault what the access threw
     */
    default SourceException faulted(long offset, Throwable fault) {
        return new SourceException(incomplete(offset).getMessage(), fault);
    }

    /**
     * The same bytes once more, to be closed for themselves.
     *
     * @throws SourceException if they are not there any more
     */
    RandomAccessBytes reopen();

    /** Closes once the reads under way have ended. Later ones end in {@link IllegalStateException}. */
    @Override
    void close();
}
