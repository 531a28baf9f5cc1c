package dev.guestcore.live.qemu;

import dev.guestcore.SourceException;
import dev.guestcore.internal.freeze.FreezeBuffer;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
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
 * be given the descriptor; else it writes to a socket in a private folder, from where a thread of ours carries the stream
 * on. Not thread-safe, except for {@link #abort()}.
 */
final class StreamFile implements AutoCloseable {

    private static final String DESCRIPTOR_NAME = "guestcore-snapshot";
    private static final int CARRIED_AT_ONCE = 1 << 20;
    private static final long PAUSE_NANOSECONDS = 500_000;

    private final FileChannel file;
    private final int descriptor;
    private final boolean inMemory;
    private @Nullable Carrier carrier;
    private boolean handedOver;

    private StreamFile(FileChannel file, int descriptor, boolean inMemory) {
        this.file = file;
        this.descriptor = descriptor;
        this.inMemory = inMemory;
    }

    /**
     * Makes an empty file.
     *
     * @param most how large it may become, in bytes
     * @param folder where to put it if memory has no room
     * @throws SourceException if it has no room anywhere
     */
    static StreamFile create(long most, Path folder) throws IOException {
        OptionalLong room = FreezeBuffer.roomInMemory();
        if (Descriptors.areSupported() && room.isPresent() && most <= room.getAsLong()) {
            int descriptor = Descriptors.memoryFile();
            try {
                FileChannel file = FileChannel.open(
                        Descriptors.path(descriptor), StandardOpenOption.READ, StandardOpenOption.WRITE);
                return new StreamFile(file, descriptor, true);
            } catch (IOException | RuntimeException | Error e) {
                Descriptors.close(descriptor);
                throw e;
            }
        }
        long usable = Files.getFileStore(folder).getUsableSpace();
        if (usable < most) {
            throw new SourceException("a snapshot may take " + most + " bytes, and there is room for "
                    + room.orElse(0) + " in memory and " + usable + " in " + folder);
        }
        Path path = folder.resolve(".guestcore-" + HexFormat.of().toHexDigits(new SecureRandom().nextLong()));
        FileChannel file = FileChannel.open(
                path,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.delete(path);
        return new StreamFile(file, -1, false);
    }

    /** Whether it lies in memory. */
    boolean isInMemory() {
        return inMemory;
    }

    /** The file itself, to be closed by whoever asks; this only ends the way into it then. */
    FileChannel handOver() {
        handedOver = true;
        return file;
    }

    /**
     * Opens the way for QEMU and names it for the command {@code migrate}.
     *
     * @param mayWriteItself whether QEMU may be given a file in memory to write to; it then counts as memory of QEMU's
     */
    String open(QmpClient qmp, boolean mayWriteItself) throws IOException {
        if (inMemory && mayWriteItself) {
            try {
                qmp.executeWithDescriptor(
                        "getfd", Map.of("fdname", DESCRIPTOR_NAME), descriptor, QemuSource.COMMAND);
                return "fd:" + DESCRIPTOR_NAME;
            } catch (SourceException e) {
                // Somebody stands between us and QEMU who passes no descriptors on.
                return listen(qmp);
            }
        }
        return listen(qmp);
    }

    private String listen(QmpClient qmp) throws IOException {
        Carrier begun = new Carrier(qmp, file);
        carrier = begun;
        return "unix:" + begun.socket();
    }

    /** Takes back what {@link #open} gave QEMU, if it has not used it. */
    void withdraw(QmpClient qmp) throws IOException {
        if (carrier == null && descriptor >= 0) {
            try {
                qmp.execute("closefd", Map.of("fdname", DESCRIPTOR_NAME), QemuSource.COMMAND);
            } catch (SourceException e) {
                // It was used, and so is gone.
                return;
            }
        }
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
     */
    ReadableByteChannel reader(Ended ended) {
        return new Tail(ended);
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
            if (descriptor >= 0) {
                Descriptors.close(descriptor);
            }
            if (!handedOver) {
                file.close();
            }
        } catch (IOException e) {
            throw new SourceException("cannot let go of the snapshot: " + e.getMessage(), e);
        }
    }

    private final class Tail implements ReadableByteChannel {

        private final Ended ended;
        private long position;

        Tail(Ended ended) {
            this.ended = ended;
        }

        @Override
        public int read(ByteBuffer target) throws IOException {
            while (true) {
                int count = file.read(target, position);
                if (count > 0) {
                    position += count;
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
                ByteBuffer buffer = ByteBuffer.allocateDirect(CARRIED_AT_ONCE);
                while (from.read(buffer.clear()) >= 0) {
                    buffer.flip();
                    while (buffer.hasRemaining()) {
                        file.write(buffer);
                    }
                }
            } catch (ClosedChannelException e) {
                failure = Optional.of(e);
            } catch (IOException e) {
                failure = Optional.of(new IOException("the snapshot cannot be put aside: " + e.getMessage(), e));
            } finally {
                over = true;
            }
        }

        boolean isOver() throws IOException {
            if (!over) {
                return false;
            }
            if (failure.isPresent()) {
                throw failure.get();
            }
            return true;
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
