package dev.guestcore.linux;

import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.symbols.Symbol;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.LongStream;

/**
 * The kernel's clock as it stood at its last tick. Sources: {@code kernel/time/timekeeping.c} ({@code tk_core}; an array
 * {@code timekeeper_data} since 7.x, whose first element is meant) and {@code include/linux/timekeeper_internal.h} of Linux.
 *
 * @param uptime since the guest was started, sleep of the guest included
 * @param now date and time as the guest knew them
 */
public record KernelClock(Duration uptime, Instant now) {

    /** What stands before the clock: a lock, whose size depends on how the kernel was built. */
    private static final long[] LOCKS = {8, 16, 24, 32, 64};

    private static final long NANOSECONDS = 1_000_000_000;
    private static final long LARGEST_SHIFT = 32;

    /** The year 3000; 100 years. */
    private static final long LAST_SECOND = 32_503_680_000L;

    private static final long LONGEST_UPTIME = 3_155_760_000L;

    /** A second may begin between two updates. */
    private static final long TOLERANCE = 2;

    /** Checks for null. */
    public KernelClock {
        Objects.requireNonNull(uptime);
        Objects.requireNonNull(now);
    }

    /** When the guest was started, by its own clock. */
    public Instant started() {
        return now.minus(uptime);
    }

    /** The clock of a kernel; empty if it is not found, or holds what no clock shows. */
    static Optional<KernelClock> of(Linux linux) {
        Optional<Long> start = linux.symbols()
                .find("tk_core")
                .or(() -> linux.symbols().find("timekeeper_data"))
                .map(Symbol::address);
        if (start.isEmpty() || linux.types().flatMap(types -> types.find("struct timekeeper")).isEmpty()) {
            return Optional.empty();
        }
        return LongStream.of(LOCKS)
                .mapToObj(lock -> linux.object("struct timekeeper", start.get() + lock))
                .flatMap(clock -> read(clock).stream())
                .findFirst();
    }

    private static Optional<KernelClock> read(KernelObject clock) {
        try {
            long shift = clock.getLong("tkr_mono.shift");
            long base = clock.getLong("tkr_mono.base");
            long seconds = clock.getLong("xtime_sec");
            long monotonic = clock.getLong("ktime_sec");
            long asleep = clock.getLong("offs_boot");
            boolean plausible = shift >= 0
                    && shift <= LARGEST_SHIFT
                    && seconds >= 0
                    && seconds < LAST_SECOND
                    && base >= 0
                    && asleep >= 0
                    && base / NANOSECONDS + asleep / NANOSECONDS < LONGEST_UPTIME
                    && Math.abs(base / NANOSECONDS - monotonic) <= TOLERANCE;
            long part = clock.getLong("tkr_mono.xtime_nsec") >>> Math.clamp(shift, 0, LARGEST_SHIFT);
            if (!plausible || part > TOLERANCE * NANOSECONDS || seconds == 0 && base == 0) {
                return Optional.empty();
            }
            return Optional.of(new KernelClock(
                    Duration.ofNanos(base + asleep + part), Instant.ofEpochSecond(seconds, part)));
        } catch (GuestcoreException e) {
            return Optional.empty();
        }
    }
}
