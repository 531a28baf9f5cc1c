package dev.guestcore.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;

/**
 * A guest whose memory is half zeros; of the rest half is random, which no codec can shrink, and half is like tables of a
 * kernel: zeros, pointers and texts. Always the same for one size.
 */
final class TestGuest {

    /** Lies in {@link #NEEDLES} places, each on a line of its own, so that grep counts what a search finds. */
    static final String NEEDLE = "needle-in-guest-memory-8807d986";

    static final int NEEDLES = 16;

    /** Kinds of pages for memory of which half is zero. */
    static final int HALF_ZERO = 4;

    /** Kinds of pages for memory of which nine tenths are zero. */
    static final int MOSTLY_ZERO = 20;

    private static final int PAGE = 4096;
    private static final int MOST_PAGES_IN_A_ROW = 32;
    private static final int WORDS = PAGE / Long.BYTES;

    private TestGuest() {}

    /** Writes the memory, byte for byte as the guest sees it. Zeros are written out, so that nobody can skip them. */
    static void writeMemory(Path file, int mebibytes) throws IOException {
        writeMemory(file, mebibytes, HALF_ZERO);
    }

    /**
     * The same with another share of zeros.
     *
     * @param kinds how many kinds of pages there are: one is random, one tables, the others zero
     */
    static void writeMemory(Path file, int mebibytes, int kinds) throws IOException {
        Random random = new Random(1);
        long pages = (long) mebibytes << 8;
        ByteBuffer buffer =
                ByteBuffer.allocateDirect(MOST_PAGES_IN_A_ROW * PAGE).order(ByteOrder.LITTLE_ENDIAN);
        byte[] bytes = new byte[PAGE];
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            for (long page = 0; page < pages;) {
                int count = (int) Math.min(1 + random.nextInt(MOST_PAGES_IN_A_ROW), pages - page);
                int kind = random.nextInt(kinds);
                buffer.clear();
                for (int i = 0; i < count; i++) {
                    if (kind == 0) {
                        random.nextBytes(bytes);
                        buffer.put(bytes);
                    } else if (kind == 1) {
                        putTables(buffer, random);
                    } else {
                        buffer.put(new byte[PAGE]);
                    }
                }
                buffer.flip();
                while (buffer.hasRemaining()) {
                    channel.write(buffer);
                }
                page += count;
            }
            for (int i = 0; i < NEEDLES; i++) {
                byte[] line = ("\n" + NEEDLE + "\n").getBytes(StandardCharsets.US_ASCII);
                channel.write(ByteBuffer.wrap(line), (pages * (2 * i + 1) / (2 * NEEDLES)) * PAGE + 100);
            }
        }
    }

    private static void putTables(ByteBuffer buffer, Random random) {
        byte[] text = "kworker/".getBytes(StandardCharsets.US_ASCII);
        for (int i = 0; i < WORDS; i++) {
            switch (random.nextInt(4)) {
                case 0, 1 -> buffer.putLong(0);
                case 2 -> buffer.putLong(0xffff888000000000L | random.nextInt(1 << 16) << 6);
                default -> buffer.put(text);
            }
        }
    }

    /** Describes the guest for the source {@code file:}. Three quarters of its memory lie below 4 GiB, as in a PC. */
    static void describe(Path description, Path memory, int mebibytes) throws IOException {
        int low = mebibytes / 4 * 3;
        Files.writeString(
                description,
                """
                {"provenance": {"hypervisor": "guestcore-bench"},
                 "regions": [
                  {"kind": "ram", "address": "0x0", "size": "%1$dM",
                   "contents": [{"file": "%3$s", "size": "%1$dM"}]},
                  {"kind": "ram", "address": "4G", "size": "%2$dM",
                   "contents": [{"file": "%3$s", "fileOffset": "%1$dM", "size": "%2$dM"}]}],
                 "vcpus": [{"registers": {"rip": "0x1000", "cr3": "0x1000", "cs": "0x10"}}]}
                """
                        .formatted(low, mebibytes - low, memory.getFileName()));
    }
}
