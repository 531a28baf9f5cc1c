package dev.guestcore.file;

import java.util.concurrent.atomic.LongAdder;

/**
 * What this process has fetched from elsewhere, which costs time and money.
 *
 * @param requests how many times a server was asked, also in vain
 * @param bytes how many bytes of files it gave
 */
public record Fetched(long requests, long bytes) {

    private static final LongAdder REQUESTS = new LongAdder();
    private static final LongAdder BYTES = new LongAdder();

    /** What was fetched up to now. Thread-safe. */
    public static Fetched soFar() {
        return new Fetched(REQUESTS.sum(), BYTES.sum());
    }

    /** What was fetched since then. */
    public Fetched since(Fetched before) {
        return new Fetched(requests - before.requests, bytes - before.bytes);
    }

    /** Counts one request. Thread-safe. */
    public static void request() {
        REQUESTS.increment();
    }

    /** Counts bytes that arrived. Thread-safe. */
    public static void bytes(long count) {
        BYTES.add(count);
    }
}
