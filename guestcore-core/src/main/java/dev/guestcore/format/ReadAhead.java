package dev.guestcore.format;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * Makes few large reads of many small ones that follow each other in a file. A read that begins where the one before it
 * ended fetches a window of the file, from which the next ones are copied; other reads go past it. Threads take turns at a
 * fixed number of windows, each mostly at one of its own, and none ever waits: who finds a window taken reads for itself.
 */
final class ReadAhead {

    /** Larger reads gain nothing. */
    static final int LARGEST_READ = 1 << 13;

    private static final int WINDOWS = 16;
    private static final int WINDOW = 1 << 16;
    private static final VarHandle TAKEN;

    static {
        try {
            TAKEN = MethodHandles.lookup().findVarHandle(Window.class, "taken", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final Arena arena;
    private final Source source;
    private final Window[] windows = new Window[WINDOWS];

    /** Reads a file. */
    @FunctionalInterface
    interface Source {

        /** Reads up to {@code wanted} bytes; gives how many, less only where the file ends. */
        long read(long offset, MemorySegment target, long wanted);
    }

    /** Part of the file, perhaps, and where the next read begins if it goes on as it did. */
    private static final class Window {

        private volatile boolean taken;
        private long next = -1;
        private long start;
        private long end;
        private @Nullable MemorySegment bytes;
    }

    /**
     * Begins with nothing.
     *
     * @param arena how long windows live
     */
    ReadAhead(Arena arena, Source source) {
        this.arena = arena;
        this.source = source;
        for (int i = 0; i < WINDOWS; i++) {
            windows[i] = new Window();
        }
    }

    /** Reads {@code wanted} bytes, at most {@link #LARGEST_READ}; gives how many, less only where the file ends. */
    long read(long offset, MemorySegment target, long wanted) {
        Window window = windows[(int) Thread.currentThread().threadId() & WINDOWS - 1];
        if (!TAKEN.compareAndSet(window, false, true)) {
            return source.read(offset, target, wanted);
        }
        try {
            long next = offset + wanted;
            if (offset == window.next && next > window.end) {
                fill(window, offset);
            }
            window.next = next;
            MemorySegment bytes = window.bytes;
            if (bytes != null && offset >= window.start && next <= window.end) {
                MemorySegment.copy(bytes, offset - window.start, target, 0, wanted);
                return wanted;
            }
        } finally {
            TAKEN.setRelease(window, false);
        }
        return source.read(offset, target, wanted);
    }

    private void fill(Window window, long offset) {
        MemorySegment bytes = window.bytes;
        if (bytes == null) {
            bytes = arena.allocate(WINDOW, 64);
            window.bytes = bytes;
        }
        window.end = offset;
        window.start = offset;
        window.end = offset + source.read(offset, bytes, WINDOW);
    }
}
