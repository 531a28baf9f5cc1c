package dev.guestcore.file;

import dev.guestcore.Finding;
import dev.guestcore.error.SourceException;
import dev.guestcore.internal.file.Arenas;
import dev.guestcore.internal.file.FileHoles;
import dev.guestcore.internal.file.IoReason;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A file of this machine, or the temporary copy of one, mapped and read at positions. Reads outlive two things. A thread that
 * is interrupted while it reads closes the channel for all threads: then the file is opened again, or read through its
 * mapping where it has lost its name. And a block that the disk cannot give ends a read before it, is remembered, and is not
 * asked for again. Thread-safe.
 */
final class StoredFile implements RandomAccessBytes {

    private static final int LARGEST_TRANSFER = 1 << 30;

    /** A smaller file is read sooner than its holes are found. */
    private static final long SMALLEST_SPARSE_FILE = 64 << 20;

    private final String name;
    private final Optional<Path> original;

    /** Null where a copy is read, which has no name. */
    private final @Nullable Path path;

    private final Arena arena;
    private final @Nullable Object key;
    private final MemorySegment mapped;
    private final Reads reads;
    private final BadBlocks bad;
    private final @Nullable SpooledFile copy;
    private final ReadAhead readAhead;
    private final Object lock = new Object();
    private final Object holesLock = new Object();
    private boolean soughtHoles;
    private @Nullable FileHoles holes;
    private volatile FileChannel channel;
    private volatile boolean lost;
    private volatile boolean closed;

    /** How bytes come out of a channel; tests let it fail. */
    @FunctionalInterface
    interface Reads {

        /** Reads as {@link FileChannel#read(ByteBuffer, long)} does. */
        int read(FileChannel channel, ByteBuffer target, long offset) throws IOException;
    }

    private StoredFile(
            String name,
            Optional<Path> original,
            @Nullable Path path,
            FileChannel channel,
            @Nullable Object key,
            Arena arena,
            MemorySegment mapped,
            Reads reads,
            @Nullable SpooledFile copy) {
        this.name = name;
        this.original = original;
        this.path = path;
        this.channel = channel;
        this.key = key;
        this.arena = arena;
        this.mapped = mapped;
        this.reads = reads;
        this.copy = copy;
        this.bad = new BadBlocks(name);
        this.readAhead = new ReadAhead(arena, this::readStored);
    }

