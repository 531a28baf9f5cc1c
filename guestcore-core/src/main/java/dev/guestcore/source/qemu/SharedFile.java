package dev.guestcore.source.qemu;

import dev.guestcore.internal.file.FileHoles;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The file behind shared memory of another process, asked where it has holes. Nothing is ever read of it. Thread-safe.
 */
final class SharedFile implements AutoCloseable {

    private static final int PAGE_SHIFT = 12;

    /** File systems of which it is known that a page that is mapped and written is no hole from that moment on. */
    private static final Set<String> HONEST = Set.of("tmpfs", "ext2", "ext3", "ext4", "xfs");

    private final FileHoles holes;
    private final long size;
    private boolean closed;

    /**
     * What the kernel knows a file by.
     *
     * @param major number of the device
     * @param minor number of the device
     * @param inode number in that device
     */
    record Identity(long major, long minor, long inode) {

        /** As a line of {@code /proc/PID/maps} has it: "fe:01" and "1031". */
        static Identity inMaps(String device, String inode) {
            String[] numbers = device.split(":");
            return new Identity(
                    Long.parseLong(numbers[0], 16), Long.parseLong(numbers[1], 16), Long.parseUnsignedLong(inode));
        }

        /** Whether stat(2) says the same; its device is put together as makedev(3) does. */
        boolean is(long statDevice, long statInode) {
            long device = (major & 0xffff_f000L) << 32
                    | (major & 0xfff) << 8
                    | (minor & 0xffff_ff00L) << 12
                    | minor & 0xff;
            return device == statDevice && inode == statInode;
        }
    }

    private SharedFile(FileHoles holes, long size) {
        this.holes = holes;
        this.size = size;
    }

    /** That file, which the process still has open; empty if it has not, or if nobody knows where its holes are. */
    static Optional<SharedFile> of(int process, Identity wanted) {
        Path folder = Path.of("/proc", Integer.toString(process), "fd");
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(folder)) {
            for (Path descriptor : descriptors) {
                Optional<SharedFile> found = open(descriptor, wanted);
                if (found.isPresent()) {
                    return found;
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            // Then all of it is read.
            return Optional.empty();
        }
        return Optional.empty();
    }

    private static Optional<SharedFile> open(Path descriptor, Identity wanted) {
        try {
            Map<String, Object> known = Files.readAttributes(descriptor, "unix:dev,ino,size,isRegularFile,fileKey");
            if (!(known.get("dev") instanceof Long device)
                    || !(known.get("ino") instanceof Long inode)
                    || !(known.get("size") instanceof Long size)
                    || !(known.get("fileKey") instanceof Object key)
                    || !wanted.is(device, inode)
                    || !Boolean.TRUE.equals(known.get("isRegularFile"))
                    || !isHonest(descriptor, wanted)) {
                return Optional.empty();
            }
            return FileHoles.of(descriptor, key, size).map(holes -> new SharedFile(holes, size));
        } catch (IOException e) {
            // Closed in the meantime, or not ours to look at.
            return Optional.empty();
        }
    }

    private static boolean isHonest(Path descriptor, Identity file) throws IOException {
        if (Files.readSymbolicLink(descriptor).toString().startsWith("/memfd:")) {
            // It is in no file system that is mounted.
            return true;
        }
        String device = " " + file.major + ":" + file.minor + " ";
        // Where the process sees it, which may be in a container: 36 35 98:0 /from /to rw,noatime shared:1 - ext4 ...
        Path mounts = descriptor.resolveSibling("..").resolve("mountinfo").normalize();
        return Files.readAllLines(mounts).stream()
                .filter(line -> line.contains(device))
                .map(line -> line.replaceFirst(".* - (\\S+) .*", "$1"))
                .anyMatch(HONEST::contains);
    }

    /**
     * Notes for pages whether they lie in a hole.
     *
     * @param offset of page {@code from} in the file
     * @param isHole filled from {@code from} inclusive to {@code to} exclusive
     */
    synchronized void holes(long offset, boolean[] isHole, int from, int to) {
        int page = from;
        while (page < to && !closed) {
            long at = offset + ((long) (page - from) << PAGE_SHIFT);
            if (at >= size) {
                // Reading beyond the end fails, and says so.
                return;
            }
            long data = holes.nextData(at);
            boolean hole = data > at;
            // Of a page that is a hole in part the rest is stored.
            long pages =
                    hole ? data - at >>> PAGE_SHIFT : holes.nextHole(at) - at + (1 << PAGE_SHIFT) - 1 >>> PAGE_SHIFT;
            int next = (int) Math.min(to, page + Math.max(1, pages));
            for (; page < next; page++) {
                isHole[page] = hole && pages > 0;
            }
        }
    }

    @Override
    public synchronized void close() {
        closed = true;
        holes.close();
    }
}
