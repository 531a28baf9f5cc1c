package dev.guestcore.internal.file;

import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import org.jspecify.annotations.Nullable;

/**
 * Reads of a file that is written already and has no name any more, so that it cannot be opened again. A thread that is
 * interrupted while it reads closes the channel for all threads; from then on the file is read through its mapping.
 * Thread-safe.
 */
public final class SteadyFile implements Closeable {

    private final FileChannel channel;
    private final Arena arena = Arena.ofShared();
    private final @Nullable MemorySegment mapped;
    private volatile boolean closed;

    /** The file behind {@code channel}, which is closed with this. */
    public SteadyFile(FileChannel channel) {
        this.channel = channel;
        this.mapped = map(channel, arena);
    }

    /** Where a process may not have as much address space, an interruption is the end of the file as it always was. */
    private static @Nullable MemorySegment map(FileChannel channel, Arena arena) {
        try {
            return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
        } catch (IOException e) {
            return null;
        }
    }

    /**
     * Reads some bytes. A thread that is interrupted reads too, and stays interrupted.
     *
     * @param target receives them, at most 2^31 - 1
     * @param position offset in the file, in bytes
     * @return how many; -1 at the end of the file
     * @throws ClosedChannelException if this is closed
     */
    public int read(MemorySegment target, long position) throws IOException {
        boolean interrupted = Thread.interrupted();
        try {
            return channel.read(target.asByteBuffer(), position);
        } catch (ClosedChannelException e) {
            interrupted |= Thread.interrupted();
            if (closed || mapped == null) {
                throw e;
            }
            return readMapped(mapped, target, position);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private int readMapped(MemorySegment from, MemorySegment target, long position) throws IOException {
        long count = Math.min(target.byteSize(), from.byteSize() - position);
        if (count <= 0) {
            return -1;
        }
        try {
            MemorySegment.copy(from, position, target, 0, count);
            // On the return from a native method HotSpot raises the error of an access that faulted.
            Thread.holdsLock(this);
        } catch (InternalError e) {
            throw new IOException("the disk reports an error, or the file became shorter", e);
        }
        return (int) count;
    }

    @Override
    public void close() throws IOException {
        if (!closed) {
            closed = true;
            arena.close();
            channel.close();
        }
    }
}
