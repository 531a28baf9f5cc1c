package dev.guestcore.linux;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.Vcpu;
import dev.guestcore.cpu.X86;
import dev.guestcore.linux.stacks.StackTrace;
import dev.guestcore.linux.stacks.StackUnwinder;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.KernelMember;
import dev.guestcore.linux.types.KernelType;
import dev.guestcore.linux.types.KernelTypes;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Consumer;

/**
 * What tasks and vCPUs were doing: the kernel stacks of a guest. A task that runs is unwound from the registers of its vCPU, one
 * that sleeps from what it saved. Safe for use by several threads at once.
 */
public final class Stacks {

    /** How many tasks are listed; the kernel itself allows 4 million. */
    private static final int MOST_TASKS = 1 << 22;

    private static final int MOST_CPUS = 1 << 13;
    private static final int NAME_BYTES = 16;

    private final Linux linux;
    private final GuestMemory memory;
    private final KernelTypes types;
    private final StackUnwinder unwinder;
    private final Map<Integer, Long> currentTasks = new LinkedHashMap<>();
    private final Map<Integer, Long> idleTasks = new LinkedHashMap<>();
    private final Map<Integer, Vcpu> vcpus = new LinkedHashMap<>();

    private Stacks(Linux linux, KernelTypes types) {
        this.linux = linux;
        this.memory = linux.memory();
        this.types = types;
        unwinder = StackUnwinder.of(linux.memory(), linux.symbols(), linux.types());
        findCpus();
    }

    /**
     * The stacks of a kernel.
     *
     * @throws LinuxException if the kernel's types are not known
     */
    public static Stacks of(Linux linux) {
        return new Stacks(
                linux,
                linux.types()
                        .orElseThrow(() -> new LinuxException("the kernel holds no description of its types (BTF), or it is not"
                                + " in the dump; without it, tasks cannot be found")));
    }

    /** Stacks of tasks, and whether they are all. */
    public record Listing(List<TaskStack> stacks, Optional<String> broken) {

        /** Copies the list. */
        public Listing {
            stacks = List.copyOf(stacks);
        }
    }

    /** The unwinder, for whoever has registers or a stack pointer. */
    public StackUnwinder unwinder() {
        return unwinder;
    }

    private void findCpus() {
        Optional<Long> offsets = address("__per_cpu_offset");
        Optional<Long> runqueues = address("runqueues");
        Optional<Long> count = address("nr_cpu_ids");
        if (offsets.isEmpty() || runqueues.isEmpty() || count.isEmpty()) {
            return;
        }
        try {
            int cpus = Math.clamp(memory.readInt(count.get()), 0, MOST_CPUS);
            for (int cpu = 0; cpu < cpus; cpu++) {
                long offset = memory.readLong(offsets.get() + (long) cpu * Long.BYTES);
                long runqueue = runqueues.get() + offset;
                currentTasks.put(cpu, memory.readLong(runqueue + offset("struct rq", "curr")));
                idleTasks.put(cpu, memory.readLong(runqueue + offset("struct rq", "idle")));
                vcpuOf(offset).ifPresent(putAt(cpu));
            }
        } catch (MemoryAccessException e) {
            // CPUs that were never started have no run queue; those before them are known.
            return;
        }
    }

    private Consumer<Vcpu> putAt(int cpu) {
        return vcpu -> vcpus.put(cpu, vcpu);
    }

    /** A CPU's GS base leads to its own variables, in the kernel or, swapped, in user mode. */
    private Optional<Vcpu> vcpuOf(long perCpuOffset) {
        return linux.guest().vcpus().stream()
                .filter(vcpu -> vcpu.registers().knows(X86.GS_BASE) && vcpu.registers().get(X86.GS_BASE) == perCpuOffset
                        || vcpu.registers().knows(X86.KERNEL_GS_BASE)
                                && vcpu.registers().get(X86.KERNEL_GS_BASE) == perCpuOffset)
                .findFirst();
    }

    /** The stacks of all tasks: idle tasks by CPU, then processes in the order of the kernel's list with their threads. */
    public Listing all() {
        List<TaskStack> found = new ArrayList<>();
        idleTasks.values().forEach(task -> found.add(of(task)));
        Optional<String> broken = forEachTask(task -> {
            found.add(of(task));
            return true;
        });
        return new Listing(found, broken);
    }

