package dev.guestcore.live.qemu;

import dev.guestcore.Freeze;
import dev.guestcore.SourceException;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;

/**
 * Keeps a guest stopped until {@link #thaw()}, which also runs when this JVM is told to end. A guest that did not run
 * stays as it was. Thread-safe.
 */
final class QemuFreeze implements Freeze {

    /** To stop a guest QEMU waits for its disks. */
    private static final Duration STOPPING = Duration.ofMinutes(1);

    private static final Duration RECONNECTING = Duration.ofSeconds(5);

    private final QmpClient qmp;
    private final Watchdog watchdog;
    private final String status;
    private final boolean wasRunning;
    private final Thread onShutdown = new Thread(this::thawAtShutdown, "guestcore-thaw");
    private volatile Instant takenAt = Instant.now();
    private volatile long stoppedAt;
    private volatile Optional<Duration> total = Optional.empty();
    private volatile Runnable beforeThaw = () -> {};
    private long resumesBefore;
    private boolean thawed;

    private QemuFreeze(QmpClient qmp, Watchdog watchdog, String status, boolean wasRunning) {
        this.qmp = qmp;
        this.watchdog = watchdog;
        this.status = status;
        this.wasRunning = wasRunning;
    }

    /**
     * Stops the guest if it runs.
     *
     * @throws SourceException if that fails; the guest runs on then
     */
    static QemuFreeze begin(QmpClient qmp, Watchdog watchdog) throws IOException {
        var state = qmp.execute("query-status", Map.of(), QemuSource.COMMAND);
        QemuFreeze freeze = new QemuFreeze(
                qmp,
                watchdog,
                state.path("status").asString("unknown"),
                state.path("running").asBoolean(false));
        freeze.stop();
        return freeze;
    }

    private void stop() throws IOException {
        if (!wasRunning) {
            stoppedAt = System.nanoTime();
            resumesBefore = count("RESUME");
            return;
        }
        watchdog.awaitReady();
        Runtime.getRuntime().addShutdownHook(onShutdown);
        try {
            watchdog.arm(Watchdog.Undo.RESUME);
            long stopsBefore = count("STOP");
            qmp.execute("stop", Map.of(), STOPPING);
            stoppedAt = System.nanoTime();
            resumesBefore = count("RESUME");
            takenAt = count("STOP") > stopsBefore ? instant(qmp.event("STOP").orElseThrow()) : Instant.now();
            if (qmp.execute("query-status", Map.of(), QemuSource.COMMAND)
                    .path("running")
                    .asBoolean(true)) {
                throw new SourceException(qmp.socket() + ": the guest still runs after `stop`; does someone else"
                        + " control it (libvirt)?");
            }
        } catch (IOException | RuntimeException | Error e) {
            try {
                thaw();
            } catch (SourceException thawing) {
                e.addSuppressed(thawing);
            }
            throw e;
        }
    }

    private long count(String event) {
        return qmp.event(event).map(QmpClient.Event::count).orElse(0L);
    }

    private static Instant instant(QmpClient.Event event) {
        return Instant.ofEpochSecond(event.microseconds() / 1_000_000, event.microseconds() % 1_000_000 * 1000);
    }

    @Override
    public boolean wasRunning() {
        return wasRunning;
    }

    /** Sets what must happen before the guest may run again. */
    void beforeThaw(Runnable action) {
        beforeThaw = action;
    }

    /** QEMU's word for the state that the guest was in ("running", "paused"). */
    String status() {
        return status;
    }

    /** When the guest stopped, by QEMU's clock. */
    Instant takenAt() {
        return takenAt;
    }

    @Override
    public Duration elapsed() {
        if (!wasRunning) {
            return Duration.ZERO;
        }
        return total.orElseGet(() -> Duration.ofNanos(System.nanoTime() - stoppedAt));
    }

    /**
     * Lets the guest run again if we stopped it; the second call does nothing.
     *
     * @throws SourceException if it cannot be resumed, or somebody else resumed it before
     */
    synchronized void thaw() {
        if (thawed) {
            return;
        }
        thawed = true;
        beforeThaw.run();
        boolean resumedByOthers = resumedByOthers();
        try {
            if (wasRunning) {
                resume();
                watchdog.disarm();
            }
        } finally {
            total = Optional.of(measure());
            forgetShutdown();
        }
        if (resumedByOthers) {
            throw new SourceException(qmp.socket() + ": somebody else resumed the guest while it was frozen; what was"
                    + " read is not of one instant. Do it again, and keep others (libvirt) from it");
        }
    }

    private boolean resumedByOthers() {
        try {
            qmp.poll();
        } catch (IOException e) {
            // The connection is lost; resume() will make another and say so if it cannot.
            return count("RESUME") > resumesBefore;
        }
        return count("RESUME") > resumesBefore;
    }

    private void resume() {
        try {
            qmp.execute("cont", Map.of(), STOPPING);
        } catch (IOException lost) {
            try (QmpClient again = QmpClient.connect(qmp.socket(), RECONNECTING)) {
                if (!again.execute("query-status", Map.of(), QemuSource.COMMAND)
                        .path("running")
                        .asBoolean(false)) {
                    again.execute("cont", Map.of(), STOPPING);
                }
            } catch (IOException e) {
                SourceException failure = new SourceException(
                        qmp.socket() + ": QEMU was lost while the guest was frozen (" + lost.getMessage()
                                + ") and cannot be reached again (" + e.getMessage()
                                + "); if its process still runs, the guest is paused: type `cont` at its monitor",
                        e);
                failure.addSuppressed(lost);
                throw failure;
            }
        }
    }

    /** QEMU's own time stamps, which leave out the way to us, unless its clock was set meanwhile. */
    private Duration measure() {
        Duration ours = Duration.ofNanos(System.nanoTime() - stoppedAt);
        Optional<QmpClient.Event> resume = qmp.event("RESUME");
        if (resume.isEmpty() || resume.get().count() <= resumesBefore) {
            return ours;
        }
        Duration byEvents = Duration.between(takenAt, instant(resume.get()));
        boolean plausible = !byEvents.isNegative()
                && byEvents.minus(ours).abs().compareTo(Duration.ofSeconds(1)) < 0;
        return plausible ? byEvents : ours;
    }

    private void forgetShutdown() {
        if (wasRunning) {
            try {
                Runtime.getRuntime().removeShutdownHook(onShutdown);
            } catch (IllegalStateException e) {
                // The JVM is ending and this is the hook, or it will find the work done.
                return;
            }
        }
    }

    private void thawAtShutdown() {
        try {
            thaw();
        } catch (SourceException e) {
            // Nobody is left to catch it.
            System.err.println("guestcore: " + e.getMessage());
        }
    }
}
