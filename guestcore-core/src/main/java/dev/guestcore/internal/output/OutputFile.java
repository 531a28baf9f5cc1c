package dev.guestcore.internal.output;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.error.OutputException;
import dev.guestcore.file.CoreSink;
import dev.guestcore.file.MemoryOutput;
import dev.guestcore.internal.file.IoReason;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongConsumer;

/**
 * A file that gets its name only when it is whole: it is written as a hidden sibling that only its owner may read, flushed
 * to the disk and renamed by {@link #commit()}. Closed without that, it is deleted. An existing file is never opened, and
 * a symbolic link in its place is replaced, never followed. Nothing else is replaced: no folder, no device, no pipe, no
 * socket, and no link to one of them. Not thread-safe.
 *
 * <p>A writer that is killed leaves its hidden sibling; the next one for the same name deletes it. A living writer holds a
 * lock on its own, which the system releases when the process ends. The system also releases it as soon as the process
 * closes any channel to the file, so what was written is read back through the one channel that there is.
 */
public final class OutputFile implements AutoCloseable {

    private static final Set<OpenOption> CREATE = Set.of(
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE,
            LinkOption.NOFOLLOW_LINKS);

    private final Path target;
    private final Path partial;
    private final IfExists ifExists;
    private final FileChannel channel;
    private final SparseSink sink;
    private boolean finished;
    private boolean committed;

    /** What to do about a file that already has the name. */
    public enum IfExists {
        /** Refuse. */
        FAIL,
        /** Put the new file in its place once that is whole. */
        REPLACE
    }

    private OutputFile(Path target, Path partial, IfExists ifExists, FileChannel channel) {
        this.target = target;
        this.partial = partial;
        this.ifExists = ifExists;
        this.channel = channel;
        this.sink = new SparseSink(channel, target.toString());
    }

    /**
     * Begins a file.
     *
     * @throws OutputException if the name is taken (and must not be, or by what is no file), or the folder cannot be written
     */
    public static OutputFile create(Path target, IfExists ifExists) {
        requireReplaceable(target);
        Path absolute = target.toAbsolutePath();
        Path folder = absolute.getParent();
        Path name = absolute.getFileName();
        if (folder == null || name == null) {
            throw new OutputException(target + ": is not the name of a file");
        }
        if (!Files.isDirectory(folder)) {
            throw new OutputException(target + ": the folder " + folder + " does not exist; create it first");
        }
        try {
            HiddenSiblings siblings = new HiddenSiblings(folder.toRealPath(), name.toString());
            Optional<Path> living = siblings.deleteAbandoned();
            if (ifExists == IfExists.FAIL && Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
                throw exists(target);
            }
            if (ifExists == IfExists.FAIL && living.isPresent()) {
                // Only one of the two could get the name, and the other's work would be lost.
                throw new OutputException(target + ": is being written right now (as " + living.get().getFileName()
                        + "); wait until that is done, or choose another name");
            }
            HiddenSiblings.Sibling sibling = siblings.create(CREATE, ownerOnly());
            return new OutputFile(target, sibling.path(), ifExists, sibling.channel());
        } catch (IOException e) {
            throw new OutputException(
                    target + ": cannot create a file in " + folder + ": " + reason(e)
                            + "; choose another folder or change its permissions",
                    e);
        }
    }

    /** Refuses a name that belongs to something else than a file, also by way of a link such as /dev/stdout. */
    private static void requireReplaceable(Path target) {
        BasicFileAttributes found;
        try {
            found = Files.readAttributes(target, BasicFileAttributes.class);
        } catch (IOException e) {
            // Nothing there, or a link to nothing.
            return;
        }
        if (found.isDirectory()) {
            throw new OutputException(target + ": is a directory; name a file in it");
        }
        if (!found.isRegularFile()) {
            throw new OutputException(
                    target + ": is a device, a pipe or a socket, which a file must not replace; choose"
                            + " another name, or write to standard output and redirect that");
        }
    }

