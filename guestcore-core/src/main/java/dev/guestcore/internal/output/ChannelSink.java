package dev.guestcore.internal.output;

import dev.guestcore.OutputException;
import dev.guestcore.format.CoreSink;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;

/** A pipe, a socket, any channel: zeros are written out, small writes gathered. Call {@link #flush()} at the end. */
public final class ChannelSink implements CoreSink {

    private static final int BUFFER = 1 << 20;
    private static final long LARGEST_WRITE = 1 << 30;

    private final WritableByteChannel channel;
    private final String name;
    private final MemorySegment buffer = Arena.ofAuto().allocate(BUFFER, 4096);
    private int buffered;
    private long position;

    /**
     * Writes to {@code channel}.
     *
     * @param name of the output, for messages
     */
    public ChannelSink(WritableByteChannel channel, String name) {
        this.channel = channel;
        this.name = name;
    }

    @Override
    public long position() {
        return position;
    }

    @Override
    public void write(MemorySegment bytes) {
        long size = bytes.byteSize();
        if (size > BUFFER - buffered) {
            flush();
        }
        if (size >= BUFFER) {
            for (long done = 0; done < size; done += LARGEST_WRITE) {
                send(bytes.asSlice(done, Math.min(LARGEST_WRITE, size - done)).asByteBuffer());
            }
        } else {
            MemorySegment.copy(bytes, 0, buffer, buffered, size);
            buffered += (int) size;
        }
        position += size;
    }

    @Override
    public void writeZeros(long count) {
        long left = count;
        while (left > 0) {
            if (buffered == BUFFER) {
                flush();
            }
            long chunk = Math.min(left, BUFFER - buffered);
            buffer.asSlice(buffered, chunk).fill((byte) 0);
            buffered += (int) chunk;
            left -= chunk;
        }
        position += count;
    }

    /** Sends what is gathered. */
    public void flush() {
        send(buffer.asSlice(0, buffered).asByteBuffer());
        buffered = 0;
    }

    private void send(ByteBuffer bytes) {
        try {
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        } catch (IOException e) {
            throw new OutputException(
                    name + ": writing failed at byte " + position + ": " + e.getMessage()
                            + "; whoever reads the other end has left, or the disk is full",
                    e);
        }
    }
}
