package dev.guestcore.internal.output;

import dev.guestcore.error.OutputException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;

/** A pipe, a socket, any channel: zeros are written out. Call {@link #flush()} at the end. */
public final class ChannelSink extends GatheringSink {

    private static final long LARGEST_WRITE = 1 << 30;

    private final WritableByteChannel channel;
    private final String name;

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
    public void writeZeros(long count) {
        writeZeroBytes(count);
    }

    @Override
    void send(MemorySegment bytes, long offset) {
        long done = 0;
        try {
            while (done < bytes.byteSize()) {
                ByteBuffer piece = bytes.asSlice(done, Math.min(LARGEST_WRITE, bytes.byteSize() - done)).asByteBuffer();
                while (piece.hasRemaining()) {
                    done += channel.write(piece);
                }
            }
        } catch (IOException e) {
            throw new OutputException(
                    name + ": writing failed at byte " + (offset + done) + ": " + e.getMessage()
                            + "; the program at the other end has exited, or the disk is full",
                    e);
        }
    }
}
