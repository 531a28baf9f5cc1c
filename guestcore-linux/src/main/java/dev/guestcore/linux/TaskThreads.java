package dev.guestcore.linux;

import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.types.KernelType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The tasks of a guest for debuggers, which know threads: what each vCPU runs, and each task that waits as one more vCPU, with the
 * registers that the kernel saved when it stopped it ({@code struct inactive_task_frame}, arch/x86/include/asm/switch_to.h).
 * Immutable.
 */
public final class TaskThreads {

    /** What the frame holds, by the names of its members. */
    private static final Map<String, X86> SAVED = Map.of(
            "r15", X86.R15, "r14", X86.R14, "r13", X86.R13, "r12", X86.R12, "bx", X86.RBX, "bp", X86.RBP, "ret_addr",
            X86.RIP);

    private static final String FRAME = "struct inactive_task_frame";

    private final Guest guest;
    private final Map<Integer, String> names;
    private final List<String> problems;

    private TaskThreads(Guest guest, Map<Integer, String> names, List<String> problems) {
        this.guest = guest;
        this.names = Map.copyOf(names);
        this.problems = List.copyOf(problems);
    }

    /**
     * The vCPUs of a guest, each named by the task that it runs.
     *
     * @throws LinuxException if the kernel has no description of its types
     */
    public static TaskThreads ofVcpus(Linux linux) {
        Stacks stacks = linux.stacks();
        Map<Integer, String> names = new HashMap<>();
        for (Vcpu vcpu : linux.guest().vcpus()) {
            name(stacks, vcpu).ifPresent(name -> names.put(vcpu.index(), "vCPU " + vcpu.index() + ", " + name));
        }
        return new TaskThreads(linux.guest(), names, List.of());
    }

    /**
     * The same, and behind them each task that no vCPU runs.
     *
     * @throws LinuxException if the kernel has no description of its types, or it does not tell what is saved of a task
     */
    public static TaskThreads ofTasks(Linux linux) {
        KernelType frame = linux.requireTypes().find(FRAME)
                .orElseThrow(() -> new LinuxException("what the kernel saves of a task is known of x86-64 only"));
        Stacks stacks = linux.stacks();
        Map<Integer, String> names = new HashMap<>(ofVcpus(linux).names);
        Set<Long> running = new HashSet<>();
        Guest source = linux.guest();
        GuestBuilder builder = Guest.builder()
                .architecture(source.architecture())
                .provenance(source.provenance())
                .byteOrder(source.memory().byteOrder());
        source.facts().forEach(builder::facts);
        int next = 0;
        for (Vcpu vcpu : source.vcpus()) {
            builder.vcpu(vcpu.index(), vcpu.registers(), vcpu.rawContexts());
            stacks.taskOf(vcpu).ifPresent(task -> running.add(task.address()));
            next = vcpu.index() + 1;
        }
        Walk<KernelObject> tasks = Tasks.structures(linux);
        List<String> problems = new ArrayList<>(tasks.problems());
        for (KernelObject task : tasks.stream().toList()) {
            if (running.contains(task.address())) {
                continue;
            }
            try {
                if (task.getLong("stack") == 0 || task.has("on_cpu") && task.getInt("on_cpu") != 0) {
                    continue;
                }
                RegisterState saved = saved(linux, task, frame);
                names.put(next, named(task));
                builder.vcpu(next, saved, List.of());
                next++;
            } catch (GuestcoreException e) {
                problems.add(
                        "the registers of a task at 0x" + Long.toHexString(task.address()) + ": " + e.getMessage());
            }
        }
        return new TaskThreads(builder.build(source.memory()), names, problems);
    }

    private static RegisterState saved(Linux linux, KernelObject task, KernelType frame) {
        long stack = task.getLong("thread.sp");
        KernelObject saved = linux.object(frame, stack);
        RegisterState.Builder registers = RegisterState.builder();
        SAVED.forEach((member, register) -> {
            if (saved.has(member)) {
                registers.set(register, saved.getLong(member));
            }
        });
        return registers.set(X86.RSP, stack + frame.size()).build();
    }

    private static Optional<String> name(Stacks stacks, Vcpu vcpu) {
        try {
            return stacks.taskOf(vcpu).map(TaskThreads::named);
        } catch (GuestcoreException e) {
            return Optional.empty();
        }
    }

    private static String named(KernelObject task) {
        return task.get("comm").string() + ", task " + task.getInt("pid");
    }

    /** The guest with a vCPU for each thread; its memory is valid as long as that of the guest that it was made from. */
    public Guest guest() {
        return guest;
    }

    /** The name of a thread: the vCPU if it is one, name and number of the task; may hold any characters. Empty if not known. */
    public Optional<String> nameOf(Vcpu vcpu) {
        return Optional.ofNullable(names.get(vcpu.index()));
    }

    /** What could not be read, for the user: one line each. */
    public List<String> problems() {
        return problems;
    }
}
