package dev.guestcore.source.qemu;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.net.StandardSocketOptions;
import java.nio.channels.SocketChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * File descriptors by their number (Linux, 64 bit), of which Java knows nothing: files that are only memory, and passing a
 * descriptor to the process at the other end of a UNIX socket (unix(7), SCM_RIGHTS). Stateless.
 */
final class Descriptors {

    private static final Path OWN = Path.of("/proc/self/fd");
    private static final int CLOSE_ON_EXEC = 1;
    private static final int SOCKET_LEVEL = 1;
    private static final int SEND_BUFFER = 7;
    private static final int PEER_CREDENTIALS = 17;
    private static final int SCM_RIGHTS = 1;
    private static final int READ_WRITE = 2;
    private static final int OPEN_CLOSE_ON_EXEC = 0x80000;
    private static final int LOCK_EXCLUSIVE_AT_ONCE = 2 | 4;
    private static final int PUNCH_HOLE = 2 | 1;
    private static final int NO_SIGNAL = 0x4000;
    private static final int EAGAIN = 11;

    // struct iovec, then struct msghdr, then struct cmsghdr with one descriptor, then an int and its length.
    private static final long VECTOR_BASE = 0;
    private static final long VECTOR_LENGTH = 8;
    private static final long MESSAGE = 16;
    private static final long MESSAGE_VECTOR = MESSAGE + 16;
    private static final long MESSAGE_VECTORS = MESSAGE + 24;
    private static final long MESSAGE_CONTROL = MESSAGE + 32;
    private static final long MESSAGE_CONTROL_LENGTH = MESSAGE + 40;
    private static final long CONTROL = MESSAGE + 56;
    private static final long CONTROL_LEVEL = CONTROL + 8;
    private static final long CONTROL_TYPE = CONTROL + 12;
    private static final long CONTROL_DESCRIPTOR = CONTROL + 16;
    private static final long CONTROL_SIZE = 24;
    private static final long CONTROL_USED = 20;
    private static final long FRAME = CONTROL + CONTROL_SIZE;

