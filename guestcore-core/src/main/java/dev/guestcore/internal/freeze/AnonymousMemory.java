package dev.guestcore.internal.freeze;

import dev.guestcore.error.GuestcoreException;
import dev.guestcore.internal.file.Arenas;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/**
 * Address space of this process that takes memory page by page as it is written to, and reads as zeros before (Linux
 * {@code mmap}). It counts neither as heap nor as direct memory of the JVM, whose limits are meant for other things.
 * Thread-safe; after {@link #close()} every access throws {@link IllegalStateException}.
 */
public final class AnonymousMemory implements AutoCloseable {

    /** Size of the pages in which the kernel gives memory out most quickly. */
    public static final long HUGE_PAGE = 2L << 20;

    // Values of Linux on every processor that has a JVM of 64 bits.
    private static final int READ_WRITE = 0x1 | 0x2;
    private static final int PRIVATE_ANONYMOUS_UNRESERVED = 0x2 | 0x20 | 0x4000;
    private static final int ADVICE_HUGE_PAGES = 14;
    private static final int ADVICE_POPULATE_WRITE = 23;
    private static final long FAILED = -1;

    private static final Optional<MethodHandle> MAP = function(
            "mmap",
            FunctionDescriptor.of(
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_LONG));
    private static final Optional<MethodHandle> UNMAP = function(
            "munmap", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
    private static final Optional<MethodHandle> ADVISE = function(
            "madvise",
            FunctionDescriptor.of(
                    ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));

    private final Arena arena = Arena.ofShared();
    private final MemorySegment bytes;

    private AnonymousMemory(MemorySegment mapped, long padding, long size, long mappedSize) {
        long address = mapped.address();
        this.bytes = mapped.reinterpret(mappedSize, arena, whole -> unmap(address, mappedSize)).asSlice(padding, size);
    }

    private static Optional<MethodHandle> function(String name, FunctionDescriptor type) {
        if (!System.getProperty("os.name").equals("Linux") || ValueLayout.ADDRESS.byteSize() != Long.BYTES) {
            return Optional.empty();
        }
        SymbolLookup library = Linker.nativeLinker().defaultLookup();
        return library.find(name).map(symbol -> Linker.nativeLinker().downcallHandle(symbol, type));
    }

    /** Whether this system has it. */
    public static boolean isSupported() {
        return MAP.isPresent() && UNMAP.isPresent() && ADVISE.isPresent();
    }

    /**
     * Reserves address space; memory is taken only as it is used.
     *
     * @param size in bytes, at least 1
     * @throws GuestcoreException if the system refuses
     */
    public static AnonymousMemory reserve(long size) {
        // Huge pages must begin at a multiple of their size.
        long mappedSize = Math.addExact(size, 2 * HUGE_PAGE) & -4096L;
        long address;
        try {
            address = (long) MAP.orElseThrow()
                    .invokeExact(0L, mappedSize, READ_WRITE, PRIVATE_ANONYMOUS_UNRESERVED, -1, 0L);
        } catch (Throwable e) {
            throw failed(e);
        }
        if (address == FAILED) {
            throw new GuestcoreException("cannot reserve " + size + " bytes of address space for the guest's memory;"
                    + " is there a limit (ulimit -v)?");
        }
        long padding = -address & HUGE_PAGE - 1;
        advise(address, mappedSize, ADVICE_HUGE_PAGES);
        return new AnonymousMemory(MemorySegment.ofAddress(address), padding, size, mappedSize);
    }

    /** The memory, starting at a multiple of {@link #HUGE_PAGE}. */
    public MemorySegment bytes() {
        return bytes;
    }

    /**
     * Takes memory beforehand for what will be written. Only a matter of speed: what the system does not give now it gives
     * when it is written to.
     *
     * @param offset multiple of 4096
     * @param size in bytes
     */
    public void populate(long offset, long size) {
        // The last page is there as a whole.
        advise(bytes.asSlice(offset, size).address(), size + 4095 & -4096L, ADVICE_POPULATE_WRITE);
    }

    private static void advise(long address, long size, int advice) {
        int result;
        try {
            result = (int) ADVISE.orElseThrow().invokeExact(address, size, advice);
        } catch (Throwable e) {
            throw failed(e);
        }
        if (result != 0) {
            // Advice that an older kernel does not know: it goes without.
            System.getLogger(AnonymousMemory.class.getName())
                    .log(System.Logger.Level.DEBUG, "madvise {0} was refused", advice);
        }
    }

    private static void unmap(long address, long size) {
        int result;
        try {
            result = (int) UNMAP.orElseThrow().invokeExact(address, size);
        } catch (Throwable e) {
            throw failed(e);
        }
        if (result != 0) {
            throw new IllegalStateException("munmap failed");
        }
    }

    private static RuntimeException failed(Throwable e) {
        return switch (e) {
            case RuntimeException problem -> problem;
            case Error problem -> throw problem;
            default -> new IllegalStateException(e);
        };
    }

    @Override
    public void close() {
        Arenas.close(arena);
    }
}
