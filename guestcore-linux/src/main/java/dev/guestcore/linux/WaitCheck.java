package dev.guestcore.linux;

import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.CheckFinding.Category;
import dev.guestcore.linux.stacks.StackFrame;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Collectors;

/**
 * Tasks that wait for long without being woken by signals, and tasks that wait for locks of each other. How long a task waits is
 * told by when it ran last. Sources: {@code kernel/hung_task.c}, {@code kernel/sched/sched.h} of Linux.
 */
final class WaitCheck implements KernelCheck.Part {

    private static final long UNINTERRUPTIBLE = 0x2;

    /** Those that may be killed, and those that wait for work. */
    private static final long NOT_HUNG = 0x100 | 0x400;

    private static final long USUAL_TIMEOUT = 120;
    private static final long SECOND = 1_000_000_000;
    private static final int FRAMES = 3;
    private static final int MOST_STACKS = 64;

    private final Linux linux;

    WaitCheck(Linux linux) {
        this.linux = linux;
    }

    @Override
    public void look(KernelCheck.Told told) {
        Map<Long, Task> tasks = linux.tasks().stream()
                .collect(Collectors.toMap(
                        task -> task.object().address(), task -> task, (first, _) -> first, LinkedHashMap::new));
        Map<Long, LockWaits.Wait> waits = LockWaits.of(linux, tasks.values().stream().map(Task::object).toList());
        hung(tasks, waits, told);
        cycles(tasks, waits, told);
    }

    private void hung(Map<Long, Task> tasks, Map<Long, LockWaits.Wait> waits, KernelCheck.Told told) {
        long timeout = linux.findVariable("sysctl_hung_task_timeout_secs")
                .map(KernelObject::asLong)
                .filter(seconds -> seconds > 0)
                .orElse(USUAL_TIMEOUT);
        Cpus cpus = Cpus.of(linux);
        OptionalLong now = cpus.clock();
        Stacks stacks = linux.stacks();
        int found = 0;
        for (Task task : tasks.values()) {
            OptionalLong waited = isHung(task) ? waited(task, cpus, now) : OptionalLong.empty();
            if (waited.isPresent() && waited.getAsLong() / SECOND >= timeout) {
                String lock = Optional.ofNullable(waits.get(task.object().address()))
                        .map(wait -> ", for a " + wait.kind() + " that " + name(tasks, wait.owner()) + " holds")
                        .orElse("");
                told.found(new CheckFinding(
                        "hung-task",
                        Category.TROUBLE,
                        name(task) + " has waited for " + waited.getAsLong() / SECOND
                                + " s without being woken by signals"
                                + (found++ < MOST_STACKS ? where(stacks, task) : "") + lock,
                        OptionalLong.of(task.object().address()),
                        Optional.empty(),
                        Optional.empty()));
            }
        }
    }

    private static boolean isHung(Task task) {
        long state = task.object().getAny("__state", "state").map(KernelObject::asLong).orElse(0L);
        return (state & UNINTERRUPTIBLE) != 0 && (state & NOT_HUNG) == 0;
    }

    /** The clock of an idle CPU stands still; the others tell how far behind it is. */
    private static OptionalLong waited(Task task, Cpus cpus, OptionalLong now) {
        if (now.isEmpty() || !task.object().has("se.exec_start") || !cpus.possible().contains(task.cpu())) {
            return OptionalLong.empty();
        }
        KernelObject queue = cpus.runQueue(task.cpu());
        long behind = now.getAsLong() - queue.getLong("clock");
        long clock = queue.getAny("clock_task", "clock").orElseThrow().asLong() + behind;
        long last = task.object().getLong("se.exec_start");
        return last > 0 && clock > last ? OptionalLong.of(clock - last) : OptionalLong.empty();
    }

    private static String where(Stacks stacks, Task task) {
        try {
            List<StackFrame> frames = stacks.of(task.object()).trace().frames();
            String named = frames.stream()
                    .map(frame -> frame.symbol().map(at -> at.symbol().name()).orElse("?"))
                    .filter(name -> !name.contains("schedule"))
                    .limit(FRAMES)
                    .collect(Collectors.joining(" < "));
            return named.isEmpty() ? "" : ", in " + named;
        } catch (GuestcoreException e) {
            return "";
        }
    }

    private static String name(Map<Long, Task> tasks, long address) {
        return Optional.ofNullable(tasks.get(address)).map(WaitCheck::name).orElse("an unknown task");
    }

    private static String name(Task task) {
        return "task " + task.pid() + " (" + task.name() + ")";
    }

    private static void cycles(Map<Long, Task> tasks, Map<Long, LockWaits.Wait> waits, KernelCheck.Told told) {
        for (List<LockWaits.Wait> cycle : LockWaits.cycles(waits)) {
            told.found(new CheckFinding(
                    "lock-cycle",
                    Category.TROUBLE,
                    "tasks wait for locks of each other: " + cycle.stream()
                            .map(wait -> name(tasks, wait.task()) + " for the " + wait.kind() + " at 0x"
                                    + Long.toHexString(wait.lock()) + " that " + name(tasks, wait.owner()) + " holds")
                            .collect(Collectors.joining("; ")),
                    OptionalLong.of(cycle.getFirst().lock()),
                    Optional.empty(),
                    Optional.empty()));
        }
    }
}
