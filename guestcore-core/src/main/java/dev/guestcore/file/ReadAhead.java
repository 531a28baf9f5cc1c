package dev.guestcore.file;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * Makes few large reads of many small ones that follow each other in a file. A read that begins where the one before it
 * ended fetches a window of the file, from which the next ones are copied; other reads go past it. Windows also stand in for
 * memory into which the system copies slowly. Threads take turns at a fixed number of windows, each mostly at one of its
 * own, and none ever waits: who finds a window taken reads for itself.
 */
final class ReadAhead {

    /** Larger reads gain nothing. */
    static final int LARGEST_READ = 1 << 13;

    private static final int WINDOWS = 16;
    private static final int WINDOW = 1 << 16;
    private static final int PAGE = 4096;

    /** Memory that begins so few bytes behind its source, in their pages, is filled slowly. */
    private static final int SLOW_DISTANCE = 32;
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
        private @Nullable MemorySegment room;
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
        Window window = ownWindow();
        if (!TAKEN.compareAndSet(window, false, true)) {
            return source.read(offset, target, wanted);
        }
        try {
            long next = offset + wanted;
            if (offset == window.next && (offset < window.start || next > window.end)) {
                fill(window, offset, WINDOW);
            }
            window.next = next;
            if (offset >= window.start && next <= window.end) {
                copy(window, offset, target, 0, wanted);
                return wanted;
            }
        } finally {
            TAKEN.setRelease(window, false);
        }
        return source.read(offset, target, wanted);
    }

    /**
     * Whether the system takes three times as long as it should to copy part of a file into this memory. It copies with the
     * processor's {@code rep movsb}, which is slow on some (AMD's EPYC, measured) where the target begins 1 to 31 bytes
     * behind the source as far as the lowest twelve bits of both addresses tell; and what C's {@code malloc} gives for a
     * large piece, through which Java reads on the way to the heap, begins 16 bytes behind a page.
     */
    static boolean isSlowTarget(long offset, MemorySegment target) {
        if (!target.isNative()) {
            return true;
        }
        long distance = target.address() - offset & PAGE - 1;
        return distance > 0 && distance < SLOW_DISTANCE;
    }

    /** Reads any number of bytes by way of a window; gives how many, less only where the file ends. */
    long readThroughWindow(long offset, MemorySegment target, long wanted) {
        Window window = ownWindow();
        if (!TAKEN.compareAndSet(window, false, true)) {
            return source.read(offset, target, wanted);
        }
        try {
            long done = 0;
            while (done < wanted) {
                long count = fill(window, offset + done, Math.min(WINDOW, wanted - done));
                if (count == 0) {
                    break;
                }
                copy(window, offset + done, target, done, count);
                done += count;
            }
            window.next = offset + done;
            return done;
        } finally {
            TAKEN.setRelease(window, false);
        }
    }

    private Window ownWindow() {
        return windows[(int) Thread.currentThread().threadId() & WINDOWS - 1];
    }

    private long fill(Window window, long offset, long wanted) {
        window.start = offset;
        window.end = offset;
        long count = source.read(offset, roomOf(window).asSlice(placeOf(window), wanted), wanted);
        window.end = offset + count;
        return count;
    }

    private void copy(Window window, long offset, MemorySegment target, long at, long size) {
        MemorySegment.copy(roomOf(window), placeOf(window) + (offset - window.start), target, at, size);
    }

    /** Where in its room a window begins: as far into a page as in the file, which is never slow. */
    private static long placeOf(Window window) {
        return window.start & PAGE - 1;
    }

    private MemorySegment roomOf(Window window) {
        MemorySegment room = window.room;
        if (room == null) {
            room = arena.allocate(WINDOW + PAGE, PAGE);
            window.room = room;
        }
        return room;
    }
}
