package dev.guestcore.file;

import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.UnsupportedRequestException;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.util.Optional;
import java.util.function.LongFunction;
import org.tukaani.xz.MemoryLimitException;
import org.tukaani.xz.UnsupportedOptionsException;

/** What comes out of a compressed file. Where the file is damaged it ends, and says why. Not thread-safe. */
public final class DecompressingChannel implements ReadableByteChannel {

    private static final int CHUNK = 1 << 16;

    private final String file;
    private final long offset;
    private final Compression compression;
    private final LongFunction<InputStream> stored;
    private final byte[] chunk = new byte[CHUNK];
    private InputStream content = InputStream.nullInputStream();
    private boolean opened;
    private Optional<String> damage = Optional.empty();

    private DecompressingChannel(
            String file, long offset, Compression compression, LongFunction<InputStream> stored) {
        this.file = file;
        this.offset = offset;
        this.compression = compression;
        this.stored = stored;
    }

    /**
     * Decompresses what lies in a file.
     *
     * @param file stays open
     * @param offset where the compressed data begin; they reach to the end of the file
     */
    public static DecompressingChannel of(FileBytes file, long offset, Compression compression) {
        return of(file, offset, compression, Progress.none());
    }

    /** The same with somebody who is told how many of the compressed bytes were read. */
    static DecompressingChannel of(FileBytes file, long offset, Compression compression, Progress progress) {
        return new DecompressingChannel(
                file.name(),
                offset,
                compression,
                at -> new BufferedInputStream(new StoredStream(file, offset + at, progress), CHUNK));
    }

    /** What was wrong with the compressed data, if anything. */
    public Optional<String> damage() {
        return damage;
    }

    @Override
    public int read(ByteBuffer target) {
        if (damage.isPresent()) {
            return -1;
        }
        try {
            if (!opened) {
                opened = true;
                content = compression.open(stored);
            }
            int count = content.read(chunk, 0, Math.min(CHUNK, target.remaining()));
            if (count == 0 && target.hasRemaining()) {
                // Some library may say that it has nothing yet; single bytes it must wait for.
                int one = content.read();
                chunk[0] = (byte) one;
                count = one < 0 ? -1 : 1;
            }
            if (count > 0) {
                target.put(chunk, 0, count);
            }
            return count;
        } catch (MemoryLimitException | UnsupportedOptionsException e) {
            throw tooLarge(String.valueOf(e.getMessage()));
        } catch (GuestcoreException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            // A damaged stream makes a decompressor throw nearly anything.
            String message = e.getMessage();
            damage = Optional
                    .of(message == null ? e.getClass().getSimpleName() : message.replaceAll("\\p{Cntrl}", "?"));
            return -1;
        }
    }

    private UnsupportedRequestException tooLarge(String why) {
        return new UnsupportedRequestException(file + ": cannot be decompressed here (" + why + "); decompress it ("
                + compression.command(file, offset) + ") and open the result");
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
