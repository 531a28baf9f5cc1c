package dev.guestcore.linux;

import dev.guestcore.linux.CheckFinding.Category;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * CPUs that ran kernel code for long without scheduling: the watchdog of such a CPU was not touched for longer than the kernel allows.
 * Source: {@code kernel/watchdog.c} of Linux (stamps are seconds of 2<sup>30</sup> nanoseconds).
 */
final class LockupCheck implements KernelCheck.Part {

    private static final int SECOND = 30;
    private static final long SOFT = 2;

    /** Seconds; the kernel allows no more. */
    private static final long LONGEST = 60;

    private final Linux linux;

    LockupCheck(Linux linux) {
        this.linux = linux;
    }

    @Override
    public void look(KernelCheck.Told told) {
        boolean watches = linux.hasVariable("watchdog_touch_ts") && linux.hasVariable("watchdog_thresh");
        long allowed = watches ? 2 * linux.variable("watchdog_thresh").asLong() : 0;
        boolean on = linux.findVariable("watchdog_enabled").map(flags -> (flags.asLong() & SOFT) != 0).orElse(false);
        if (!on || allowed <= 0 || allowed > 2 * LONGEST) {
            told.notJudged("lockups: the kernel's watchdog does not run");
            return;
        }
        Cpus cpus = Cpus.of(linux);
        OptionalLong now = cpus.clock();
        for (int cpu : cpus.present()) {
            KernelObject stamp = linux.variable("watchdog_touch_ts").perCpu(cpu);
            long touched = stamp.asLong();
            long waited = (now.orElse(0) >>> SECOND) - touched;
            if (touched > 0 && waited > allowed) {
                told.found(new CheckFinding(
                        "soft-lockup",
                        Category.TROUBLE,
                        "CPU " + cpu + " did not schedule for " + waited + " s; the kernel allows " + allowed,
                        OptionalLong.of(stamp.address()),
                        Optional.empty(),
                        Optional.empty()));
            }
        }
    }
}
