package dev.guestcore.internal.file;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Arrays;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Asks the file system where a file has holes: {@code lseek} with SEEK_DATA and SEEK_HOLE, see lseek(2) of Linux. Java has
 * no call for that and shows nobody the number of an open file, so the file is opened once more; whether it is still the
 * same one is checked. Thread-safe.
 */
public final class FileHoles implements AutoCloseable {

    private static final int O_RDONLY_CLOEXEC = 0x80000;
    private static final int SEEK_END = 2;
    private static final int SEEK_DATA = 3;
    private static final int SEEK_HOLE = 4;

    private static final int RUNS = 16;

    private final Calls calls;
    private final int descriptor;
    private final long size;

    /** The runs that were found of late: first and last offset, and whether it is a hole. */
    private final long[] first = new long[RUNS];

    private final long[] last = new long[RUNS];
    private final boolean[] hole = new boolean[RUNS];
    private int oldest;
    private boolean closed;

    /** The functions of the C library, bound when the first file is asked about. */
    private record Calls(MethodHandle open, MethodHandle lseek, MethodHandle close) {

        private static final @Nullable Calls BOUND = bind();

        private static @Nullable Calls bind() {
            if (!System.getProperty("os.name").equals("Linux") || ValueLayout.ADDRESS.byteSize() != Long.BYTES) {
                return null;
            }
            Linker linker = Linker.nativeLinker();
            SymbolLookup library = linker.defaultLookup();
            Optional<MemorySegment> open = library.find("open");
            Optional<MemorySegment> lseek = library.find("lseek");
            Optional<MemorySegment> close = library.find("close");
            if (open.isEmpty() || lseek.isEmpty() || close.isEmpty()) {
                return null;
            }
            return new Calls(
                    linker.downcallHandle(
                            open.get(),
                            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT),
                            Linker.Option.firstVariadicArg(2)),
                    linker.downcallHandle(
                            lseek.get(),
                            FunctionDescriptor.of(
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.JAVA_INT)),
                    linker.downcallHandle(
                            close.get(), FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT)));
        }
    }

    private FileHoles(Calls calls, int descriptor, long size) {
        this.calls = calls;
        this.descriptor = descriptor;
        this.size = size;
        Arrays.fill(last, -1);
    }

    /**
     * Opens a file to ask about.
     *
     * @param path the file
     * @param key what the file system knows it by, see {@link BasicFileAttributes#fileKey()}
     * @param size its size in bytes when it was opened
     * @return empty where the system cannot tell, or another file has that name by now
     */
    public static Optional<FileHoles> of(Path path, Object key, long size) {
        Calls calls = Calls.BOUND;
        if (calls == null) {
            return Optional.empty();
        }
        int descriptor;
        try (Arena arena = Arena.ofConfined()) {
            descriptor = (int) calls.open.invokeExact(nameOf(path, arena), O_RDONLY_CLOEXEC);
        } catch (Throwable e) {
            throw unexpected(e);
        }
        if (descriptor < 0) {
            return Optional.empty();
        }
        FileHoles holes = new FileHoles(calls, descriptor, size);
        try {
            Path opened = Path.of("/proc/self/fd", Integer.toString(descriptor));
            if (key.equals(Files.readAttributes(opened, BasicFileAttributes.class).fileKey())) {
                return Optional.of(holes);
            }
        } catch (IOException e) {
            // Without /proc nobody can tell whether it is the same file.
        }
        holes.close();
        return Optional.empty();
    }

    /** The name as the system knows it: in a URI each of its bytes is an escape or stands for itself. */
    private static MemorySegment nameOf(Path path, Arena arena) {
        byte[] escaped = path.toAbsolutePath().toUri().getRawPath().getBytes(StandardCharsets.US_ASCII);
        MemorySegment name = arena.allocate(escaped.length + 1L);
        int length = 0;
        for (int i = 0; i < escaped.length; i++) {
            byte value = escaped[i];
            if (value == '%') {
                value = (byte) (Character.digit(escaped[i + 1], 16) << 4 | Character.digit(escaped[i + 2], 16));
                i += 2;
            }
            name.set(ValueLayout.JAVA_BYTE, length++, value);
        }
        return name;
    }

    /**
     * The first offset, from {@code offset} on, at which bytes are stored.
     *
     * @param offset bytes from the start of the file, below its size
     * @return {@code offset} itself where nothing is known; the size of the file where only a hole follows
     */
    public synchronized long nextData(long offset) {
        int run = runAt(offset);
        return hole[run] ? last[run] + 1 : offset;
    }

    /**
     * The first offset, from {@code offset} on, at which a hole begins.
     *
     * @param offset bytes from the start of the file, below its size
     * @return the size of the file where there is none
     */
    public synchronized long nextHole(long offset) {
        int run = runAt(offset);
        return hole[run] ? offset : last[run] + 1;
    }

    /** A run is kept because a file system may count each page of it before it can tell where it ends. */
    private int runAt(long offset) {
        for (int run = 0; run < RUNS; run++) {
            if (first[run] <= offset && offset <= last[run]) {
                return run;
            }
        }
        long data = seekData(offset);
        int run = oldest;
        oldest = (run + 1) % RUNS;
        first[run] = offset;
        hole[run] = data > offset;
        last[run] = (data > offset ? data : seekHole(offset)) - 1;
        return run;
    }

    private long seekData(long offset) {
        long found = seek(offset, SEEK_DATA);
        if (found >= offset) {
            return Math.min(found, size);
        }
        // There is no data up to the end. A file that has become shorter ends in an error, which reading it will raise.
        return seek(offset, SEEK_HOLE) == offset && seek(0, SEEK_END) >= size ? size : offset;
    }

    private long seekHole(long offset) {
        long found = seek(offset, SEEK_HOLE);
        return found > offset ? Math.min(found, size) : size;
    }

    private long seek(long offset, int whence) {
        if (closed) {
            throw new IllegalStateException("the file is closed");
        }
        try {
            return (long) calls.lseek.invokeExact(descriptor, offset, whence);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            // What was only read has nothing to lose; the descriptor is free either way.
            int result = (int) calls.close.invokeExact(descriptor);
            assert result <= 0;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    private static RuntimeException unexpected(Throwable problem) {
        if (problem instanceof RuntimeException exception) {
            return exception;
        }
        if (problem instanceof Error error) {
            throw error;
        }
        return new IllegalStateException(problem);
    }
}
