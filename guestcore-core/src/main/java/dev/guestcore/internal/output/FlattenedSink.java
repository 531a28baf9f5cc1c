package dev.guestcore.internal.output;

import dev.guestcore.file.CoreSink;
import dev.guestcore.file.MemoryOutput;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * A file that is written in any order, put into a stream that goes forward only: addressed pieces, as makedumpfile writes
 * them into a pipe (docs/formats/flattened.md). Zeros need no piece. Call {@link #finish()} at the end. Not thread-safe.
 */
public final class FlattenedSink implements CoreSink {

    private static final int HEADER = 4096;
    private static final int LARGEST_PIECE = 4 << 20;

    private final CoreSink stream;
    private final ByteBuffer pieceHeader = ByteBuffer.allocate(2 * Long.BYTES);
    private long position;
    private long lastPieceEnd;

    /** Begins the stream. */
    public FlattenedSink(CoreSink stream) {
        this.stream = stream;
        ByteBuffer header = ByteBuffer.allocate(HEADER);
        header.put("makedumpfile".getBytes(StandardCharsets.US_ASCII));
        header.putLong(16, 1).putLong(24, 1);
        stream.write(MemorySegment.ofBuffer(header.clear()));
    }

    @Override
    public long position() {
        return position;
    }

    @Override
    public void write(MemorySegment bytes) {
        piece(position, bytes);
        position += bytes.byteSize();
    }

    @Override
    public MemoryOutput memory() {
        return new MemoryOutput() {
            @Override
            public void write(long address, MemorySegment bytes) {
                tell(address, bytes);
                FlattenedSink.this.write(bytes);
            }

            @Override
            public void writeZeros(long address, long count) {
                FlattenedSink.this.writeZeros(count);
            }

            @Override
            public void tell(long address, MemorySegment memory) {
                stream.memory().tell(address, memory);
            }
        };
    }

    @Override
    public void writeZeros(long count) {
        position += count;
    }

    @Override
    public boolean canPatch() {
        return true;
    }

    @Override
    public void patch(long at, MemorySegment bytes) {
        piece(at, bytes);
    }

    /** Ends the stream. The file that it describes ends where its last piece does, so zeros at the end need one. */
    public void finish() {
        if (lastPieceEnd < position) {
            piece(position - 1, MemorySegment.ofArray(new byte[1]));
        }
        header(-1, -1);
    }

    private void piece(long offset, MemorySegment bytes) {
        for (long done = 0; done < bytes.byteSize();) {
            long size = Math.min(LARGEST_PIECE, bytes.byteSize() - done);
            header(offset + done, size);
            stream.write(bytes.asSlice(done, size));
            done += size;
            lastPieceEnd = Math.max(lastPieceEnd, offset + done);
        }
    }

    private void header(long offset, long size) {
        pieceHeader.clear().putLong(offset).putLong(size).flip();
        stream.write(MemorySegment.ofBuffer(pieceHeader));
    }
}
