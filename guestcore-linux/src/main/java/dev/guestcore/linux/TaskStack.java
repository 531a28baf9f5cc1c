package dev.guestcore.linux;

import dev.guestcore.linux.stacks.StackTrace;
import java.util.Objects;
import java.util.OptionalInt;

/**
 * The kernel stack of a task.
 *
 * @param task virtual address of its {@code struct task_struct}
 * @param pid its number in the first PID namespace; 0 for the idle task of a CPU
 * @param tgid the number of its process
 * @param name its name, up to 15 bytes, which may hold any characters
 * @param cpu the CPU that it runs on; empty for one that does not run
 * @param trace the stack
 */
public record TaskStack(long task, int pid, int tgid, String name, OptionalInt cpu, StackTrace trace) {

    /** Checks for null. */
    public TaskStack {
        Objects.requireNonNull(name);
        Objects.requireNonNull(cpu);
        Objects.requireNonNull(trace);
    }
}