    /**
     * Opens a regular file.
     *
     * @throws SourceException if there is no such file, it is not a regular file, or it cannot be read
     */
    static StoredFile open(Path path, Reads reads) {
        if (path.toString().isEmpty()) {
            throw new SourceException("the name of the file is empty");
        }
        if (Files.isDirectory(path)) {
            throw new SourceException(path + ": is a directory; name the dump file in it");
        }
        if (Files.exists(path) && !Files.isRegularFile(path)) {
            throw SpecialFile.refusal(path);
        }
        // Asking an open channel for its size closes it in a thread that is interrupted.
        boolean interrupted = Thread.interrupted();
        Arena arena = Arena.ofShared();
        FileChannel channel = null;
        try {
            Object before = keyOf(path);
            channel = FileChannel.open(path, StandardOpenOption.READ);
            // The same before and after: no other file took the name in between.
            Object key = before != null && before.equals(keyOf(path)) ? before : null;
            MemorySegment mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            return new StoredFile(path.toString(), Optional.of(path), path, channel, key, arena, mapped, reads, null);
        } catch (NoSuchFileException e) {
            arena.close();
            throw new SourceException(path + ": no such file" + SpecialFile.whyMissing(path), e);
        } catch (IOException e) {
            closeQuietly(channel, e);
            arena.close();
            throw new SourceException(path + ": cannot be opened for reading: " + IoReason.of(e), e);
        } catch (RuntimeException | Error e) {
            closeQuietly(channel, e);
            arena.close();
            throw e;
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /**
     * The temporary copy of a file, which others may read as well.
     *
     * @param name of the file, for messages
     * @param original the file, if it is one of this machine
     * @param copy ends with the result
     */
    static StoredFile of(String name, Optional<Path> original, SpooledFile copy) {
        boolean interrupted = Thread.interrupted();
        Arena arena = Arena.ofShared();
        try {
            MemorySegment mapped = copy.channel().map(FileChannel.MapMode.READ_ONLY, 0, copy.size(), arena);
            return new StoredFile(name, original, null, copy.channel(), null, arena, mapped, FileChannel::read, copy);
        } catch (IOException e) {
            arena.close();
            copy.close();
            throw new SourceException(name + ": cannot map its temporary copy: " + IoReason.of(e), e);
        } catch (RuntimeException | Error e) {
            arena.close();
            copy.close();
            throw e;
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static void closeQuietly(@Nullable AutoCloseable closeable, Throwable primary) {
        if (closeable != null) {
            try {
                closeable.close();
            } catch (Exception e) {
                primary.addSuppressed(e);
            }
        }
    }

    /** What the file system knows the file of that name by; null where it does not say. */
    private static @Nullable Object keyOf(Path path) throws IOException {
        return Files.readAttributes(path, BasicFileAttributes.class).fileKey();
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Optional<Path> path() {
        return original;
    }

    @Override
    public long size() {
        return mapped.byteSize();
    }

    @Override
    public Optional<MemorySegment> mapped() {
        return Optional.of(mapped);
    }

    @Override
    public List<Finding> findings() {
        return copy == null ? List.of() : copy.findings();
    }

    @Override
    public Optional<String> compression() {
        return copy == null || copy.compression() == Compression.NONE
                ? Optional.empty()
                : Optional.of(copy.compression().label());
    }

    @Override
    public long read(long offset, MemorySegment target, long wanted) {
        if (wanted <= ReadAhead.LARGEST_READ) {
            return readAhead.read(offset, target, wanted);
        }
        return ReadAhead.isSlowTarget(offset, target)
                ? readAhead.readThroughWindow(offset, target, wanted)
                : readStored(offset, target, wanted);
    }

    @Override
    public boolean knowsHoles() {
        if (copy != null) {
            return true;
        }
        if (path == null || key == null || size() < SMALLEST_SPARSE_FILE) {
            return false;
        }
        synchronized (holesLock) {
            if (!soughtHoles) {
                soughtHoles = true;
                holes = FileHoles.of(path, key, size()).orElse(null);
            }
            return holes != null;
        }
    }

    @Override
    public long nextData(long offset) {
        if (copy == null) {
            return Objects.requireNonNull(holes).nextData(offset);
        }
        return copy.nextData(offset);
    }

    @Override
    public long nextHole(long offset) {
        if (copy == null) {
            return Objects.requireNonNull(holes).nextHole(offset);
        }
        return copy.nextHole(offset);
    }

    @Override
    public boolean hasFailed() {
        return !bad.isEmpty();
    }

    @Override
    public long readableFrom(long offset, long limit) {
        return bad.readableFrom(offset, limit);
    }

    @Override
    public long unreadableFrom(long offset, long limit) {
        return bad.unreadableFrom(offset, limit);
    }

    @Override
    public List<Finding> readFailures() {
        return bad.findings();
    }

    @Override
    public SourceException incomplete(long offset) {
        return bad.unreadableFrom(offset, 1) > 0 ? bad.failure(offset) : shrunk();
    }

    private SourceException shrunk() {
        return new SourceException(name + ": the file became shorter than the " + size()
                + " bytes it had when it was opened; let whoever writes it finish, then try again");
    }

    @Override
    public SourceException faulted(long offset, Throwable fault) {
        if (!isShorter()) {
            return new SourceException(name + ": reading at offset 0x" + Long.toHexString(offset)
                    + " failed: the disk reports an error; copy what can be read to another disk, for example with"
                    + " ddrescue", fault);
        }
        return new SourceException(shrunk().getMessage(), fault);
    }

    private boolean isShorter() {
        try {
            return channel.size() < mapped.byteSize();
        } catch (IOException e) {
            return false;
        }
    }

    /** Opens the file by its name again; a temporary copy is shared. */
    @Override
    public RandomAccessBytes reopen() {
        return path == null ? of(name, original, Objects.requireNonNull(copy).share()) : open(path, reads);
    }

    /** Reads up to {@code wanted} bytes; gives how many, less only where the file ends or cannot be read. */
    private long readStored(long offset, MemorySegment target, long wanted) {
        // A channel that is read by an interrupted thread closes.
        boolean interrupted = Thread.interrupted();
        long done = 0;
        long most = LARGEST_TRANSFER;
        try {
            while (done < wanted) {
                long at = offset + done;
                long chunk = bad.readableFrom(at, Math.min(wanted - done, most - at % BadBlocks.BLOCK));
                if (chunk == 0) {
                    break;
                }
                FileChannel open = channel;
                try {
                    int count = lost
                            ? readMapped(at, target.asSlice(done, chunk))
                            : reads.read(open, target.asSlice(done, chunk).asByteBuffer(), at);
                    if (count < 0) {
                        break;
                    }
                    done += count;
                } catch (ClosedChannelException e) {
                    interrupted |= Thread.interrupted();
                    reopen(open);
                } catch (IOException e) {
                    if (most == BadBlocks.BLOCK) {
                        bad.add(at, String.valueOf(e.getMessage()));
                    }
                    // Block by block, what can be read before the one that cannot.
                    most = BadBlocks.BLOCK;
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        return done;
    }

    private int readMapped(long offset, MemorySegment target) throws IOException {
        long count = Math.min(target.byteSize(), mapped.byteSize() - offset);
        if (count <= 0) {
            return -1;
        }
        try {
            MemorySegment.copy(mapped, offset, target, 0, count);
            FileBytes.raiseFaults(this);
        } catch (InternalError e) {
            throw new IOException("the disk reports an error, or the file became shorter", e);
        }
        return (int) count;
    }

    private void reopen(FileChannel stale) {
        synchronized (lock) {
            if (closed) {
                throw new IllegalStateException(name + " is closed");
            }
            if (channel != stale || lost) {
                return;
            }
            lost = true;
            if (path == null) {
                return;
            }
            FileChannel fresh;
            try {
                fresh = FileChannel.open(path, StandardOpenOption.READ);
            } catch (IOException e) {
                // The file has lost its name, but not its bytes.
                return;
            }
            channel = fresh;
            try {
                lost = key == null || !key.equals(keyOf(path));
            } catch (IOException e) {
                lost = true;
            }
        }
    }

    @Override
    public void close() {
        try {
            closeChannel();
        } finally {
            Arenas.close(arena);
            synchronized (holesLock) {
                soughtHoles = true;
                if (holes != null) {
                    holes.close();
                }
            }
        }
    }

    private void closeChannel() {
        synchronized (lock) {
            closed = true;
            if (copy != null) {
                copy.close();
                return;
            }
            try {
                channel.close();
            } catch (IOException e) {
                throw new SourceException(name + ": closing failed: " + e.getMessage(), e);
            }
        }
    }
}
