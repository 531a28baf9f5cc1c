package dev.guestcore.linux;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/** The CPUs that the kernel counts with, and what belongs to each. */
final class Cpus {

    /** More than any kernel is built for. */
    private static final int MOST = 1 << 16;

    private final Linux linux;
    private final List<Integer> possible;
    private final List<Integer> present;

    private Cpus(Linux linux, List<Integer> possible, List<Integer> present) {
        this.linux = linux;
        this.possible = List.copyOf(possible);
        this.present = List.copyOf(present);
    }

    static Cpus of(Linux linux) {
        return new Cpus(linux, set(linux, "__cpu_possible_mask"), set(linux, "__cpu_present_mask"));
    }

    /** The numbers in a {@code struct cpumask}; that of the first CPU alone for a kernel that was built for one. */
    private static List<Integer> set(Linux linux, String mask) {
        if (!linux.hasVariable(mask)) {
            return List.of(0);
        }
        KernelObject bits = linux.variable(mask).get("bits");
        List<Integer> numbers = new ArrayList<>();
        int number = 0;
        for (KernelObject word : bits.elements()) {
            long value = word.asLong();
            int width = (int) word.type().size() * Byte.SIZE;
            for (int bit = 0; bit < width && number + bit < MOST; bit++) {
                if ((value >>> bit & 1) != 0) {
                    numbers.add(number + bit);
                }
            }
            number += width;
        }
        return numbers;
    }

    /** The numbers of all CPUs that there may be, ascending. */
    List<Integer> possible() {
        return possible;
    }

    /** The numbers of those that are there, ascending, also if they are stopped, as after a panic. */
    List<Integer> present() {
        return present;
    }

    /** The scheduler's clock in nanoseconds, of the CPU that looked at it last; those of idle CPUs stand still. */
    OptionalLong clock() {
        return present.stream().mapToLong(cpu -> runQueue(cpu).getLong("clock")).max();
    }

    /** A CPU's {@code struct rq}. */
    KernelObject runQueue(int cpu) {
        long address = linux.symbols()
                .find("runqueues")
                .orElseThrow(() -> new LinuxException("this kernel has no variable 'runqueues'"))
                .address();
        return linux.object("struct rq", address).perCpu(cpu);
    }
}
