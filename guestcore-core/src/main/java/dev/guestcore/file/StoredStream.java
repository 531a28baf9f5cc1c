package dev.guestcore.file;

import dev.guestcore.Progress;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;

/** A file from some offset on, forward only: as a channel and as a stream. Not thread-safe. */
public final class StoredStream extends InputStream implements ReadableByteChannel {

    private final FileBytes file;
    private final Progress progress;
    private final byte[] one = new byte[1];
    private long position;

    /**
     * Begins.
     *
     * @param file stays open
     * @param offset of the first byte that is read
     */
    public StoredStream(FileBytes file, long offset) {
        this(file, offset, Progress.none());
    }

    /** The same with somebody who is told how many bytes were read. */
    StoredStream(FileBytes file, long offset, Progress progress) {
        this.file = file;
        this.progress = progress;
        this.position = offset;
    }

    @Override
    public int read(ByteBuffer target) {
        MemorySegment rest = MemorySegment.ofBuffer(target);
        int count = (int) file.read(position, rest);
        if (count == 0 && rest.byteSize() > 0) {
            if (position < file.size()) {
                throw file.incomplete(position);
            }
            return -1;
        }
        position += count;
        target.position(target.position() + count);
        progress.advance(count);
        return count;
    }

    @Override
    public int read(byte[] target, int offset, int length) {
        return read(ByteBuffer.wrap(target, offset, length));
    }

    @Override
    public int read() {
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int available() {
        return Math.clamp(file.size() - position, 0, Integer.MAX_VALUE);
    }

    @Override
    public boolean isOpen() {
        return true;
    }

    @Override
    public void close() {
        // The file belongs to the guest.
    }
}
