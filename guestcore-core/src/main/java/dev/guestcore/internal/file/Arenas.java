package dev.guestcore.internal.file;

import java.lang.foreign.Arena;
import java.util.concurrent.locks.LockSupport;

/** Closes arenas that other threads may be using. */
public final class Arenas {

    private static final long PAUSE_NANOS = 100_000;

    private Arenas() {}

    /**
     * Closes a shared arena once the system calls that use its memory right now have ended: while one does, Java refuses.
     * Later accesses end in {@link IllegalStateException}. An arena that is closed already stays so.
     */
    public static void close(Arena arena) {
        while (arena.scope().isAlive()) {
            try {
                arena.close();
            } catch (IllegalStateException e) {
                LockSupport.parkNanos(PAUSE_NANOS);
            }
        }
    }
}
