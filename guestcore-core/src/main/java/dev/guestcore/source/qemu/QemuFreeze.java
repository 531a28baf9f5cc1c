package dev.guestcore.source.qemu;

import dev.guestcore.Finding;
import dev.guestcore.Freeze;
import dev.guestcore.error.SourceException;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * Keeps a guest stopped until {@link #thaw()}, which also runs when this JVM is told to end. A guest that did not run
 * stays as it was. Thread-safe.
 */
final class QemuFreeze implements Freeze {

    /**
     * How long a guest may stand still for us, but for reading its memory.
     *
     * @param looking from the command that stops it until it is known all but its memory; QEMU waits for its disks first
     * @param thawing from there on, or from a failure, until it runs again
     */
    record Limits(Duration looking, Duration thawing) {}

    /** Many times what a host under load takes. */
    private static final Limits USUAL = new Limits(Duration.ofSeconds(20), Duration.ofSeconds(10));

    /** A stop that QEMU stamped earlier than we sent ours, but not by more than this, was somebody else's. */
    private static final Duration OTHERS_STOP = Duration.ofSeconds(5);

    private final QmpClient qmp;
    private final Watchdog watchdog;
    private final Limits limits;
    private final Thread onShutdown = new Thread(this::thawAtShutdown, "guestcore-thaw");
    private final List<Finding> afterwards = new CopyOnWriteArrayList<>();
    private volatile RunState before;
    private volatile Instant takenAt = Instant.now();
    private volatile long stoppedAt;
    private volatile Optional<Duration> total = Optional.empty();
    private volatile Runnable beforeThaw = () -> {};
    private volatile @Nullable EventWatch watch;
    private long eventsBefore;
    private boolean thawed;

    private QemuFreeze(QmpClient qmp, Watchdog watchdog, Limits limits, RunState before) {
        this.qmp = qmp;
        this.watchdog = watchdog;
        this.limits = limits;
        this.before = before;
    }

    /**
     * Stops the guest if it runs.
     *
     * @throws SourceException if that fails; the guest runs on then
     */
    static QemuFreeze begin(QmpClient qmp, Watchdog watchdog) throws IOException {
        return begin(qmp, watchdog, USUAL);
    }

    /** The same with other limits. */
    static QemuFreeze begin(QmpClient qmp, Watchdog watchdog, Limits limits) throws IOException {
        QemuFreeze freeze = new QemuFreeze(qmp, watchdog, limits, RunState.ask(qmp));
        freeze.stop();
        return freeze;
    }

    private void stop() throws IOException {
        if (!before.running()) {
            stoppedAt = System.nanoTime();
            qmp.poll();
            eventsBefore = qmp.eventCount();
            return;
        }
        watchdog.awaitReady();
        Runtime.getRuntime().addShutdownHook(onShutdown);
        try {
            watchdog.arm(Watchdog.Undo.RESUME);
            qmp.poll();
            eventsBefore = qmp.eventCount();
            Instant sent = Instant.now();
            qmp.limit(OptionalLong.of(System.nanoTime() + limits.looking().toNanos()));
            qmp.execute("stop", Map.of(), limits.looking());
            stoppedAt = System.nanoTime();
            RunState now = RunState.ask(qmp);
            if (now.running()) {
                throw new SourceException(qmp.socket() + ": the guest still runs after `stop`; does someone else"
                        + " control it (libvirt)?");
            }
            Standstill standstill = standstill();
            takenAt = standstill.stopped().orElseGet(Instant::now);
            if (!isOurs(standstill, sent, now)) {
                leaveToOthers(now);
                return;
            }
            watch = new EventWatch(qmp, eventsBefore, this::tellWatchdog);
        } catch (IOException | RuntimeException | Error e) {
            try {
                thaw();
            } catch (SourceException thawing) {
                e.addSuppressed(thawing);
            }
            throw e;
        }
    }

    private Standstill standstill() {
        return Standstill.of(qmp.eventsSince(eventsBefore));
    }

    /** QEMU sends no event for a stop that found the guest stopped already. */
    private static boolean isOurs(Standstill standstill, Instant sent, RunState now) {
        if (!standstill.isOurs() || !now.isPaused()) {
            return false;
        }
        Duration early = Duration.between(standstill.stopped().orElseThrow(), sent);
        // QEMU's stamps have no nanoseconds. What is much earlier was stamped by another clock.
        return early.compareTo(Duration.ofNanos(1_000)) <= 0 || early.compareTo(OTHERS_STOP) > 0;
    }

    /** Somebody else stopped it at the last moment, or it stopped by itself, so it was not running when we came. */
    private void leaveToOthers(RunState now) {
        before = now;
        watchdog.disarm();
        forgetShutdown();
    }

    private void tellWatchdog(Standstill standstill) {
        if (!standstill.isOurs()) {
            watchdog.disarm();
        }
    }

    @Override
    public boolean wasRunning() {
        return before.running();
    }

    /** All but memory is known: how long it stands still from now on is the caller's matter. */
    void looked() {
        qmp.limit(OptionalLong.empty());
    }

    /** Sets what must happen before the guest may run again. */
    void beforeThaw(Runnable action) {
        beforeThaw = action;
    }

    /** The state that the guest was in before we froze it. */
    RunState before() {
        return before;
    }

    /** When the guest stopped, by QEMU's clock. */
    Instant takenAt() {
        return takenAt;
    }

    @Override
    public Duration elapsed() {
        if (!before.running()) {
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
        long deadline = System.nanoTime() + limits.thawing().toNanos();
        qmp.limit(OptionalLong.of(deadline));
        beforeThaw.run();
        EventWatch events = watch;
        if (events != null) {
            events.close();
        }
        boolean resumedByOthers = resumedByOthers();
        boolean stoppedByOthers = standstill().stoppedAgain().isPresent();
        try {
            if (before.running()) {
                if (!resumedByOthers) {
                    resume(deadline);
                }
                watchdog.disarm();
            }
        } finally {
            qmp.limit(OptionalLong.empty());
            total = Optional.of(measure());
            forgetShutdown();
        }
        if (resumedByOthers) {
            throw new SourceException(qmp.socket() + ": somebody else resumed the guest while it was frozen"
                    + (stoppedByOthers ? " and stopped it again, so it is left stopped" : "") + "; what was"
                    + " read is not of one instant. Do it again, and keep others (libvirt) from it");
        }
    }

    private boolean resumedByOthers() {
        try {
            qmp.poll();
        } catch (IOException e) {
            // The connection is lost; resume() will make another and say so if it cannot.
            return standstill().resumed().isPresent();
        }
        return standstill().resumed().isPresent();
    }

    private void resume(long deadline) {
        try {
            resumeIfPaused(qmp);
        } catch (IOException lost) {
            Duration left = Duration.ofNanos(deadline - System.nanoTime());
            try (QmpClient again = QmpClient.connect(qmp.socket(), left)) {
                again.limit(OptionalLong.of(deadline));
                resumeIfPaused(again);
            } catch (IOException e) {
                SourceException failure = new SourceException(
                        qmp.socket() + ": QEMU was lost while the guest was frozen (" + lost.getMessage()
                                + ") and cannot be reached again (" + e.getMessage()
                                + "); if its process still runs, the guest is paused: type `cont` at its monitor",
                        e);
                failure.addSuppressed(lost);
                throw failure;
            }
        } catch (SourceException refused) {
            throw new SourceException(
                    qmp.socket() + ": the guest is still paused, because QEMU does not resume it ("
                            + refused.getMessage() + "): type `cont` at its monitor",
                    refused);
        }
    }

    /** Only out of the state that our `stop` led to: not after a migration, a panic, a shutdown. */
    private void resumeIfPaused(QmpClient monitor) throws IOException {
        RunState now = RunState.ask(monitor);
        if (now.isPaused()) {
            monitor.execute("cont", Map.of(), limits.thawing());
        } else if (!now.running()) {
            afterwards.add(Finding.note("while the guest was frozen its state became '" + now.status()
                    + "'; Guestcore does not resume it" + now.advice().map(text -> ": " + text).orElse("")));
        }
    }

    @Override
    public List<Finding> findings() {
        return List.copyOf(afterwards);
    }

    /** QEMU's own time stamps, which leave out the way to us, unless its clock was set meanwhile. */
    private Duration measure() {
        Duration ours = Duration.ofNanos(System.nanoTime() - stoppedAt);
        Duration byEvents = standstill().length().orElse(ours);
        boolean plausible = !byEvents.isNegative()
                && byEvents.minus(ours).abs().compareTo(Duration.ofSeconds(1)) < 0;
        return plausible ? byEvents : ours;
    }

    private void forgetShutdown() {
        try {
            Runtime.getRuntime().removeShutdownHook(onShutdown);
        } catch (IllegalStateException e) {
            // The JVM is ending and this is the hook, or it will find the work done.
            return;
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
