package dev.guestcore.testing;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** An ELF core of x86-64 with one vCPU, whose memory is a hole of the file. */
public final class SparseCore {

    private static final int PAGE = 4096;
    private static final int NOTES = 0x200;
    private static final int STATUS_SIZE = 336;

    private SparseCore() {}

    /**
     * Writes one.
     *
     * @param memory size in bytes
     * @return {@code path}
     */
    public static Path write(Path path, long memory) throws IOException {
        int notes = 3 * Integer.BYTES + 8 + STATUS_SIZE;
        ByteBuffer head = ByteBuffer.allocate(PAGE).order(ByteOrder.LITTLE_ENDIAN);
        head.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1}).position(16);
        head.putShort((short) 4).putShort((short) 62).putInt(1).putLong(0).putLong(64).putLong(0).putInt(0);
        head.putShort((short) 64).putShort((short) 56).putShort((short) 2).position(64);
        head.putInt(4).putInt(0).putLong(NOTES).putLong(0).putLong(0).putLong(notes).putLong(notes).putLong(4);
        head.putInt(1).putInt(7).putLong(PAGE).putLong(0).putLong(0).putLong(memory).putLong(memory).putLong(PAGE);
        head.position(NOTES);
        head.putInt(5).putInt(STATUS_SIZE).putInt(1).put("CORE".getBytes(StandardCharsets.US_ASCII));
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            channel.write(head.position(0), 0);
            channel.write(ByteBuffer.allocate(1), PAGE + memory - 1);
        }
        return path;
    }
}
