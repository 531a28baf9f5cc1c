package dev.guestcore.testing;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Builds flattened streams piece by piece: a 4096-byte header, pieces, an end mark; all integers big-endian. */
public final class FlattenedFiles {

    private final ByteArrayOutputStream stream = new ByteArrayOutputStream();

    /** Begins a stream with the usual header. */
    public FlattenedFiles() {
        this(1, 1);
    }

    /** Begins a stream that claims to be of that type and version. */
    public FlattenedFiles(long type, long version) {
        ByteBuffer header = ByteBuffer.allocate(4096);
        header.put("makedumpfile".getBytes(StandardCharsets.US_ASCII));
        header.putLong(16, type).putLong(24, version);
        stream.writeBytes(header.array());
    }

    /** Appends a piece. */
    public FlattenedFiles piece(long offset, byte[] bytes) {
        return pieceHeader(offset, bytes.length).raw(bytes);
    }

    /** Appends the header of a piece. */
    public FlattenedFiles pieceHeader(long offset, long size) {
        stream.writeBytes(
                ByteBuffer.allocate(16).putLong(offset).putLong(size).array());
        return this;
    }

    /** Appends bytes as they are. */
    public FlattenedFiles raw(byte[] bytes) {
        stream.writeBytes(bytes);
        return this;
    }

    /** Appends the end mark. */
    public FlattenedFiles end() {
        return pieceHeader(-1, -1);
    }

    /** Writes what there is. */
    public Path write(Path target) {
        try {
            return Files.write(target, stream.toByteArray());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
