package dev.guestcore.internal.parallel;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import java.util.function.IntFunction;

/**
 * Hands batches to worker threads and takes them back in the order in which they were handed out. The number of batches
 * is fixed, each is used again and again, so memory in use is bounded. Threads are never interrupted, since an
 * interrupt would close a file channel for everybody. All methods are called from one thread.
 *
 * @param <B> a batch: what to do, and what came out
 */
public final class OrderedPipeline<B> implements AutoCloseable {

    private static final int MOST_THREADS = 16;

    private final ExecutorService executor;
    private final Consumer<B> work;
    private final Consumer<B> merge;
    private final Deque<B> idle = new ArrayDeque<>();
    private final Deque<Running<B>> running = new ArrayDeque<>();
    private volatile boolean abandoned;

    private record Running<B>(B batch, CompletableFuture<Void> done) {}

    /**
     * Starts the threads.
     *
     * @param newBatch makes a batch, given its number
     * @param work what a worker does with a batch
     * @param merge what the caller's thread does with it afterwards
     */
    public OrderedPipeline(IntFunction<B> newBatch, Consumer<B> work, Consumer<B> merge) {
        int threads = threads();
        this.work = work;
        this.merge = merge;
        for (int i = 0; i < batches(); i++) {
            idle.add(newBatch.apply(i));
        }
        executor = Executors.newFixedThreadPool(threads, task -> {
            Thread thread = new Thread(task, "guestcore-inspect");
            thread.setDaemon(true);
            return thread;
        });
    }

    private static int threads() {
        return Math.clamp(Runtime.getRuntime().availableProcessors(), 2, MOST_THREADS);
    }

    /** How many batches there are. */
    public static int batches() {
        return threads() * 3;
    }

    /** An empty batch to fill; waits for the oldest one under way where all are in use. */
    public B take() {
        if (idle.isEmpty()) {
            mergeOldest();
        }
        return idle.remove();
    }

    /** Hands a filled batch to the workers. */
    public void submit(B batch) {
        CompletableFuture<Void> done = CompletableFuture.runAsync(
                () -> {
                    if (!abandoned) {
                        work.accept(batch);
                    }
                },
                executor);
        running.add(new Running<>(batch, done));
    }

    /** Waits for all that is under way. */
    public void finish() {
        while (!running.isEmpty()) {
            mergeOldest();
        }
    }

    private void mergeOldest() {
        Running<B> oldest = running.remove();
        try {
            // Does not react to interrupts, on purpose.
            oldest.done().join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            if (e.getCause() instanceof Error cause) {
                throw cause;
            }
            throw e;
        }
        merge.accept(oldest.batch());
        idle.add(oldest.batch());
    }

    /** Lets go of what is under way, waits until no worker touches the memory any more, ends the threads. */
    @Override
    public void close() {
        abandoned = true;
        for (Running<B> left : running) {
            left.done().exceptionally(failure -> null).join();
        }
        running.clear();
        executor.shutdown();
    }
}
