package dev.guestcore.internal.spool;

import dev.guestcore.error.SourceException;
import dev.guestcore.internal.file.SteadyFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Bytes that a stream cannot give twice, in a sparse file that only its owner can read and that loses its name as soon as it
 * is open: nobody else can open it, and nothing is left behind even if this process is killed. Written by one thread, then
 * read by any.
 */
public final class Spool implements AutoCloseable {

    private static final int BUFFER = 1 << 20;
    private static final int LARGEST_READ = 1 << 30;

    /** The file system of the temporary files is not filled to its last byte, because others need it too. */
    private static final long KEPT_FREE = 64L << 20;

    private static final long BETWEEN_LOOKS = 64L << 20;

    private static final SecureRandom NAMES = new SecureRandom();

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
    private @Nullable SteadyFile steady;

    /**
     * Makes the file in the folder of temporary files.
     *
     * @param stream what is spooled, for messages
     * @param remedy what to do where there is no room; empty if there is nothing besides making room or taking another folder
     */
    public Spool(String stream, String remedy) {
        this.stream = stream;
        this.remedy = remedy;
        this.folder = Path.of(System.getProperty("java.io.tmpdir")).toAbsolutePath();
        try {
            file = create(folder);
        } catch (IOException e) {
            throw new SourceException(stream + ": cannot make a temporary file in " + folder + " (" + e + "); "
                    + otherFolder(), e);
        }
        try {
            store = Files.getFileStore(folder);
        } catch (IOException e) {
            close();
            throw new SourceException(stream + ": cannot tell how much room there is in " + folder + ": " + e, e);
        }
    }

    /** A new file without a name. */
    private static FileChannel create(Path folder) throws IOException {
        FileAttribute<?>[] ownerOnly = folder.getFileSystem().supportedFileAttributeViews().contains("posix")
                ? new FileAttribute<?>[] {
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))
                }
                : new FileAttribute<?>[0];
        while (true) {
            Path path = folder.resolve("guestcore-" + Long.toUnsignedString(NAMES.nextLong(), 36) + ".spool");
            try {
                // On Unix the name goes right after the file was opened, not when it is closed.
                return FileChannel.open(
                        path,
                        Set.of(
                                StandardOpenOption.CREATE_NEW,
                                StandardOpenOption.READ,
                                StandardOpenOption.WRITE,
                                StandardOpenOption.DELETE_ON_CLOSE),
                        ownerOnly);
            } catch (FileAlreadyExistsException e) {
                // Somebody else's; there are enough names.
            }
        }
    }

    private static String otherFolder() {
        return "name another folder with GUESTCORE_JAVA_OPTIONS=-Djava.io.tmpdir=DIR";
    }

    /** The file, at any offset of which may be read; ends with this spool. */
    public FileChannel channel() {
        return file;
    }

    /** Where the file is, for messages. */
    public Path folder() {
        return folder;
    }

    /** Stores bytes, at most a mebibyte; the last ones at an offset hold. */
    public void write(long offset, MemorySegment bytes) {
        MemorySegment target = buffer;
        if (target == null) {
            target = arena.allocate(BUFFER, 4096);
            buffer = target;
        }
        if (buffered + bytes.byteSize() > BUFFER || offset != bufferAt + buffered) {
            flush();
            bufferAt = offset;
        }
        MemorySegment.copy(bytes, 0, target, buffered, bytes.byteSize());
        buffered += (int) bytes.byteSize();
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
        } catch (ClosedByInterruptException e) {
            throw new SourceException(stream + ": the thread was interrupted while a temporary copy was made", e);
        } catch (IOException e) {
            throw noRoom(String.valueOf(e.getMessage()));
        }
    }

    private SourceException noRoom(String why) {
        return new SourceException(stream + ": there is no room for a temporary copy in " + folder + ": " + why
                + "; make room there, " + (remedy.isEmpty() ? "or " : "") + otherFolder()
                + (remedy.isEmpty() ? "" : ", or " + remedy));
    }

    /** Ends the writing; now it can be read. */
    public void finish() {
        endWriting();
        steady = new SteadyFile(file);
    }

    private void endWriting() {
        flush();
        buffer = null;
        arena.close();
    }

    /**
     * Ends the writing.
     *
     * @param size of the file: bytes up to there that were not written are zero
     */
    public void finish(long size) {
        endWriting();
        try {
            if (file.size() < size) {
                file.write(ByteBuffer.allocate(1), size - 1);
            }
        } catch (IOException e) {
            throw noRoom(String.valueOf(e.getMessage()));
        }
    }

    /** Reads what was written. */
    public void read(long offset, MemorySegment target) {
        try {
            long done = 0;
            while (done < target.byteSize()) {
                long length = Math.min(target.byteSize() - done, LARGEST_READ);
                int count = Objects.requireNonNull(steady).read(target.asSlice(done, length), offset + done);
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
            if (steady != null) {
                steady.close();
            }
            file.close();
        } catch (IOException e) {
            throw new SourceException(stream + ": cannot close the temporary file of its memory: " + e, e);
        }
    }
}
