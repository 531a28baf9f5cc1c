package dev.guestcore.file;

import dev.guestcore.error.SourceException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import org.jspecify.annotations.Nullable;

/**
 * Positional reads of a file that outlive two things. A thread that is interrupted while it reads closes the channel for
 * all threads: then the file is opened again, or read through its mapping where it has lost its name. And a block that the
 * disk cannot give ends a read before it, is remembered, and is not asked for again. Thread-safe.
 */
final class StoredFile implements AutoCloseable {

    private static final int LARGEST_TRANSFER = 1 << 30;

    private final Path path;
    private final @Nullable Object key;
    private final MemorySegment mapped;
    private final Reads reads;
    private final BadBlocks bad;
    private final @Nullable SpooledFile copy;
    private final Object lock = new Object();
    private volatile FileChannel channel;
    private volatile boolean lost;
    private volatile boolean closed;

    /** How bytes come out of a channel; tests let it fail. */
    @FunctionalInterface
    interface Reads {

        /** Reads as {@link FileChannel#read(ByteBuffer, long)} does. */
        int read(FileChannel channel, ByteBuffer target, long offset) throws IOException;
    }

    /**
     * A file that is open.
     *
     * @param key what the file system knows it by; null where that cannot be told for sure
     * @param mapped all of it
     */
    StoredFile(Path path, FileChannel channel, @Nullable Object key, MemorySegment mapped, Reads reads) {
        this(path, channel, key, mapped, reads, null);
    }

    /** The temporary copy of a file, which others may read as well. */
    StoredFile(Path path, SpooledFile copy, MemorySegment mapped) {
        this(path, copy.channel(), null, mapped, FileChannel::read, copy);
    }

    private StoredFile(
            Path path,
            FileChannel channel,
            @Nullable Object key,
            MemorySegment mapped,
            Reads reads,
            @Nullable SpooledFile copy) {
        this.copy = copy;
        this.path = path;
        this.channel = channel;
        this.key = key;
        this.mapped = mapped;
        this.reads = reads;
        this.bad = new BadBlocks(path.toString());
    }

    /** What the file system knows the file of that name by; null where it does not say. */
    static @Nullable Object keyOf(Path path) throws IOException {
        return Files.readAttributes(path, BasicFileAttributes.class).fileKey();
    }

    BadBlocks bad() {
        return bad;
    }

    /** Whether the file is shorter now than it was when it was opened. */
    boolean isShorter() {
        try {
            return channel.size() < mapped.byteSize();
        } catch (IOException e) {
            return false;
        }
    }

    /** Reads up to {@code wanted} bytes; gives how many, less only where the file ends or cannot be read. */
    long read(long offset, MemorySegment target, long wanted) {
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
                throw new IllegalStateException(path + " is closed");
            }
            if (channel != stale || lost) {
                return;
            }
            lost = true;
            if (copy != null) {
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
        synchronized (lock) {
            closed = true;
            if (copy != null) {
                copy.close();
                return;
            }
            try {
                channel.close();
            } catch (IOException e) {
                throw new SourceException(path + ": closing failed: " + e.getMessage(), e);
            }
        }
    }
}
