package dev.guestcore.file;

import dev.guestcore.Finding;
import dev.guestcore.Progress;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.SourceException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.internal.spool.Spool;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A whole file that had to be spooled: decompressed, or read from a pipe. Stretches of zeros are holes, known from the
 * writing. May be held by several, and ends with the last of them. Thread-safe once it is made.
 */
final class SpooledFile implements AutoCloseable {

    /** Zeros of this size and at multiples of it are not stored. */
    private static final int CHUNK = 1 << 16;

    /** More stretches are not told apart: the table takes 24 bytes for each. */
    private static final long MOST_RUNS = 1 << 20;

    /** A file of zeros can say in a megabyte that it is a terabyte; this is more than any dump shrinks. */
    private static final long MOST_GROWTH = 4096;

    private static final long ALLOWED_IN_ANY_CASE = 16L << 30;

    /** Less becomes a gigabyte at most, in a moment. */
    private static final long WORTH_TELLING = 1L << 20;

    private final Spool spool;
    private final Arena arena;
    private final Extents data;
    private final long size;
    private final Compression compression;
    private final List<Finding> findings;
    private int holders = 1;

    private SpooledFile(
            Spool spool, Arena arena, Extents data, long size, Compression compression, List<Finding> findings) {
        this.spool = spool;
        this.arena = arena;
        this.data = data;
        this.size = size;
        this.compression = compression;
        this.findings = List.copyOf(findings);
    }

    /**
     * Decompresses a file.
     *
     * @param stored stays open
     * @param progress told of compressed bytes, unless they are so few that nobody could read a line about them
     * @throws MalformedDumpException if nothing of it can be decompressed
     * @throws UnsupportedRequestException if it becomes much larger than a dump would, or takes more memory than there is
     * @throws SourceException if there is no room
     */
    public static SpooledFile decompress(FileBytes stored, Compression compression, Progress progress) {
        boolean huge = stored.size() > Long.MAX_VALUE / MOST_GROWTH;
        long most = huge ? Long.MAX_VALUE : Math.max(ALLOWED_IN_ANY_CASE, stored.size() * MOST_GROWTH);
        return decompress(stored, compression, most, stored.size() < WORTH_TELLING ? Progress.none() : progress);
    }

    /** The same with a limit in bytes. */
    static SpooledFile decompress(FileBytes stored, Compression compression, long most, Progress progress) {
        String name = stored.name();
        progress.begin("decompressing", stored.size());
        String remedy = "decompress it elsewhere (" + compression.command(name, 0) + ") and open the result";
        DecompressingChannel channel = DecompressingChannel.of(stored, 0, compression, progress);
        SpooledFile file = spool(name, remedy, compression, channel, most);
        try {
            Optional<String> damage = channel.damage();
            if (file.size == 0) {
                throw new MalformedDumpException(name, 0, compression.label() + " data", "something to decompress",
                        damage.orElse("nothing"), "the file is damaged or empty");
            }
            List<Finding> findings = new ArrayList<>(file.findings);
            damage.ifPresent(why -> findings.add(Finding.damage(name + ": the " + compression.label()
                    + " data are damaged or cut short (" + why + ") after " + file.size
                    + " decompressed bytes; the rest is lost")));
            return new SpooledFile(file.spool, file.arena, file.data, file.size, compression, findings);
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    /**
     * Takes all that comes out of a pipe.
     *
     * @param name of the pipe, for messages
     * @throws SourceException if there is no room, or reading fails
     */
    public static SpooledFile take(String name, InputStream pipe) {
        return spool(name, "", Compression.NONE, Channels.newChannel(pipe), Long.MAX_VALUE);
    }

    private static SpooledFile spool(
            String name, String remedy, Compression compression, ReadableByteChannel from, long most) {
        Spool spool = new Spool(name, remedy);
        Arena arena = Arena.ofShared();
        try {
            Extents.Builder runs = new Extents.Builder(arena);
            ByteBuffer buffer = ByteBuffer.allocate(CHUNK);
            MemorySegment bytes = MemorySegment.ofArray(buffer.array());
            MemorySegment zeros = MemorySegment.ofArray(new byte[CHUNK]);
            long size = 0;
            boolean more = true;
            while (more) {
                more = fill(from, buffer.clear());
                int count = buffer.position();
                if (count > most - size) {
                    throw new UnsupportedRequestException(name + ": becomes larger than " + most
                            + " bytes when it is decompressed, which is far more than a dump does; if that is right, "
                            + remedy);
                }
                boolean zero = MemorySegment.mismatch(bytes, 0, count, zeros, 0, count) == -1;
                if (count > 0 && (!zero || runs.count() == MOST_RUNS)) {
                    spool.write(size, bytes.asSlice(0, count));
                    long last = runs.count() - 1;
                    if (last >= 0 && (runs.last(last) + 1 == size || runs.count() == MOST_RUNS)) {
                        runs.extendLast(size + count - 1);
                    } else {
                        runs.add(size, size + count - 1, 0);
                    }
                }
                size += count;
            }
            spool.finish(size);
            String how = compression == Compression.NONE
                    ? "a pipe"
                    : "compressed by " + compression.label();
            Finding note = Finding.note(name + ": " + how + "; read from a temporary copy of " + size + " bytes in "
                    + spool.folder());
            return new SpooledFile(spool, arena, runs.build(), size, compression, List.of(note));
        } catch (IOException e) {
            spool.close();
            arena.close();
            throw new SourceException(name + ": reading failed: " + e.getMessage(), e);
        } catch (RuntimeException | Error e) {
            spool.close();
            arena.close();
            throw e;
        }
    }

    /** Gives false at the end. */
    private static boolean fill(ReadableByteChannel from, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            if (from.read(buffer) < 0) {
                return false;
            }
        }
        return true;
    }

    /** The copy. */
    public FileChannel channel() {
        return spool.channel();
    }

    /** Size in bytes. */
    public long size() {
        return size;
    }

    /** The first offset, from {@code offset} on, at which there may be other bytes than zeros; the size if none. */
    long nextData(long offset) {
        return StoredRuns.nextData(data, size, offset);
    }

    /** The first offset, from {@code offset} on, at which zeros begin that are not stored; the size if none. */
    long nextHole(long offset) {
        return StoredRuns.nextHole(data, size, offset);
    }

    /** How the file was compressed. */
    public Compression compression() {
        return compression;
    }

    /** That the file was spooled, and what is damaged. */
    public List<Finding> findings() {
        return findings;
    }

    /** One more holds it, who must close it as well. */
    public synchronized SpooledFile share() {
        if (holders == 0) {
            throw new IllegalStateException("the spooled file is closed");
        }
        holders++;
        return this;
    }

    @Override
    public synchronized void close() {
        if (holders > 0 && --holders == 0) {
            arena.close();
            spool.close();
        }
    }
}
