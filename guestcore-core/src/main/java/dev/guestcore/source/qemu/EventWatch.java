package dev.guestcore.source.qemu;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * Takes in QEMU's events as they come, so that the watchdog knows whose a standstill is at whatever moment this process is
 * killed. Closing it waits until nothing more is told.
 */
final class EventWatch implements AutoCloseable {

    private static final Duration PAUSE = Duration.ofMillis(10);

    private final QmpClient qmp;
    private final long since;
    private final Consumer<Standstill> onChange;
    private final Thread thread;
    private volatile boolean closed;

    /**
     * Begins.
     *
     * @param since how many events were there before the command that stops the guest
     * @param onChange told of every change, in a thread of its own
     */
    EventWatch(QmpClient qmp, long since, Consumer<Standstill> onChange) {
        this.qmp = qmp;
        this.since = since;
        this.onChange = onChange;
        thread = Thread.ofPlatform().daemon().name("guestcore-events").start(this::watch);
    }

    private void watch() {
        List<QmpClient.Event> known = List.of();
        while (!closed) {
            try {
                qmp.poll();
            } catch (IOException e) {
                // Whoever uses the connection next is told why it is lost.
                return;
            }
            List<QmpClient.Event> events = qmp.eventsSince(since);
            if (!closed && !events.equals(known)) {
                known = events;
                onChange.accept(Standstill.of(events));
            }
            LockSupport.parkNanos(this, PAUSE.toNanos());
        }
    }

    @Override
    public void close() {
        closed = true;
        boolean interrupted = false;
        while (thread.isAlive()) {
            // Not interrupted, which would close the connection.
            LockSupport.unpark(thread);
            try {
                thread.join(PAUSE);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
