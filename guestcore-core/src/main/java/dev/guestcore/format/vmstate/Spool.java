package dev.guestcore.format.vmstate;

import dev.guestcore.SourceException;
import dev.guestcore.internal.memory.SteadyReads;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Pages that a compressed stream cannot give twice, in a sparse file that loses its name as soon as it is open: nobody else
 * can open it, and nothing is left behind even if this process is killed. Written by one thread, then read by any.
 */
final class Spool implements AutoCloseable {

    private static final int BUFFER = 1 << 20;
    private static final int LARGEST_READ = 1 << 30;

    /** The file system of the temporary files is not filled to its last byte, because others need it too. */
    private static final long KEPT_FREE = 64L << 20;

    private static final long BETWEEN_LOOKS = 64L << 20;

    private final String stream;
    private final String remedy;
    private final FileChannel file;
    private final Path folder;
    private final FileStore store;
    private final Arena arena = Arena.ofConfined();
    private @Nullable MemorySegment buffer;
    private long bufferAt;
    private int buffered;
    private long untilLook;

    /**
     * Makes the file in the folder of temporary files.
     *
     * @param stream what is spooled, for messages
     * @param remedy what to do where there is no room
     */
    Spool(String stream, String remedy) {
        this.stream = stream;
        this.remedy = remedy;
        Path path = null;
        try {
            path = Files.createTempFile("guestcore-", ".spool");
            file = FileChannel.open(path, Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE));
            folder = path.toAbsolutePath().getParent();
            store = Files.getFileStore(folder);
            Files.delete(path);
        } catch (IOException e) {
            throw new SourceException(stream + ": cannot make a temporary file for the decompressed memory: " + e, e);
        }
    }

    /** Stores a page; the last one at an offset holds. */
    void write(long offset, MemorySegment page) {
        MemorySegment target = buffer;
        if (target == null) {
            target = arena.allocate(BUFFER, 4096);
            buffer = target;
        }
        if (buffered + page.byteSize() > BUFFER || offset != bufferAt + buffered) {
            flush();
            bufferAt = offset;
        }
        MemorySegment.copy(page, 0, target, buffered, page.byteSize());
        buffered += (int) page.byteSize();
    }

    private void flush() {
        if (buffer == null || buffered == 0) {
            return;
        }
        try {
            untilLook -= buffered;
            if (untilLook < 0) {
                untilLook = BETWEEN_LOOKS;
                if (store.getUsableSpace() < KEPT_FREE + BETWEEN_LOOKS) {
                    throw noRoom("only " + (store.getUsableSpace() >> 20) + " MiB are left");
                }
            }
            ByteBuffer bytes = buffer.asSlice(0, buffered).asByteBuffer();
            while (bytes.hasRemaining()) {
                file.write(bytes, bufferAt + bytes.position());
            }
            buffered = 0;
        } catch (IOException e) {
            throw noRoom(e.getMessage());
        }
    }

    private SourceException noRoom(String why) {
        return new SourceException(stream + ": there is no room for the decompressed memory in " + folder + ": " + why
                + "; " + remedy);
    }

    /** Ends the writing. */
    void finish() {
        flush();
        buffer = null;
        arena.close();
    }

    /** Reads what was written. */
    void read(long offset, MemorySegment target) {
        try {
            long done = 0;
            while (done < target.byteSize()) {
                long length = Math.min(target.byteSize() - done, LARGEST_READ);
                int count = SteadyReads.read(file, target.asSlice(done, length).asByteBuffer(), offset + done);
                if (count < 0) {
                    throw new SourceException(stream + ": the temporary file of its memory became shorter");
                }
                done += count;
            }
        } catch (IOException e) {
            throw new SourceException(stream + ": cannot read the temporary file of its memory: " + e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        try {
            if (arena.scope().isAlive()) {
                arena.close();
            }
            file.close();
        } catch (IOException e) {
            throw new SourceException(stream + ": cannot close the temporary file of its memory: " + e, e);
        }
    }
}
