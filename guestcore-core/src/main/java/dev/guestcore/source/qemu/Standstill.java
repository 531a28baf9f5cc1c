package dev.guestcore.source.qemu;

import dev.guestcore.Finding;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Whose a standstill is, told from the events that came since a command of ours that stops the guest: the first STOP is
 * ours, and the first RESUME after it ends it. Whatever stops the guest later is not ours, and we must not end it.
 *
 * @param stopped when the guest stopped for us, by QEMU's clock
 * @param resumed when it ran again after that
 * @param stoppedAgain when somebody else stopped it after that
 * @param panicked when it told that it panicked
 * @param panicHolds whether QEMU keeps it stopped because of that panic
 */
record Standstill(
        Optional<Instant> stopped,
        Optional<Instant> resumed,
        Optional<Instant> stoppedAgain,
        Optional<Instant> panicked,
        boolean panicHolds) {

    /** Reads the events since the command was sent. */
    static Standstill of(List<QmpClient.Event> events) {
        Optional<Instant> stopped = Optional.empty();
        Optional<Instant> resumed = Optional.empty();
        Optional<Instant> again = Optional.empty();
        Optional<Instant> panicked = Optional.empty();
        boolean holds = false;
        for (QmpClient.Event event : events) {
            Optional<Instant> at = Optional.of(event.at());
            switch (event.name()) {
                case "STOP" -> {
                    if (stopped.isEmpty()) {
                        stopped = at;
                    } else if (resumed.isPresent() && again.isEmpty()) {
                        again = at;
                    }
                }
                case "RESUME" -> {
                    if (stopped.isPresent() && resumed.isEmpty()) {
                        resumed = at;
                    }
                }
                case "GUEST_PANICKED" -> {
                    panicked = panicked.or(() -> at);
                    holds |= event.action().equals("pause");
                }
                default -> throw new IllegalArgumentException(event.name());
            }
        }
        return new Standstill(stopped, resumed, again, panicked, holds);
    }

    /** Whether the guest, if it is paused, is paused because of us, so that we have to let it run again. */
    boolean isOurs() {
        return stopped.isPresent() && resumed.isEmpty() && !panicHolds;
    }

    /** From the stop to the resumption; empty if one of them is not known. */
    Optional<Duration> length() {
        return stopped.flatMap(begin -> resumed.map(end -> Duration.between(begin, end)));
    }

    /** What the user of a snapshot should know of what others did while it was read. */
    List<Finding> duringSnapshot() {
        List<Finding> findings = new ArrayList<>();
        panicked.ifPresent(
                at -> findings.add(Finding.note("the guest panicked at " + at + " while its snapshot was read"
                        + (stopped.filter(at::isAfter).isPresent()
                                ? ": what was captured is its state before the panic"
                                : "; it was captured after the panic")
                        + (panicHolds ? ", and QEMU keeps it paused" : ""))));
        if (!panicHolds) {
            stoppedAgain.ifPresent(at -> findings.add(Finding.note("somebody else stopped the guest at " + at
                    + " while its snapshot was read, after the instant of the snapshot; Guestcore does not resume it")));
        }
        return findings;
    }
}
