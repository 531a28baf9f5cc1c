package dev.guestcore.manifest;

import dev.guestcore.error.OutputException;
import dev.guestcore.error.SourceException;
import dev.guestcore.internal.file.IoReason;
import dev.guestcore.internal.output.OutputFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/** The bytes of a file as they are stored, for digests: no format is known here. Not thread-safe. */
final class WrittenFile implements AutoCloseable {

    private final String name;
    private final Reader reader;
    private final Optional<FileChannel> channel;
    private final long size;

    /** Fills {@code target} with what the file holds from {@code offset} on. */
    @FunctionalInterface
    private interface Reader {

        void read(long offset, MemorySegment target);
    }

    /** A file that has no name yet. Closing this leaves it open, and so its lock held. */
    WrittenFile(OutputFile file) {
        this.name = file.name();
        this.reader = file::readBack;
        this.channel = Optional.empty();
        this.size = file.size();
    }

    /**
     * A file by its name.
     *
     * @throws SourceException if it cannot be read
     */
    WrittenFile(Path path) {
        FileChannel opened = open(path);
        this.name = path.toString();
        this.reader = (offset, target) -> read(opened, offset, target);
        this.channel = Optional.of(opened);
        try {
            this.size = opened.size();
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
            throw new SourceException(path + ": cannot be opened for reading: " + IoReason.of(e), e);
        }
    }

    long size() {
        return size;
    }

    /** Reads until {@code target} is full or the file ends; at least one byte. */
    long read(long offset, MemorySegment target) {
        long wanted = Math.min(target.byteSize(), size - offset);
        reader.read(offset, target.asSlice(0, wanted));
        return wanted;
    }

    private void read(FileChannel opened, long offset, MemorySegment target) {
        ByteBuffer buffer = target.asByteBuffer();
        try {
            while (buffer.hasRemaining()) {
                if (opened.read(buffer, offset + buffer.position()) < 0) {
                    throw new SourceException(
                            name + ": became shorter while it was read; let whoever writes it finish");
                }
            }
        } catch (IOException e) {
            throw failed(offset + buffer.position(), e);
        }
    }

    private SourceException failed(long offset, IOException e) {
        return new SourceException(
                name + ": reading at offset 0x" + Long.toHexString(offset) + " failed: " + e.getMessage(), e);
    }

    @Override
    public void close() {
        try {
            if (channel.isPresent()) {
                channel.get().close();
            }
        } catch (IOException e) {
            throw new OutputException(name + ": cannot be closed: " + e.getMessage(), e);
        }
    }
}
