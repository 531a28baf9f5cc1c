package dev.guestcore.linux;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.arm64.Arm64;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.PagingMode;
import dev.guestcore.linux.stacks.StackTrace;
import dev.guestcore.linux.stacks.StackUnwinder;
import dev.guestcore.linux.symbols.Symbol;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.IntStream;

/**
 * What tasks and vCPUs were doing: the kernel stacks of a guest. A task that runs is unwound from the registers of its
 * vCPU, one that sleeps from what it saved. Safe for use by several threads at once.
 */
public final class Stacks {

    /** That of arm64 with pages of 4 KiB. */
    private static final long SMALLEST_STACK = 1L << 14;

    private static final int MOST_CPUS = 1 << 13;
    private static final int NAME_BYTES = 16;

    private final Linux linux;
    private final GuestMemory memory;
    private final StackUnwinder unwinder;
    private final boolean arm;
    private final int addressBits;
    private final Map<Integer, Long> currentTasks = new LinkedHashMap<>();
    private final Map<Integer, Long> idleTasks = new LinkedHashMap<>();
    private final Map<Integer, Vcpu> vcpus = new LinkedHashMap<>();

    private Stacks(Linux linux) {
        this.linux = linux;
        memory = linux.memory();
        PagingMode mode = linux.image().space().paging().mode();
        arm = mode.architecture() == Architectures.ARM64;
        addressBits = mode.virtualBits();
        unwinder = StackUnwinder.of(linux.memory(), linux.symbols(), linux.types());
        findCpus();
    }

    /**
     * The stacks of a kernel.
     *
     * @throws LinuxException if the kernel's types are not known, or lack something that tasks are found by
     */
    static Stacks of(Linux linux) {
        linux.requireTypes();
        return new Stacks(linux);
    }

    /**
     * Stacks of tasks.
     *
     * @param stacks what was found
     * @param problems why there may be more tasks, for the user; empty if these are all
     */
    public record Listing(List<TaskStack> stacks, List<String> problems) {

        /** Copies the lists. */
        public Listing {
            stacks = List.copyOf(stacks);
            problems = List.copyOf(problems);
        }
    }

    /** The unwinder, for whoever has registers or a stack pointer. */
    public StackUnwinder unwinder() {
        return unwinder;
    }

    /** The vCPU that runs a task; empty if none does, or if the registers do not tell which. */
    Optional<Vcpu> vcpuOf(KernelObject task) {
        return currentTasks.entrySet().stream()
                .filter(entry -> entry.getValue() == task.address())
                .findFirst()
                .flatMap(entry -> Optional.ofNullable(vcpus.get(entry.getKey())));
    }