    private static FileAttribute<?>[] ownerOnly() {
        if (!FileSystems.getDefault().supportedFileAttributeViews().contains("posix")) {
            return new FileAttribute<?>[0];
        }
        return new FileAttribute<?>[] {
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))
        };
    }

    private static OutputException exists(Path target) {
        return new OutputException(
                target + ": exists already; choose another name", new FileAlreadyExistsException(target.toString()));
    }

    private static String reason(IOException e) {
        return e instanceof NoSuchFileException ? "the folder no longer exists" : IoReason.of(e);
    }

    /**
     * Checks that the disk has room.
     *
     * @param bytes size of the file to come, exactly
     * @throws OutputException if there is less room than that
     */
    public void requireSpace(long bytes) {
        long free = freeSpace(target, partial);
        if (Long.compareUnsigned(free, bytes) < 0) {
            throw new OutputException(target + ": needs " + bytes + " bytes, but only " + free
                    + " are free on that disk; free some or choose another disk");
        }
    }

    /**
     * Compares a file to come with the room on the disk, so that nobody waits, and no guest stands still, in vain.
     *
     * @param most how many bytes it has at most; zero pages become holes, so less may be used
     * @return why it may not fit, to begin a sentence with; empty where it fits for sure
     */
    public Optional<String> doubtfulSpace(long most) {
        long free = freeSpace(target, partial);
        return Long.compareUnsigned(free, most) >= 0
                ? Optional.empty()
                : Optional.of(
                        target + ": may need up to " + most + " bytes, but only " + free + " are free on that disk");
    }

    /**
     * The same for a core of {@code memory}, of which what is known to be zero becomes holes and takes no room. How much more
     * is zero, and how far pages can be compressed, only writing tells: it fails cleanly where the disk fills up.
     *
     * @param size bytes of the core to come, at most
     * @param storedSize how many of them may take room, as far as its format knows
     * @throws OutputException if no file there can be that large
     */
    public Optional<String> doubtfulSpace(long size, long storedSize, GuestMemory memory) {
        if (doubtfulSpace(size).isEmpty()) {
            return Optional.empty();
        }
        requireLength(size);
        // Only now, because it takes time to look through all of the memory.
        return doubtfulSpace(storedBytes(storedSize, memory));
    }

    /**
     * Checks what is certain about the room for a file: that the disk can have one as large.
     *
     * @param size its bytes, at most
     * @throws OutputException if no file there can be that large
     */
    public void requireLength(long size) {
        if (Long.compareUnsigned(freeSpace(target, partial), size) < 0) {
            tryLength(size);
        }
    }

    /** Holes take no room, but file systems have a largest file, of which they tell by refusing to write there. */
    private void tryLength(long bytes) {
        try {
            channel.write(ByteBuffer.allocate(1), bytes - 1);
            channel.truncate(0);
        } catch (IOException | IllegalArgumentException e) {
            if (e instanceof IOException full && remedy(full).contains("free some")) {
                throw new OutputException(
                        target + ": needs up to " + bytes
                                + " bytes, and nothing is free on that disk; free some or choose"
                                + " another disk",
                        e);
            }
            throw new OutputException(
                    target + ": needs " + bytes + " bytes, and that disk allows no file that large; choose another"
                            + " disk,"
                            + " or a format that leaves zero pages out, such as a kdump",
                    e);
        }
    }

    /** How much of a core is not known to be zero: at least what the memory has, beside what is no memory. */
    private static long storedBytes(long bytes, GuestMemory memory) {
        long present = 0;
        long zero = 0;
        for (MemoryRegion region : memory.regions()) {
            AddressRange rest = region.range();
            while (region.hasContent()) {
                PageRun run = memory.contentRunAt(rest.first());
                long lessOne = run.range().intersection(rest).orElseThrow().last() - rest.first();
                long size = Long.compareUnsigned(lessOne, Long.MAX_VALUE) >= 0 ? Long.MAX_VALUE : lessOne + 1;
                if (run.state() == PageState.PRESENT) {
                    present = saturated(present + size);
                } else {
                    zero = saturated(zero + size);
                }
                if (lessOne == rest.last() - rest.first()) {
                    break;
                }
                rest = new AddressRange(rest.first() + lessOne + 1, rest.last());
            }
        }
        return Math.max(bytes - zero, present);
    }

    private static long saturated(long sum) {
        return sum < 0 ? Long.MAX_VALUE : sum;
    }

    /**
     * How much room there is for a file of that name, in bytes.
     *
     * @throws OutputException if its folder does not exist
     */
    public static long freeSpace(Path target) {
        Path folder = target.toAbsolutePath().getParent();
        if (folder == null || !Files.isDirectory(folder)) {
            throw new OutputException(target + ": the folder " + folder + " does not exist; create it first");
        }
        return freeSpace(target, folder);
    }

    private static long freeSpace(Path target, Path onDisk) {
        try {
            return Files.getFileStore(onDisk).getUsableSpace();
        } catch (IOException e) {
            // A store is found by its mount point, which not every chroot can see.
            long free = onDisk.toFile().getUsableSpace();
            if (free == 0) {
                throw new OutputException(target + ": cannot tell the free space: " + reason(e), e);
            }
            return free;
        }
    }

    /** Memory that stands in the file before the rest does. */
    public interface StoredMemory {

        /** Whether {@code size} bytes of memory from an address on stand at that offset. */
        boolean stands(long address, long size, long offset);

        /**
         * Shows the pages in which VMCOREINFO may begin.
         *
         * @return false if not all of them are known
         */
        boolean showLandmarks(AddressRange range, LongConsumer landmarks);
    }

    /**
     * Begins another file that is to get the name instead, while this one can still be read. Both have to be closed.
     *
     * @throws OutputException if it cannot be created
     */
    public OutputFile another() {
        Path folder = partial.getParent();
        Path name = target.getFileName();
        if (folder == null || name == null) {
            throw new IllegalStateException(partial + " is in no folder");
        }
        try {
            HiddenSiblings.Sibling sibling = new HiddenSiblings(folder, name.toString()).create(CREATE, ownerOnly());
            return new OutputFile(target, sibling.path(), ifExists, sibling.channel());
        } catch (IOException e) {
            throw failed("creating another file failed", e);
        }
    }

    /** Drops what the file holds, and has the sink go past what will be stored at these places. */
    public void place(StoredMemory memory) {
        try {
            channel.truncate(0);
        } catch (IOException e) {
            throw failed("emptying the file failed", e);
        }
        sink.placed = Optional.of(memory);
    }

    /** Writes memory to its place, whatever the position of the sink is. */
    public void writeAt(long offset, MemorySegment bytes) {
        sink.send(bytes, offset);
    }

    /** Fills {@code target} with what was written there, also in a thread that is interrupted already. */
    public void readAt(long offset, MemorySegment target) {
        boolean interrupted = Thread.interrupted();
        try {
            fill(offset, target);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void fill(long offset, MemorySegment target) {
        ByteBuffer buffer = target.asByteBuffer();
        try {
            while (buffer.hasRemaining()) {
                if (channel.read(buffer, offset + buffer.position()) < 0) {
                    throw new OutputException(this.target
                            + ": became shorter while it was written; make sure that nothing else writes to "
                            + partial);
                }
            }
        } catch (IOException e) {
            throw failed("reading back what was written failed", e);
        }
    }

    /** Where to write. */
    public CoreSink sink() {
        return sink;
    }

    /** The name that the file will have in its folder. */
    public String name() {
        return String.valueOf(target.getFileName());
    }

    /** How many bytes were written so far. */
    public long size() {
        return sink.position();
    }

    /**
     * Reads back what was written so far, before the file has its name.
     *
     * @param offset in bytes from the start of the file
     * @param target receives the bytes; as many as it has room for must have been written
     * @throws OutputException if that fails
     */
    public void readBack(long offset, MemorySegment target) {
        Objects.checkFromIndexSize(offset, target.byteSize(), size());
        try {
            sink.finish();
        } catch (IOException e) {
            throw failed("finishing the file failed", e);
        }
        fill(offset, target);
    }

    /**
     * Flushes the file to the disk. After that only its name is missing.
     *
     * @throws OutputException if the disk fails
     */
    public void finish() {
        if (finished) {
            return;
        }
        try {
            sink.finish();
            channel.force(true);
            finished = true;
        } catch (IOException e) {
            throw failed("finishing the file failed", e);
        }
    }

    /**
     * Flushes the file to the disk, gives it its name, and flushes that.
     *
     * @throws OutputException if the disk fails or, meanwhile, somebody else took the name
     */
    public void commit() {
        giveName();
        flushFolder();
    }

    /**
     * Flushes the file to the disk and gives it its name, which is on the disk for sure only after {@link #flushFolder()}.
     *
     * @throws OutputException if the disk fails or, meanwhile, somebody else took the name
     */
    public void giveName() {
        finish();
        requireReplaceable(target);
        try {
            if (ifExists == IfExists.REPLACE) {
                Files.move(partial, target.toAbsolutePath(), StandardCopyOption.ATOMIC_MOVE);
            } else {
                nameExclusively();
            }
            committed = true;
        } catch (FileAlreadyExistsException e) {
            throw exists(target);
        } catch (IOException e) {
            throw failed("naming the finished file failed", e);
        }
        forget();
    }

    /** Flushes the folder, so that the file has its name after a power failure too. */
    public void flushFolder() {
        Path folder = partial.getParent();
        if (folder == null) {
            return;
        }
        try (FileChannel opened = FileChannel.open(folder, StandardOpenOption.READ)) {
            opened.force(true);
        } catch (IOException e) {
            // Not every system can open a folder, and not every file system can flush one. The file has its name.
            return;
        }
    }

    /** Deletes the file though it has got its name. */
    void revoke() {
        try {
            Files.deleteIfExists(target);
        } catch (IOException e) {
            throw new OutputException(target + ": cannot be deleted again: " + reason(e), e);
        }
    }

    private OutputException failed(String what, IOException e) {
        return new OutputException(target + ": " + what + ": " + reason(e) + remedy(e), e);
    }

    private static String remedy(IOException e) {
        String reason = reason(e);
        if (reason.contains("No space left") || reason.contains("quota")) {
            return "; free some space or choose another disk, then do it again";
        }
        if (reason.contains("File too large")) {
            return "; neither the disk nor a limit (ulimit -f) may forbid files of that size: choose another disk or"
                    + " lift the limit";
        }
        return "; check that folder and its disk, or choose another";
    }

    private void forget() {
        HiddenSiblings.forget(partial);
        try {
            channel.close();
        } catch (IOException e) {
            throw failed("closing the file failed", e);
        }
    }

    /** A rename would silently replace a file that appeared in the meantime; a hard link does not. */
    private void nameExclusively() throws IOException {
        Path absolute = target.toAbsolutePath();
        try {
            Files.createLink(absolute, partial);
        } catch (UnsupportedOperationException | java.nio.file.FileSystemException e) {
            if (e instanceof FileAlreadyExistsException taken) {
                throw taken;
            }
            if (Files.exists(absolute, LinkOption.NOFOLLOW_LINKS)) {
                throw new FileAlreadyExistsException(absolute.toString());
            }
            Files.move(partial, absolute, StandardCopyOption.ATOMIC_MOVE);
            return;
        }
        Files.delete(partial);
    }

    /** Deletes the file if it was not committed. */
    @Override
    public void close() {
        if (committed) {
            return;
        }
        try (channel) {
            Files.deleteIfExists(partial);
        } catch (IOException e) {
            throw new OutputException(target + ": cannot delete the unfinished " + partial + ": " + reason(e), e);
        } finally {
            HiddenSiblings.forget(partial);
        }
    }

    /** Skips over zeros, which become holes. */
    private static final class SparseSink extends GatheringSink {

        private static final long LARGEST_WRITE = 1 << 30;
        private static final long SMALLEST_HOLE = 4096;

        private final FileChannel channel;
        private final String name;
        private Optional<StoredMemory> placed = Optional.empty();

        SparseSink(FileChannel channel, String name) {
            this.channel = channel;
            this.name = name;
        }

        @Override
        public void writeZeros(long count) {
            if (count >= SMALLEST_HOLE) {
                skip(count);
            } else {
                writeZeroBytes(count);
            }
        }

        @Override
        public MemoryOutput memory() {
            return new MemoryOutput() {
                @Override
                public boolean pass(long address, long size, LongConsumer landmarks) {
                    boolean passes = stands(address, size)
                            && placed.orElseThrow().showLandmarks(AddressRange.ofSize(address, size), landmarks);
                    if (passes) {
                        skip(size);
                    }
                    return passes;
                }

                @Override
                public void write(long address, MemorySegment bytes) {
                    if (stands(address, bytes.byteSize())) {
                        skip(bytes.byteSize());
                    } else {
                        SparseSink.this.write(bytes);
                    }
                }

                @Override
                public void writeZeros(long address, long count) {
                    SparseSink.this.writeZeros(count);
                }
            };
        }

        private boolean stands(long address, long size) {
            return placed.filter(memory -> memory.stands(address, size, position())).isPresent();
        }

        @Override
        public boolean canPatch() {
            return true;
        }

        @Override
        public void patch(long at, MemorySegment bytes) {
            Objects.checkFromIndexSize(at, bytes.byteSize(), position());
            flush();
            send(bytes, at);
        }

        /** Gives the file its full length even where it ends in a hole, and no more where zeros were stored behind it. */
        void finish() throws IOException {
            flush();
            if (placed.isPresent() && channel.size() > position()) {
                channel.truncate(position());
            }
            if (position() > 0 && channel.size() < position()) {
                channel.write(ByteBuffer.allocate(1), position() - 1);
            }
        }

        @Override
        void send(MemorySegment bytes, long offset) {
            long done = 0;
            try {
                while (done < bytes.byteSize()) {
                    long chunk = Math.min(LARGEST_WRITE, bytes.byteSize() - done);
                    done += channel.write(bytes.asSlice(done, chunk).asByteBuffer(), offset + done);
                }
            } catch (IOException e) {
                throw new OutputException(
                        name + ": writing failed at byte " + (offset + done) + ": " + reason(e)
                                + remedy(e) + "; nothing is left under that name",
                        e);
            }
        }
    }
}