    /** The stack of the task with this number in the first PID namespace. */
    public Optional<TaskStack> ofPid(int pid) {
        List<TaskStack> found = new ArrayList<>();
        if (pid == 0) {
            idleTasks.values().stream().limit(1).forEach(task -> found.add(of(task)));
        } else {
            forEachTask(task -> {
                if (memory.readInt(task + offset("struct task_struct", "pid")) == pid) {
                    found.add(of(task));
                }
                return found.isEmpty();
            });
        }
        return found.stream().findFirst();
    }

    /** The stack of what a vCPU runs; its task has the number -1 if the kernel does not use that vCPU, or it is not known. */
    public TaskStack ofVcpu(Vcpu vcpu) {
        Optional<Integer> cpu = vcpus.entrySet().stream()
                .filter(entry -> entry.getValue().index() == vcpu.index())
                .map(Map.Entry::getKey)
                .findFirst();
        return cpu.map(currentTasks::get)
                .map(this::of)
                .orElseGet(() -> new TaskStack(
                        0, -1, -1, "?", OptionalInt.empty(), unwinder.ofRegisters(vcpu.registers())));
    }

    /** Takes tasks and says whether it wants more. */
    @FunctionalInterface
    private interface TaskVisitor {

        boolean visit(long task);
    }

    /** Goes through processes and their threads; says why if it ends too early. */
    private Optional<String> forEachTask(TaskVisitor visitor) {
        long inList = offset("struct task_struct", "tasks");
        long head = address("init_task").orElseThrow(() -> new LinuxException("the kernel's symbols have no init_task"))
                + inList;
        int count = 0;
        long node = head;
        try {
            for (node = memory.readLong(head); node != head; node = memory.readLong(node)) {
                long leader = node - inList;
                long threads = memory.readLong(leader + offset("struct task_struct", "signal"))
                        + offset("struct signal_struct", "thread_head");
                for (long thread = memory.readLong(threads); thread != threads; thread = memory.readLong(thread)) {
                    if (++count > MOST_TASKS || memory.readLong(thread) == thread) {
                        return Optional.of("the list of threads runs in a circle at 0x" + Long.toHexString(thread));
                    }
                    if (!visitor.visit(thread - offset("struct task_struct", "thread_node"))) {
                        return Optional.empty();
                    }
                }
                if (++count > MOST_TASKS || memory.readLong(node) == node) {
                    return Optional.of("the list of tasks runs in a circle at 0x" + Long.toHexString(node));
                }
            }
            return Optional.empty();
        } catch (MemoryAccessException e) {
            return Optional.of("the list of tasks breaks off at 0x" + Long.toHexString(node) + ": " + e.getMessage());
        }
    }

    private TaskStack of(long task) {
        try {
            int pid = memory.readInt(task + offset("struct task_struct", "pid"));
            int tgid = memory.readInt(task + offset("struct task_struct", "tgid"));
            String name = memory.readString(task + offset("struct task_struct", "comm"), NAME_BYTES);
            OptionalInt cpu = currentTasks.entrySet().stream()
                    .filter(entry -> entry.getValue() == task)
                    .mapToInt(Map.Entry::getKey)
                    .findFirst();
            return new TaskStack(task, pid, tgid, name, cpu, cpu.isPresent() ? running(cpu.getAsInt()) : sleeping(task));
        } catch (MemoryAccessException e) {
            String reason = "the task's own structure: " + e.getMessage();
            return new TaskStack(task, -1, -1, "?", OptionalInt.empty(), StackTrace.unknown(reason));
        }
    }

    private StackTrace running(int cpu) {
        Vcpu vcpu = vcpus.get(cpu);
        if (vcpu == null) {
            return StackTrace.unknown("the task runs on CPU " + cpu + ", whose registers are not in the dump");
        }
        return unwinder.ofRegisters(vcpu.registers());
    }

    private StackTrace sleeping(long task) {
        if (memory.readLong(task + offset("struct task_struct", "stack")) == 0) {
            return StackTrace.unknown("the task has ended, and its stack is freed");
        }
        return unwinder.ofSleeping(memory.readLong(task + offset("struct task_struct", "thread.sp")));
    }

    private Optional<Long> address(String symbol) {
        return linux.symbols().find(symbol).map(Symbol::address);
    }

    private long offset(String structure, String path) {
        KernelType type = types.get(structure);
        return type.member(path)
                .map(KernelMember::offset)
                .orElseThrow(() -> new LinuxException("the kernel's " + structure + " has no member " + path
                        + "; this kernel is not known yet"));
    }
}
