package dev.guestcore.internal.parallel;

import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Does many small jobs on all processors. When it returns or throws, none is under way any more. */
public final class Workers {

    private static final long LOOK_MILLISECONDS = 20;

    private Workers() {}

    /** A job by its number. */
    public interface Jobs {

        /** Does one, and gives how many bytes that were. */
        long run(int number);
    }

    /**
     * Does jobs 0 to {@code count - 1}.
     *
     * @param progress called from this thread
     */
    public static void run(int count, Jobs jobs, Progress progress) {
        AtomicInteger next = new AtomicInteger();
        AtomicLong bytes = new AtomicLong();
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        int threads = Math.clamp(Runtime.getRuntime().availableProcessors(), 1, Math.max(1, count));
        Semaphore ended = new Semaphore(0);
        Runnable work = () -> {
            try {
                for (int job = next.getAndIncrement(); job < count; job = next.getAndIncrement()) {
                    bytes.addAndGet(jobs.run(job));
                }
            } catch (Throwable e) {
                failure.compareAndSet(null, e);
                next.set(count);
            } finally {
                ended.release();
            }
        };
        List<Thread> started = new ArrayList<>();
        try {
            for (int i = 0; i < threads; i++) {
                started.add(Thread.ofPlatform().daemon().name("guestcore-copy-" + i).start(work));
            }
            long told = 0;
            boolean interrupted = false;
            boolean over = false;
            while (!over) {
                try {
                    over = ended.tryAcquire(threads, LOOK_MILLISECONDS, TimeUnit.MILLISECONDS);
                } catch (InterruptedException e) {
                    interrupted = true;
                }
                long now = bytes.get();
                progress.advance(now - told);
                told = now;
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        } finally {
            next.set(count);
            started.forEach(Workers::join);
        }
        rethrow(failure.get());
    }

    private static void join(Thread thread) {
        boolean interrupted = false;
        while (true) {
            try {
                thread.join();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static void rethrow(@Nullable Throwable failure) {
        switch (failure) {
            case null -> {
                // all done
            }
            case RuntimeException problem -> throw problem;
            case Error problem -> throw problem;
            default -> throw new GuestcoreException("reading the guest failed: " + failure, failure);
        }
    }
}
