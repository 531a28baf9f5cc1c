package dev.guestcore.source.qemu;

import dev.guestcore.error.SourceException;
import dev.guestcore.internal.file.SteadyFile;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.time.Duration;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Guest memory by way of files: QEMU saves a window with {@code pmemsave} into a file that we made for it in a folder of
 * ours, and the last windows are kept. Only we can put anything into the folder, and we read what we opened before QEMU knew
 * its name, so nobody can have us read another file. It loses its name as soon as it is written, so nothing is left behind
 * even if this process is killed. Thread-safe.
 */
final class SavedMemory implements AutoCloseable {

    /** Size and alignment of a window in bytes. */
    static final long WINDOW = 64L << 20;

    private static final int WINDOWS_KEPT = 2;
    private static final Duration SAVING = Duration.ofMinutes(5);

    private final QmpClient qmp;
    private final Watchdog watchdog;
    private final Path folder;
    private final Map<Long, SteadyFile> windows = new LinkedHashMap<>(8, 0.75f, true);
    private boolean closed;

    /**
     * Prepares the folder.
     *
     * @param parent where to make it; both we and QEMU must reach it by this name
     */
    SavedMemory(QmpClient qmp, Watchdog watchdog, Path parent) {
        this.qmp = qmp;
        this.watchdog = watchdog;
        try {
            folder = Files.createTempDirectory(
                    parent,
                    "guestcore-",
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            if (!Files.getOwner(folder).equals(qmp.listener())) {
                // Others reach a file whose name they know, but see and make none.
                Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx--x--x"));
            }
        } catch (IOException e) {
            throw new SourceException("cannot make a folder for QEMU to save memory to in " + parent + ": " + e, e);
        }
        watchdog.guard(folder);
        watchdog.guard(folder.resolve("memory"));
    }

    /**
     * Where we may, the file is given to the user who listens at the other end of the socket, as the kernel says: so QEMU can
     * write to it. Where we may not, QEMU may be allowed to all the same, as root; the first save tells.
     */
    private void giveAway(Path file) {
        try {
            UserPrincipal listener = qmp.listener();
            if (!Files.getOwner(file).equals(listener)) {
                Files.setOwner(file, listener);
            }
        } catch (IOException | UnsupportedOperationException e) {
            return;
        }
    }

    /**
     * Copies bytes.
     *
     * @param address guest-physical address of the first
     * @param first where the region that holds them starts
     * @param last where it ends, inclusive
     */
    synchronized void read(long address, long first, long last, MemorySegment target) {
        if (closed) {
            throw new IllegalStateException("the guest is closed");
        }
        long done = 0;
        while (done < target.byteSize()) {
            long at = address + done;
            long aligned = at & -WINDOW;
            long start = Long.compareUnsigned(aligned, first) < 0 ? first : aligned;
            long windowLast = aligned + (WINDOW - 1);
            long end = Long.compareUnsigned(windowLast, last) > 0 ? last : windowLast;
            long length = Math.min(target.byteSize() - done, end - at + 1);
            copy(window(start, end - start + 1), at - start, target.asSlice(done, length));
            done += length;
        }
    }

    private SteadyFile window(long start, long size) {
        SteadyFile known = windows.get(start);
        if (known != null) {
            return known;
        }
        while (windows.size() >= WINDOWS_KEPT) {
            Iterator<SteadyFile> eldest = windows.values().iterator();
            SteadyFile dropped = eldest.next();
            eldest.remove();
            close(dropped);
        }
        SteadyFile saved = save(start, size);
        windows.put(start, saved);
        return saved;
    }

    private SteadyFile save(long start, long size) {
        Path file = folder.resolve("memory");
        FileChannel saved = null;
        try {
            saved = FileChannel.open(
                    file,
                    Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE),
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            giveAway(file);
            qmp.execute("pmemsave", Map.of("val", start, "size", size, "filename", file.toString()), SAVING);
            if (saved.size() != size) {
                throw new SourceException("of " + size + " bytes of memory at 0x" + Long.toHexString(start)
                        + " QEMU saved " + saved.size() + " to " + file
                        + "; check that there is room, and that both see the"
                        + " same folder (that of java.io.tmpdir)");
            }
            return new SteadyFile(saved);
        } catch (IOException | RuntimeException e) {
            if (saved != null) {
                close(saved);
            }
            if (e instanceof RuntimeException known) {
                throw known;
            }
            throw new SourceException(
                    "cannot get the memory that QEMU saved at " + file + " (the folder of java.io.tmpdir must be the"
                            + " same for both): " + e.getMessage(),
                    e);
        } finally {
            delete(file);
        }
    }

    /**
     * Tries the way with one byte, so that a way that does not work is known before a long capture begins.
     *
     * @param address guest-physical address of any RAM or ROM
     */
    synchronized void check(long address) {
        close(save(address, 1));
    }

    private static void copy(SteadyFile file, long position, MemorySegment target) {
        try {
            long done = 0;
            while (done < target.byteSize()) {
                long length = Math.min(target.byteSize() - done, WINDOW);
                int count = file.read(target.asSlice(done, length), position + done);
                if (count < 0) {
                    throw new SourceException("a file of memory that QEMU saved became shorter while it was read");
                }
                done += count;
            }
        } catch (IOException e) {
            throw new SourceException("cannot read the memory that QEMU saved: " + e, e);
        }
    }

    private static void delete(Path file) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            throw new SourceException("cannot delete " + file + ", which holds memory of the guest: delete it by hand",
                    e);
        }
    }

    private static void close(Closeable file) {
        try {
            file.close();
        } catch (IOException e) {
            throw new SourceException("cannot close a file of saved memory: " + e, e);
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            windows.values().forEach(SavedMemory::close);
            windows.clear();
            delete(folder.resolve("memory"));
            delete(folder);
            watchdog.release(folder.resolve("memory"));
            watchdog.release(folder);
        }
    }
}
