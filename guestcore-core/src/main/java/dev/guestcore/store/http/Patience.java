package dev.guestcore.store.http;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.LockSupport;

/**
 * How long to wait, and how often to try again.
 *
 * @param attempts how often a request is tried
 * @param answer how long a server may take until it answers, and then until more bytes arrive
 * @param firstPause before the second attempt; twice as much before each further one
 * @param longestPause that a server may ask for
 */
record Patience(int attempts, Duration answer, Duration firstPause, Duration longestPause) {

    /** Five attempts within four seconds, if the server is not silent. */
    static final Patience USUAL =
            new Patience(5, Duration.ofSeconds(30), Duration.ofMillis(200), Duration.ofSeconds(30));

    /**
     * Waits before the next attempt. An interrupted thread waits as well, and stays interrupted.
     *
     * @param failed how many attempts failed
     * @param asked how long the server asked to wait; zero if it did not
     */
    void pause(int failed, Duration asked) {
        long doubled = firstPause.toNanos() << failed - 1;
        long random = doubled == 0 ? 0 : ThreadLocalRandom.current().nextLong(doubled / 2 + 1);
        long nanos = Math.max(doubled / 2 + random, Math.min(asked.toNanos(), longestPause.toNanos()));
        boolean interrupted = Thread.interrupted();
        long end = System.nanoTime() + nanos;
        for (long rest = nanos; rest > 0; rest = end - System.nanoTime()) {
            LockSupport.parkNanos(rest);
            interrupted |= Thread.interrupted();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
