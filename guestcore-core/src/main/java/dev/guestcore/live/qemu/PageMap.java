package dev.guestcore.live.qemu;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Knows which pages of another process were never touched, from {@code /proc/PID/pagemap} (Linux, documentation of the
 * kernel, "pagemap"). Such a page of private anonymous memory reads as zeros, and need not be read. Of memory that is shared
 * or a file nothing follows from it. Thread-safe.
 */
final class PageMap implements AutoCloseable {

    /** Bits of an entry, u64 in the processor's byte order: in memory, in swap. */
    private static final long PRESENT_OR_SWAPPED = 3L << 62;

    private final FileChannel entries;
    private final List<long[]> anonymous;

    private PageMap(FileChannel entries, List<long[]> anonymous) {
        this.entries = entries;
        this.anonymous = anonymous;
    }

    /** The map of a process; empty where it must not be read, or the system has none. */
    static Optional<PageMap> of(int process) {
        if (!System.getProperty("os.arch").equals("amd64")) {
            // Pages of other processors may have another size.
            return Optional.empty();
        }
        Path folder = Path.of("/proc", Integer.toString(process));
        try {
            List<long[]> anonymous = anonymous(Files.readAllLines(folder.resolve("maps")));
            return Optional.of(
                    new PageMap(FileChannel.open(folder.resolve("pagemap"), StandardOpenOption.READ), anonymous));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** First and last address of each private anonymous mapping, neighbours joined. */
    private static List<long[]> anonymous(List<String> maps) {
        List<long[]> found = new ArrayList<>();
        for (String line : maps) {
            // 7f5c40000000-7f5cc0000000 rw-p 00000000 00:00 0    [anon: ...]
            String[] words = line.split("\\s+", 6);
            boolean named = words.length == 6 && !words[5].isBlank() && !words[5].startsWith("[");
            if (words.length < 5 || !words[1].endsWith("p") || !words[4].equals("0") || named) {
                continue;
            }
            String[] bounds = words[0].split("-");
            long first = Long.parseUnsignedLong(bounds[0], 16);
            long last = Long.parseUnsignedLong(bounds[1], 16) - 1;
            if (!found.isEmpty() && found.getLast()[1] + 1 == first) {
                found.getLast()[1] = last;
            } else {
                found.add(new long[] {first, last});
            }
        }
        return found;
    }

    /** Whether all of a range is private anonymous memory, so that {@link #untouched} means zeros. */
    boolean covers(long address, long size) {
        return anonymous.stream()
                .anyMatch(range -> Long.compareUnsigned(range[0], address) <= 0
                        && Long.compareUnsigned(address + size - 1, range[1]) <= 0);
    }

    /**
     * Which pages were never touched.
     *
     * @param first number of the first page: its address by 4096
     * @param count how many pages
     */
    boolean[] untouched(long first, int count) {
        boolean[] untouched = new boolean[count];
        ByteBuffer buffer = ByteBuffer.allocate(count * Long.BYTES).order(ByteOrder.nativeOrder());
        try {
            while (buffer.hasRemaining()
                    && entries.read(buffer, first * Long.BYTES + buffer.position()) > 0) {
                // a read may come short
            }
        } catch (IOException e) {
            // The process has ended; reading its memory will say so.
            return untouched;
        }
        buffer.flip();
        for (int i = 0; buffer.remaining() >= Long.BYTES; i++) {
            untouched[i] = (buffer.getLong() & PRESENT_OR_SWAPPED) == 0;
        }
        return untouched;
    }

    @Override
    public void close() {
        try {
            entries.close();
        } catch (IOException e) {
            // Nothing was written to it, so there is nothing to lose.
            return;
        }
    }
}
