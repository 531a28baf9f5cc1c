package dev.guestcore.source.qemu;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Knows which pages of another process were never touched, so that they read as zeros and need not be read. Of private
 * anonymous memory {@code /proc/PID/pagemap} says so (Linux, documentation of the kernel, "pagemap"). Of shared memory the file
 * behind it does, which has holes there: a page that this process has not mapped, others may have written. Of a private
 * mapping of a file nothing is known. Thread-safe.
 */
final class PageMap implements AutoCloseable {

    /** Bits of an entry, u64 in the processor's byte order: in memory, in swap. */
    private static final long PRESENT_OR_SWAPPED = 3L << 62;

    private static final int PAGE_SHIFT = 12;

    private final int process;
    private final FileChannel entries;
    private final List<Mapping> mappings;
    private final Map<SharedFile.Identity, Optional<SharedFile>> files = new HashMap<>();

    /**
     * A range of memory of one kind, neighbours joined.
     *
     * @param file behind shared memory; empty of private anonymous memory
     * @param offset of the first byte in that file
     */
    private record Mapping(long first, long last, Optional<SharedFile.Identity> file, long offset) {

        boolean isFollowedBy(Mapping next) {
            return last + 1 == next.first
                    && file.equals(next.file)
                    && (file.isEmpty() || offset + (next.first - first) == next.offset);
        }

        boolean holds(long address, long size) {
            return Long.compareUnsigned(first, address) <= 0 && Long.compareUnsigned(address + size - 1, last) <= 0;
        }
    }

    private PageMap(int process, FileChannel entries, List<Mapping> mappings) {
        this.process = process;
        this.entries = entries;
        this.mappings = mappings;
    }

    /** The map of a process; empty where it must not be read, or the system has none. */
    static Optional<PageMap> of(int process) {
        if (!System.getProperty("os.arch").equals("amd64")) {
            // Pages of other processors may have another size.
            return Optional.empty();
        }
        Path folder = Path.of("/proc", Integer.toString(process));
        try {
            List<Mapping> mappings = mappings(Files.readAllLines(folder.resolve("maps")));
            return Optional.of(new PageMap(
                    process, FileChannel.open(folder.resolve("pagemap"), StandardOpenOption.READ), mappings));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static List<Mapping> mappings(List<String> maps) {
        List<Mapping> found = new ArrayList<>();
        for (String line : maps) {
            // 7f5c40000000-7f5cc0000000 rw-p 00000000 00:00 0    [anon: ...]
            // 7f5c40000000-7f5cc0000000 rw-s 00000000 00:01 1031 /memfd:ram (deleted)
            String[] words = line.split("\\s+", 6);
            if (words.length < 5) {
                continue;
            }
            boolean isShared = words[1].endsWith("s");
            boolean named = words.length == 6 && !words[5].isBlank() && !words[5].startsWith("[");
            boolean hasFile = !words[4].equals("0");
            if (isShared != hasFile || !isShared && named) {
                continue;
            }
            String[] bounds = words[0].split("-");
            Mapping mapping = new Mapping(
                    Long.parseUnsignedLong(bounds[0], 16),
                    Long.parseUnsignedLong(bounds[1], 16) - 1,
                    isShared ? Optional.of(SharedFile.Identity.inMaps(words[3], words[4])) : Optional.empty(),
                    isShared ? Long.parseUnsignedLong(words[2], 16) : 0);
            if (!found.isEmpty() && found.getLast().isFollowedBy(mapping)) {
                Mapping before = found.removeLast();
                mapping = new Mapping(before.first, mapping.last, before.file, before.offset);
            }
            found.add(mapping);
        }
        return found;
    }

    /** Whether it is known of all of a range which of its pages were never touched. */
    boolean covers(long address, long size) {
        return mapping(address, size)
                .filter(mapping -> mapping.file.isEmpty() || file(mapping).isPresent())
                .isPresent();
    }

    /** Whether a range is shared memory, of which reading what was never touched takes memory of the host's. */
    boolean isShared(long address, long size) {
        return mapping(address, size).flatMap(Mapping::file).isPresent();
    }

    private Optional<Mapping> mapping(long address, long size) {
        return mappings.stream().filter(mapping -> mapping.holds(address, size)).findFirst();
    }

    private synchronized Optional<SharedFile> file(Mapping mapping) {
        return mapping.file.flatMap(
                identity -> files.computeIfAbsent(identity, wanted -> SharedFile.of(process, wanted)));
    }

    /**
     * Which pages were never touched.
     *
     * @param first number of the first page: its address by 4096
     * @param count how many pages
     */
    boolean[] untouched(long first, int count) {
        boolean[] untouched = new boolean[count];
        int from = 0;
        // A window may reach beyond a mapping.
        while (from < count) {
            long address = first + from << PAGE_SHIFT;
            Optional<Mapping> mapping = mapping(address, 1);
            long last = mapping.map(Mapping::last).orElse(address);
            int to = (int) Math.min(count, (last - (first << PAGE_SHIFT) >>> PAGE_SHIFT) + 1);
            if (mapping.isPresent()) {
                Optional<SharedFile> file = file(mapping.get());
                if (file.isPresent()) {
                    long offset = mapping.get().offset + (address - mapping.get().first);
                    file.get().holes(offset, untouched, from, to);
                } else if (mapping.get().file.isEmpty()) {
                    unmapped(first, untouched, from, to);
                }
            }
            from = to;
        }
        return untouched;
    }

    private void unmapped(long first, boolean[] untouched, int from, int to) {
        ByteBuffer buffer = ByteBuffer.allocate((to - from) * Long.BYTES).order(ByteOrder.nativeOrder());
        try {
            while (buffer.hasRemaining()
                    && entries.read(buffer, (first + from) * Long.BYTES + buffer.position()) > 0) {
                // a read may come short
            }
        } catch (IOException e) {
            // The process has ended; reading its memory will say so.
            return;
        }
        buffer.flip();
        for (int i = from; buffer.remaining() >= Long.BYTES; i++) {
            untouched[i] = (buffer.getLong() & PRESENT_OR_SWAPPED) == 0;
        }
    }

    @Override
    public synchronized void close() {
        files.values().forEach(file -> file.ifPresent(SharedFile::close));
        files.clear();
        try {
            entries.close();
        } catch (IOException e) {
            // Nothing was written to it, so there is nothing to lose.
            return;
        }
    }
}
