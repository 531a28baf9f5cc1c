package dev.guestcore.linux;

import dev.guestcore.MemoryAccessException;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.linux.symbols.Symbol;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * The registers of a thread in user mode: those of its vCPU while that runs the program itself, otherwise those that the
 * kernel saved when the thread entered it. These lie at the top of its kernel stack (Linux,
 * {@code arch/x86/include/asm/processor.h}, {@code task_pt_regs}; with FRED, 16 bytes below it), the segments of a thread that
 * sleeps in {@code struct thread_struct}. Immutable.
 *
 * @param registers the general registers; segments and their bases as far as they are known
 * @param systemCall the number of the system call that the thread is in ({@code orig_rax}), -1 for none
 */
public record UserRegisters(RegisterState registers, long systemCall) {

    private static final int SAVED = 168;
    private static final int SYSTEM_CALL = 120;
    private static final int FIRST_PUSHED_BY_PROCESSOR = 128;
    private static final int USER_MODE = 3;
    private static final int SELECTOR = 0xffff;

    /** Always set, in x86's flags. */
    private static final long FIXED_FLAG = 2;

    /** What is pushed besides, with FRED. */
    private static final int[] PADDINGS = {0, 16};

    /** Kernel stacks of x86-64: the usual ones, and those of kernels with KASAN. */
    private static final long[] USUAL_STACKS = {16 << 10, 32 << 10};

    private static final X86[] ORDER = {
        X86.R15, X86.R14, X86.R13, X86.R12, X86.RBP, X86.RBX, X86.R11, X86.R10, X86.R9, X86.R8, X86.RAX, X86.RCX,
        X86.RDX,
        X86.RSI, X86.RDI
    };
    private static final X86[] PUSHED = {X86.RIP, X86.CS, X86.RFLAGS, X86.RSP, X86.SS};

    /** Checks for null. */
    public UserRegisters {
        Objects.requireNonNull(registers);
    }

    /**
     * The registers of a task.
     *
     * @param stacks of its kernel, which know what the vCPUs run
     * @throws LinuxException if they cannot be found; the message says why
     */
    public static UserRegisters of(Task task, Stacks stacks) {
        Optional<Vcpu> vcpu = stacks.vcpuOf(task.object());
        if (task.onCpu() && vcpu.isEmpty()) {
            throw new LinuxException("thread " + task.pid()
                    + " was running, and the registers of its vCPU are not in the dump");
        }
        if (vcpu.isPresent() && isUserMode(vcpu.get().registers().getOrElse(X86.CS, 0))) {
            return new UserRegisters(vcpu.get().registers(), -1);
        }
        try {
            return saved(task, vcpu);
        } catch (MemoryAccessException e) {
            throw notFound(task);
        }
    }

    private static boolean isUserMode(long selector) {
        return (selector & USER_MODE) == USER_MODE;
    }

    private static LinuxException notFound(Task task) {
        return new LinuxException("the registers of thread " + task.pid()
                + " are not where the kernel saves them: it has ended, or its stack is damaged or left out of the dump");
    }

    private static UserRegisters saved(Task task, Optional<Vcpu> vcpu) {
        Linux linux = task.object().linux();
        long stack = task.object().getLong("stack");
        for (long size : stack == 0 ? List.<Long>of() : stackSizes(linux)) {
            for (int padding : PADDINGS) {
                long at = stack + size - padding - SAVED;
                if (isSaved(linux, at)) {
                    return read(task, vcpu, at);
                }
            }
        }
        throw notFound(task);
    }

    private static List<Long> stackSizes(Linux linux) {
        List<Long> sizes = new ArrayList<>();
        for (String first : new String[] {"init_stack", "init_thread_union"}) {
            for (String end : new String[] {"__end_init_stack", "__end_init_task"}) {
                Optional<Long> start = linux.symbols().find(first).map(Symbol::address);
                linux.symbols().find(end).map(Symbol::address).ifPresent(address -> start
                        .filter(known -> known < address).ifPresent(known -> sizes.add(address - known)));
            }
        }
        for (long usual : USUAL_STACKS) {
            sizes.add(usual);
        }
        return sizes;
    }

    /** Whether what stands there was saved at the way from user mode. */
    private static boolean isSaved(Linux linux, long at) {
        byte[] bytes = new byte[SAVED];
        return linux.memory().readAvailable(at, MemorySegment.ofArray(bytes)) == SAVED
                && isUserMode(pushed(linux, at, 1) & SELECTOR)
                && isUserMode(pushed(linux, at, PUSHED.length - 1) & SELECTOR)
                && (pushed(linux, at, 2) & FIXED_FLAG) != 0
                && pushed(linux, at, 2) >>> Integer.SIZE == 0;
    }

    private static long pushed(Linux linux, long at, int index) {
        return linux.memory().readLong(at + FIRST_PUSHED_BY_PROCESSOR + (long) index * Long.BYTES);
    }

    private static UserRegisters read(Task task, Optional<Vcpu> vcpu, long at) {
        Linux linux = task.object().linux();
        RegisterState.Builder registers = RegisterState.builder();
        for (int i = 0; i < ORDER.length; i++) {
            registers.set(ORDER[i], linux.memory().readLong(at + (long) i * Long.BYTES));
        }
        for (int i = 0; i < PUSHED.length; i++) {
            boolean selector = PUSHED[i] == X86.CS || PUSHED[i] == X86.SS;
            registers.set(PUSHED[i], pushed(linux, at, i) & (selector ? SELECTOR : -1L));
        }
        if (vcpu.isPresent()) {
            RegisterState now = vcpu.get().registers();
            copy(now, X86.FS_BASE, registers, X86.FS_BASE);
            // The kernel has put its own in the other's place.
            copy(now, X86.KERNEL_GS_BASE, registers, X86.GS_BASE);
            for (X86 segment : new X86[] {X86.DS, X86.ES, X86.FS, X86.GS}) {
                copy(now, segment, registers, segment);
            }
        } else {
            KernelObject thread = task.object().get("thread");
            copy(thread, "fsbase", registers, X86.FS_BASE);
            copy(thread, "gsbase", registers, X86.GS_BASE);
            copy(thread, "ds", registers, X86.DS);
            copy(thread, "es", registers, X86.ES);
            copy(thread, "fsindex", registers, X86.FS);
            copy(thread, "gsindex", registers, X86.GS);
        }
        return new UserRegisters(registers.build(), linux.memory().readLong(at + SYSTEM_CALL));
    }

    private static void copy(RegisterState from, X86 source, RegisterState.Builder to, X86 target) {
        if (from.knows(source)) {
            to.set(target, from.get(source));
        }
    }

    private static void copy(KernelObject thread, String member, RegisterState.Builder to, X86 target) {
        if (thread.has(member)) {
            to.set(target, thread.getLong(member));
        }
    }
}