    private static final VarHandle ERRNO = Linker.Option.captureStateLayout()
            .varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final Optional<MethodHandle> MEMORY_FILE = function(
            "memfd_create", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
    private static final Optional<MethodHandle> CLOSE =
            function("close", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
    private static final Optional<MethodHandle> OPEN = function(
            "open",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT),
            Linker.Option.firstVariadicArg(2));
    private static final Optional<MethodHandle> LOCK = function(
            "flock", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
    private static final Optional<MethodHandle> ALLOCATE = function(
            "fallocate",
            FunctionDescriptor.of(
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG));
    private static final Optional<MethodHandle> OPTION = function(
            "getsockopt",
            FunctionDescriptor.of(
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.ADDRESS,
                    ValueLayout.ADDRESS));
    private static final Optional<MethodHandle> SEND = function(
            "sendmsg",
            FunctionDescriptor.of(
                    ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));

    private Descriptors() {}

    private static Optional<MethodHandle> function(
            String name, FunctionDescriptor type, Linker.Option... options) {
        if (!System.getProperty("os.name").equals("Linux") || ValueLayout.ADDRESS.byteSize() != Long.BYTES) {
            return Optional.empty();
        }
        Linker.Option[] all = Arrays.copyOf(options, options.length + 1);
        all[options.length] = Linker.Option.captureCallState("errno");
        return Linker.nativeLinker()
                .defaultLookup()
                .find(name)
                .map(symbol -> Linker.nativeLinker().downcallHandle(symbol, type, all));
    }

    /** Whether this system has all of it. */
    static boolean areSupported() {
        return MEMORY_FILE.isPresent()
                && OPEN.isPresent()
                && LOCK.isPresent()
                && CLOSE.isPresent()
                && ALLOCATE.isPresent()
                && OPTION.isPresent()
                && SEND.isPresent();
    }

    /** The name under which this process can open what a descriptor of it stands for. */
    static Path path(int descriptor) {
        return OWN.resolve(Integer.toString(descriptor));
    }

    /** Makes an empty file that lies in memory and has no name. */
    static int memoryFile() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment errno = arena.allocate(Linker.Option.captureStateLayout());
            int descriptor = (int) MEMORY_FILE.orElseThrow()
                    .invokeExact(errno, arena.allocateFrom("guestcore"), CLOSE_ON_EXEC);
            return checked(descriptor, "memfd_create", errno);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** Opens what a descriptor stands for once more, so that the two share neither position nor locks. */
    static int again(int descriptor) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment errno = arena.allocate(Linker.Option.captureStateLayout());
            int result = (int) OPEN.orElseThrow()
                    .invokeExact(
                            errno, arena.allocateFrom(path(descriptor).toString()), READ_WRITE | OPEN_CLOSE_ON_EXEC);
            return checked(result, "open", errno);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /**
     * Locks a file for a descriptor and all its copies, also those of other processes: the lock ends when the last of them is
     * closed (flock(2)).
     *
     * @return false if another one holds the lock
     */
    static boolean lock(int descriptor) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment errno = arena.allocate(Linker.Option.captureStateLayout());
            int result = (int) LOCK.orElseThrow().invokeExact(errno, descriptor, LOCK_EXCLUSIVE_AT_ONCE);
            if (result < 0 && (int) ERRNO.get(errno, 0L) == EAGAIN) {
                return false;
            }
            checked(result, "flock", errno);
            return true;
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** Makes a hole in a file, whose size stays: its room is given back, and it reads as zeros there (fallocate(2)). */
    static void free(int descriptor, long offset, long size) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment errno = arena.allocate(Linker.Option.captureStateLayout());
            int result = (int) ALLOCATE.orElseThrow().invokeExact(errno, descriptor, PUNCH_HOLE, offset, size);
            checked(result, "fallocate", errno);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** Closes a descriptor. */
    static void close(int descriptor) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment errno = arena.allocate(Linker.Option.captureStateLayout());
            checked((int) CLOSE.orElseThrow().invokeExact(errno, descriptor), "close", errno);
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /**
     * The descriptor of a channel, which Java does not tell: the one whose send buffer changes with the channel's.
     *
     * @return empty if it is not found
     */
    static Optional<Integer> of(SocketChannel channel) throws IOException {
        int usual = channel.getOption(StandardSocketOptions.SO_SNDBUF);
        try {
            for (Path entry : sockets()) {
                int descriptor = Integer.parseInt(entry.getFileName().toString());
                if (follows(descriptor, channel, usual + 4096) && follows(descriptor, channel, usual + 8192)) {
                    return Optional.of(descriptor);
                }
            }
            return Optional.empty();
        } finally {
            channel.setOption(StandardSocketOptions.SO_SNDBUF, usual);
        }
    }

    private static List<Path> sockets() throws IOException {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(OWN)) {
            for (Path entry : entries) {
                if (isSocket(entry)) {
                    found.add(entry);
                }
            }
        }
        return found;
    }

    private static boolean isSocket(Path entry) {
        try {
            return Files.readSymbolicLink(entry).toString().startsWith("socket:");
        } catch (IOException e) {
            // closed in the meantime
            return false;
        }
    }

    private static boolean follows(int descriptor, SocketChannel channel, int size) throws IOException {
        channel.setOption(StandardSocketOptions.SO_SNDBUF, size);
        int told = channel.getOption(StandardSocketOptions.SO_SNDBUF);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment errno = arena.allocate(Linker.Option.captureStateLayout());
            MemorySegment value = arena.allocateFrom(ValueLayout.JAVA_INT, 0);
            MemorySegment length = arena.allocateFrom(ValueLayout.JAVA_INT, Integer.BYTES);
            int result =
                    (int) OPTION.orElseThrow().invokeExact(errno, descriptor, SOCKET_LEVEL, SEND_BUFFER, value, length);
            // The kernel keeps and tells the double of what is set, which Java halves (socket(7)).
            return result == 0 && value.get(ValueLayout.JAVA_INT, 0) == 2 * told;
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /**
     * Who made the socket listen to which another one is connected, as the kernel knows it (unix(7), SO_PEERCRED).
     *
     * @param pid its process id here; 0 if it is not visible from here
     * @param uid its effective user id then
     */
    record Peer(int pid, int uid) {}

    /** The other end of a connected UNIX socket. */
    static Peer peer(int socket) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment errno = arena.allocate(Linker.Option.captureStateLayout());
            // struct ucred: process, user, group.
            MemorySegment credentials = arena.allocate(3 * Integer.BYTES, Integer.BYTES);
            MemorySegment length = arena.allocateFrom(ValueLayout.JAVA_INT, 3 * Integer.BYTES);
            int result = (int) OPTION.orElseThrow()
                    .invokeExact(errno, socket, SOCKET_LEVEL, PEER_CREDENTIALS, credentials, length);
            checked(result, "getsockopt", errno);
            return new Peer(
                    credentials.get(ValueLayout.JAVA_INT, 0), credentials.get(ValueLayout.JAVA_INT, Integer.BYTES));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /**
     * Sends bytes and, with them, a descriptor.
     *
     * @param socket descriptor of a connected UNIX socket
     * @param bytes few enough to go at once
     * @param passed the descriptor that the other process gets a copy of
     * @return false if the socket takes nothing at the moment
     */
    static boolean send(int socket, byte[] bytes, int passed) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment errno = arena.allocate(Linker.Option.captureStateLayout());
            MemorySegment frame = arena.allocate(FRAME, Long.BYTES);
            frame.set(ValueLayout.ADDRESS, VECTOR_BASE, arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes));
            frame.set(ValueLayout.JAVA_LONG, VECTOR_LENGTH, bytes.length);
            frame.set(ValueLayout.ADDRESS, MESSAGE_VECTOR, frame);
            frame.set(ValueLayout.JAVA_LONG, MESSAGE_VECTORS, 1);
            frame.set(ValueLayout.ADDRESS, MESSAGE_CONTROL, frame.asSlice(CONTROL));
            frame.set(ValueLayout.JAVA_LONG, MESSAGE_CONTROL_LENGTH, CONTROL_SIZE);
            frame.set(ValueLayout.JAVA_LONG, CONTROL, CONTROL_USED);
            frame.set(ValueLayout.JAVA_INT, CONTROL_LEVEL, SOCKET_LEVEL);
            frame.set(ValueLayout.JAVA_INT, CONTROL_TYPE, SCM_RIGHTS);
            frame.set(ValueLayout.JAVA_INT, CONTROL_DESCRIPTOR, passed);
            long sent = (long) SEND.orElseThrow().invokeExact(errno, socket, frame.asSlice(MESSAGE), NO_SIGNAL);
            if (sent < 0 && (int) ERRNO.get(errno, 0L) == EAGAIN) {
                return false;
            }
            if (sent != bytes.length) {
                throw new IOException("sendmsg sent " + sent + " of " + bytes.length + " bytes, error number "
                        + (int) ERRNO.get(errno, 0L));
            }
            return true;
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    private static int checked(int result, String name, MemorySegment errno) throws IOException {
        if (result < 0) {
            throw new IOException(name + " failed with error number " + (int) ERRNO.get(errno, 0L));
        }
        return result;
    }

    private static IOException failed(Throwable e) {
        return switch (e) {
            case IOException problem -> problem;
            case RuntimeException problem -> throw problem;
            case Error problem -> throw problem;
            default -> new IOException(e);
        };
    }
}
