package dev.guestcore.source.qemu;

import dev.guestcore.error.SourceException;
import dev.guestcore.internal.freeze.FreezeBuffer;
import dev.guestcore.internal.text.Amounts;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The file into which QEMU's migration stream goes, and from which it is read while it still grows. It lies in memory where
 * there is room, else in a folder, readable by the owner only and without a name. QEMU writes to it by itself where it can
 * be given the descriptor, which also works on if this process is killed; else it writes to a socket in a private folder,
 * from where a thread of ours carries the stream on. Not thread-safe, except for {@link #abort()}.
 */
final class StreamFile implements AutoCloseable {

    private static final String DESCRIPTOR_NAME = "guestcore-snapshot";
    private static final int CARRIED_AT_ONCE = 1 << 20;
    private static final long FREED_AT_ONCE = 8 << 20;
    private static final long PAUSE_NANOSECONDS = 500_000;

    private final FileChannel file;
    private final long most;
    /** Of a file in memory: what QEMU gets a copy of, and a second one to see whether QEMU still has it; else -1. */
    private int passed;

    private int probe;
    private @Nullable Carrier carrier;
    private boolean handedOver;

    private StreamFile(FileChannel file, int passed, int probe, long most) {
        this.file = file;
        this.passed = passed;
        this.probe = probe;
        this.most = most;
    }

    /**
     * Makes an empty file.
     *
     * @param most how large it may become, in bytes
     * @param folder where to put it if memory has no room
     * @param mayFail whether QEMU survives that it cannot be written to
     * @throws SourceException if it has no room anywhere
     */
    static StreamFile create(long most, Path folder, boolean mayFail) throws IOException {
        OptionalLong room = FreezeBuffer.roomInMemory();
        if (Descriptors.areSupported() && room.isPresent() && most <= room.getAsLong()) {
            int descriptor = Descriptors.memoryFile();
            try {
                FileChannel file = FileChannel.open(
                        Descriptors.path(descriptor), StandardOpenOption.READ, StandardOpenOption.WRITE);
                return new StreamFile(file, descriptor, Descriptors.again(descriptor), most);
            } catch (IOException | RuntimeException | Error e) {
                Descriptors.close(descriptor);
                throw e;
            }
        }
        if (!mayFail) {
            throw new SourceException("it may need " + Amounts.human(most) + ", more than memory has room for ("
                    + Amounts.human(room.orElse(0))
                    + "), and QEMU before 8.1 must not write to a disk that may fill up");
        }
        long usable = Files.getFileStore(folder).getUsableSpace();
        if (usable < most) {
            throw new SourceException("it may need " + Amounts.human(most) + ", and there is room for "
                    + Amounts.human(room.orElse(0)) + " in memory and " + Amounts.human(usable) + " in " + folder);
        }
        Path path = folder.resolve(".guestcore-" + HexFormat.of().toHexDigits(new SecureRandom().nextLong()));
        FileChannel file = FileChannel.open(
                path,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.delete(path);
        return new StreamFile(file, -1, -1, most);
    }

    /** The file itself, to be closed by whoever asks; this only ends the way into it then. */
    FileChannel handOver() {
        handedOver = true;
        return file;
    }

    /**
     * Opens the way for QEMU and names it for the command {@code migrate}.
     *
     * @param process QEMU's, if it is known: what QEMU itself writes to a file in memory counts as memory of QEMU's
     * @param mayBreak whether QEMU survives that the other end of a socket goes away
     * @throws SourceException if there is no way that would do
     */
    String open(QmpClient qmp, Optional<Integer> process, boolean mayBreak) throws IOException {
        String refusal = "QEMU's process was not found here";
        if (System.getProperty(QemuSourceProvider.STREAM_PROPERTY, "").equals("socket")) {
            return listen(qmp);
        }
        if (passed >= 0 && process.isPresent()) {
            long room = FreezeBuffer.roomInMemory(process.get()).orElse(0);
            if (room >= most) {
                try {
                    Descriptors.lock(passed);
                    qmp.executeWithDescriptor(
                            "getfd", Map.of("fdname", DESCRIPTOR_NAME), passed, QemuSource.COMMAND);
                    closePassed();
                    return "fd:" + DESCRIPTOR_NAME;
                } catch (SourceException e) {
                    // Somebody may stand between us and QEMU who passes no descriptors on.
                    refusal = e.getMessage();
                }
            } else {
                refusal = "QEMU may take only " + Amounts.human(room) + " of memory";
            }
        }
        if (!mayBreak) {
            throw new SourceException("QEMU cannot be given a file in memory (" + refusal
                    + "), and before 8.1 the guest hangs if a socket breaks");
        }
        return listen(qmp);
    }

    private String listen(QmpClient qmp) throws IOException {
        closePassed();
        Carrier begun = new Carrier(qmp, file);
        carrier = begun;
        return "unix:" + begun.socket();
    }

    private void closePassed() throws IOException {
        if (passed >= 0) {
            Descriptors.close(passed);
            passed = -1;
        }
    }

    /** Takes back what {@link #open} gave QEMU, if it has not used it. */
    void withdraw(QmpClient qmp) throws IOException {
        if (carrier == null && probe >= 0) {
            try {
                qmp.execute("closefd", Map.of("fdname", DESCRIPTOR_NAME), QemuSource.COMMAND);
            } catch (SourceException e) {
                // It was used, and so is gone.
                return;
            }
        }
    }

    /** Whether QEMU, which was given a way to write, has closed it, or never opened it. */
    boolean isClosedByQemu() throws IOException {
        Carrier running = carrier;
        return running == null ? Descriptors.lock(probe) : running.over || running.client == null;
    }

    /** Tells whether QEMU has written everything. */
    @FunctionalInterface
    interface Ended {

        /** Asks QEMU. */
        boolean ask() throws IOException;
    }

    /**
     * The stream from its start to its end, waited for.
     *
     * @param ended asked now and then where the stream has not come further
     * @param frees whether what was read is not needed any more, so that its room is given back
     */
    ReadableByteChannel reader(Ended ended, boolean frees) {
        return new Tail(ended, frees);
    }

    /** Ends the way for QEMU, from any thread. */
    void abort() {
        Carrier running = carrier;
        if (running != null) {
            running.close();
        }
    }

    @Override
    public void close() {
        abort();
        try {
            closePassed();
            if (probe >= 0) {
                Descriptors.close(probe);
                probe = -1;
            }
            if (!handedOver) {
                file.close();
            }
        } catch (IOException e) {
            throw new SourceException("cannot release the snapshot: " + e.getMessage(), e);
        }
    }

    private final class Tail implements ReadableByteChannel {

        private final Ended ended;
        private final boolean frees;
        private long position;
        private long freed;

        Tail(Ended ended, boolean frees) {
            this.ended = ended;
            this.frees = frees;
        }

        private void free() throws IOException {
            if (frees && probe >= 0 && position - freed >= FREED_AT_ONCE) {
                long end = position & -FREED_AT_ONCE;
                Descriptors.free(probe, freed, end - freed);
                freed = end;
            }
        }

        @Override
        public int read(ByteBuffer target) throws IOException {
            while (true) {
                int count = file.read(target, position);
                if (count > 0) {
                    position += count;
                    free();
                    return count;
                }
                Carrier source = carrier;
                // First whether it is over, then whether more has come before it was.
                boolean over = source == null || source.isOver();
                if (ended.ask() && over) {
                    count = file.read(target, position);
                    position += Math.max(0, count);
                    return count;
                }
                LockSupport.parkNanos(PAUSE_NANOSECONDS);
            }
        }

        @Override
        public boolean isOpen() {
            return file.isOpen();
        }

        @Override
        public void close() {
            // The file outlives its reader.
        }
    }

    /** Carries bytes from a socket to the file. */
    private static final class Carrier implements AutoCloseable {

        private final Path folder;
        private final ServerSocketChannel server;
        private final Thread thread;
        private final FileChannel file;
        private volatile @Nullable SocketChannel client;
        private volatile Optional<IOException> failure = Optional.empty();
        private volatile boolean over;

        Carrier(QmpClient qmp, FileChannel file) throws IOException {
            this.file = file;
            folder = Files.createTempDirectory(
                    "guestcore-",
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            try {
                server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
                server.bind(UnixDomainSocketAddress.of(socket()));
                giveAway(qmp.listener());
            } catch (IOException | RuntimeException | Error e) {
                deleteFolder();
                throw e;
            }
            thread = Thread.ofPlatform().daemon().name("guestcore-snapshot").start(this::carry);
        }

        Path socket() {
            return folder.resolve("stream");
        }

        /** QEMU may run as another user, and must reach the socket. */
        private void giveAway(UserPrincipal listener) throws IOException {
            if (!Files.getOwner(folder).equals(listener)) {
                try {
                    Files.setOwner(socket(), listener);
                    Files.setOwner(folder, listener);
                } catch (IOException e) {
                    // We may not; then QEMU says that it cannot connect, unless it may do everything.
                    return;
                }
            }
        }

        private void carry() {
            try (SocketChannel from = server.accept()) {
                client = from;
                if (!server.isOpen()) {
                    // Closed before anybody knew of this client.
                    return;
                }
                ByteBuffer buffer = Arena.ofAuto().allocate(CARRIED_AT_ONCE, 4096).asByteBuffer();
                while (from.read(buffer.clear()) >= 0) {
                    write(buffer.flip());
                }
            } catch (IOException e) {
                failure = Optional.of(e);
            } finally {
                over = true;
            }
        }

        /** What finds no place any more is dropped: QEMU must be told to end before its stream may be cut. */
        private void write(ByteBuffer bytes) {
            try {
                while (failure.isEmpty() && bytes.hasRemaining()) {
                    file.write(bytes);
                }
            } catch (IOException e) {
                failure = Optional.of(new IOException("the snapshot cannot be stored: " + e.getMessage(), e));
            }
        }

        boolean isOver() throws IOException {
            if (failure.isPresent()) {
                throw failure.get();
            }
            return over;
        }

        @Override
        public void close() {
            try {
                server.close();
                SocketChannel connected = client;
                if (connected != null) {
                    connected.close();
                }
                deleteFolder();
            } catch (IOException e) {
                throw new SourceException("cannot delete " + folder + ": " + e.getMessage(), e);
            }
            boolean interrupted = false;
            while (thread.isAlive()) {
                try {
                    thread.join(Duration.ofSeconds(1));
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }

        private void deleteFolder() throws IOException {
            Files.deleteIfExists(socket());
            Files.deleteIfExists(folder);
        }
    }
}