    /** The task that a vCPU runs; empty if the kernel does not use that vCPU, or it is not known which it is. */
    public Optional<KernelObject> taskOf(Vcpu vcpu) {
        return vcpus.entrySet().stream()
                .filter(entry -> entry.getValue().index() == vcpu.index())
                .findFirst()
                .flatMap(entry -> Optional.ofNullable(currentTasks.get(entry.getKey())))
                .map(task -> linux.object("struct task_struct", task));
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
                KernelObject runqueue = linux.object("struct rq", runqueues.get() + offset);
                currentTasks.put(cpu, runqueue.getLong("curr"));
                idleTasks.put(cpu, runqueue.getLong("idle"));
                Optional<Vcpu> vcpu = arm ? vcpuOf(offset, runqueue) : vcpuOf(offset);
                if (vcpu.isPresent()) {
                    vcpus.put(cpu, vcpu.get());
                }
            }
            matchLast(cpus);
        } catch (MemoryAccessException e) {
            // CPUs that were never started have no run queue; those before them are known.
            return;
        }
    }

    /** On arm64 one that runs on the stack of an interrupt is known when it is the only one left. */
    private void matchLast(int cpus) {
        List<Integer> open = IntStream.range(0, cpus).filter(cpu -> !vcpus.containsKey(cpu)).boxed().toList();
        List<Vcpu> left = linux.guest().vcpus().stream().filter(vcpu -> !vcpus.containsValue(vcpu)).toList();
        if (arm && open.size() == 1 && left.size() == 1) {
            vcpus.put(open.getFirst(), left.getFirst());
        }
    }

    /** TPIDR_EL1 (of a host with EL2, that one's) is the offset; or else the stack is that of the CPU's task. */
    private Optional<Vcpu> vcpuOf(long perCpuOffset, KernelObject runqueue) {
        long stack = runqueue.get("curr.stack").asLong();
        return linux.guest().vcpus().stream()
                .filter(vcpu -> isPointer(vcpu, "tpidr_el1", perCpuOffset)
                        || isPointer(vcpu, "tpidr_el2", perCpuOffset)
                        || vcpu.registers().knows(Arm64.SP)
                                && Long.compareUnsigned(vcpu.registers().get(Arm64.SP) - stack, SMALLEST_STACK) < 0)
                .findFirst();
    }

    private static boolean isPointer(Vcpu vcpu, String label, long value) {
        return Architectures.ARM64
                .register(label)
                .filter(register -> vcpu.registers().knows(register) && vcpu.registers().get(register) == value)
                .isPresent();
    }

    private StackTrace ofRegisters(Vcpu vcpu) {
        return arm ? unwinder.ofArm64(vcpu.registers(), addressBits) : unwinder.ofRegisters(vcpu.registers());
    }

    /** A CPU's GS base leads to its own variables, in the kernel or, swapped, in user mode. */
    private Optional<Vcpu> vcpuOf(long perCpuOffset) {
        return linux.guest().vcpus().stream()
                .filter(vcpu -> vcpu.registers().knows(X86.GS_BASE) && vcpu.registers().get(X86.GS_BASE) == perCpuOffset
                        || vcpu.registers().knows(X86.KERNEL_GS_BASE)
                                && vcpu.registers().get(X86.KERNEL_GS_BASE) == perCpuOffset)
                .findFirst();
    }

    /**
     * The stacks of all tasks: idle tasks by CPU, then processes in the order of the kernel's list with their threads, then
     * tasks that the list does not lead to.
     */
    public Listing all() {
        List<TaskStack> found = new ArrayList<>();
        idleTasks.values().forEach(task -> found.add(of(task)));
        Walk<KernelObject> tasks = Tasks.structures(linux);
        tasks.forEach(task -> found.add(of(task.address())));
        return new Listing(found, tasks.problems());
    }

    /** The stack of the task with this number in the first PID namespace; 0 is the idle task of the first CPU. */
    public Optional<TaskStack> ofPid(int pid) {
        if (pid == 0) {
            return idleTasks.values().stream().findFirst().map(this::of);
        }
        return Tasks.structures(linux).stream()
                .filter(task -> task.getInt("pid") == pid)
                .findFirst()
                .map(task -> of(task.address()));
    }

    /**
     * The stack of what a vCPU runs; its task has the number -1 if the kernel does not use that vCPU, or it is not
     * known.
     */
    public TaskStack ofVcpu(Vcpu vcpu) {
        return vcpus.entrySet().stream()
                .filter(entry -> entry.getValue().index() == vcpu.index())
                .map(Map.Entry::getKey)
                .findFirst()
                .map(currentTasks::get)
                .map(this::of)
                .orElseGet(() -> new TaskStack(
                        0, -1, -1, "?", OptionalInt.empty(), ofRegisters(vcpu)));
    }

    /** The stack of a task. */
    TaskStack of(KernelObject task) {
        return of(task.address());
    }

    private TaskStack of(long address) {
        try {
            KernelObject task = linux.object("struct task_struct", address);
            OptionalInt cpu = currentTasks.entrySet().stream()
                    .filter(entry -> entry.getValue() == address)
                    .mapToInt(Map.Entry::getKey)
                    .findFirst();
            return new TaskStack(
                    address,
                    task.getInt("pid"),
                    task.getInt("tgid"),
                    memory.readString(task.get("comm").address(), NAME_BYTES),
                    cpu,
                    cpu.isPresent() ? running(cpu.getAsInt()) : sleeping(task));
        } catch (MemoryAccessException e) {
            String reason = "the task's own structure: " + e.getMessage();
            return new TaskStack(address, -1, -1, "?", OptionalInt.empty(), StackTrace.unknown(reason));
        }
    }

    private StackTrace running(int cpu) {
        Vcpu vcpu = vcpus.get(cpu);
        if (vcpu == null) {
            return StackTrace.unknown("the task runs on CPU " + cpu + ", whose registers are not in the dump");
        }
        return ofRegisters(vcpu);
    }

    private StackTrace sleeping(KernelObject task) {
        if (task.getLong("stack") == 0) {
            return StackTrace.unknown("the task has ended, and its stack is freed");
        }
        if (arm) {
            return unwinder.ofSavedFrame(
                    task.getLong("thread.cpu_context.pc"),
                    task.getLong("thread.cpu_context.sp"),
                    task.getLong("thread.cpu_context.fp"),
                    addressBits);
        }
        return unwinder.ofSleeping(task.getLong("thread.sp"));
    }

    private Optional<Long> address(String symbol) {
        return linux.symbols().find(symbol).map(Symbol::address);
    }
}
