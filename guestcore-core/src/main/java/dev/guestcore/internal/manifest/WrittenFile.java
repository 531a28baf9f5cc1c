package dev.guestcore.internal.manifest;

import dev.guestcore.OutputException;
import dev.guestcore.SourceException;
import dev.guestcore.internal.output.OutputFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** The bytes of a file as they are stored, for digests: no format is known here. Not thread-safe. */
final class WrittenFile implements AutoCloseable {

    private final String name;
    private final FileChannel channel;
    private final long size;

    /** A file that has no name yet. */
    WrittenFile(OutputFile file) {
        this(file.name(), file.openWritten());
    }

    /**
     * A file by its name.
     *
     * @throws SourceException if it cannot be read
     */
    WrittenFile(Path path) {
        this(path.toString(), open(path));
    }

    private WrittenFile(String name, FileChannel channel) {
        this.name = name;
        this.channel = channel;
        try {
            this.size = channel.size();
        } catch (IOException e) {
            throw failed(0, e);
        }
    }

    private static FileChannel open(Path path) {
        if (Files.exists(path) && !Files.isRegularFile(path)) {
            throw new SourceException(path + ": is not a regular file; name a file");
        }
        try {
            return FileChannel.open(path, StandardOpenOption.READ);
        } catch (NoSuchFileException e) {
            throw new SourceException(path + ": no such file", e);
        } catch (IOException e) {
            throw new SourceException(path + ": cannot be opened for reading: " + e.getMessage(), e);
        }
    }

    long size() {
        return size;
    }

    /** Reads until {@code target} is full or the file ends; at least one byte. */
    long read(long offset, MemorySegment target) {
        long wanted = Math.min(target.byteSize(), size - offset);
        ByteBuffer buffer = target.asSlice(0, wanted).asByteBuffer();
        try {
            while (buffer.hasRemaining()) {
                if (channel.read(buffer, offset + buffer.position()) < 0) {
                    throw new SourceException(name + ": became shorter while it was read; let whoever writes it finish");
                }
            }
        } catch (IOException e) {
            throw failed(offset + buffer.position(), e);
        }
        return wanted;
    }

    private SourceException failed(long offset, IOException e) {
        return new SourceException(
                name + ": reading at offset 0x" + Long.toHexString(offset) + " failed: " + e.getMessage(), e);
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new OutputException(name + ": cannot be closed: " + e.getMessage(), e);
        }
    }
}
