package dev.guestcore.linux.stacks;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.arch.arm64.Arm64;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.SymbolOffset;
import dev.guestcore.linux.types.KernelMember;
import dev.guestcore.linux.types.KernelType;
import dev.guestcore.linux.types.KernelTypes;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Unwinds kernel stacks of x86-64, by the ORC tables that the kernel holds in memory, and by frame pointers for code
 * that has none (made at run time, or all of a kernel that was built with frame pointers); and of arm64, by frame records.
 * Safe for use by several threads at once.
 *
 * <p>Stacks of a running guest may be torn and those of a hostile one arbitrary: a trace has at most
 * {@link #MOST_FRAMES} frames, a loop is noticed, and what cannot be followed is {@link StackTrace.End#BROKEN} and says
 * why.
 */
public final class StackUnwinder {

    /** How many frames a trace may have. */
    public static final int MOST_FRAMES = 512;

    /** How many entries are kept: most stacks are made of the same few functions. */
    private static final int MOST_CACHED = 1 << 14;

    /** The number of the register that points to the frame record. */
    private static final int FRAME_POINTER = 29;

    private final GuestMemory memory;
    private final KernelSymbols symbols;
    private final OrcTables tables;
    private final Optional<KernelType> sleepingFrame;
    private final Optional<KernelTypes> types;
    private final Map<Long, Optional<OrcEntry>> cache = new ConcurrentHashMap<>();

    private StackUnwinder(
            GuestMemory memory, KernelSymbols symbols, OrcTables tables, Optional<KernelTypes> types) {
        this.memory = memory;
        this.symbols = symbols;
        this.tables = tables;
        this.types = types;
        this.sleepingFrame = types.flatMap(known -> known.find("struct inactive_task_frame"));
    }

    /**
     * For one kernel. Reads little; the tables stay in guest memory.
     *
     * @param memory memory by the kernel's virtual addresses
     * @param symbols the symbols of the kernel and its modules
     * @param types the kernel's types; without them tasks that sleep and modules cannot be unwound
     */
    public static StackUnwinder of(GuestMemory memory, KernelSymbols symbols, Optional<KernelTypes> types) {
        return new StackUnwinder(
                Objects.requireNonNull(memory),
                Objects.requireNonNull(symbols),
                OrcTables.of(memory, symbols, types),
                types);
    }

    /** The kernel's own unwinding table; empty for a kernel that was built with frame pointers. */
    public Optional<OrcTable> kernelTable() {
        return tables.kernel();
    }

    /**
     * The stack of a task that does not run.
     *
     * @param stackPointer what the task saved as {@code thread.sp}: the address of its
     *     {@code struct inactive_task_frame}
     */
    public StackTrace ofSleeping(long stackPointer) {
        Optional<Long> returnAddress = member("ret_addr");
        Optional<Long> framePointer = member("bp");
        if (returnAddress.isEmpty() || framePointer.isEmpty()) {
            return StackTrace.unknown("the kernel has no description of struct inactive_task_frame");
        }
        long size = sleepingFrame.orElseThrow().size();
        try {
            long address = memory.readLong(stackPointer + returnAddress.get());
            RegisterState registers = RegisterState.builder()
                    .set(X86.RIP, address)
                    .set(X86.RSP, stackPointer + size)
                    .set(X86.RBP, memory.readLong(stackPointer + framePointer.get()))
                    .build();
            boolean neverRan = name(address).filter("ret_from_fork"::equals).isPresent()
                    || name(address).filter("ret_from_fork_asm"::equals).isPresent();
            return new StackWalk(this, registers, neverRan).run();
        } catch (MemoryAccessException e) {
            return new StackTrace(
                    List.of(), StackTrace.End.BROKEN, "the saved registers: " + e.getMessage(), Optional.empty());
        }
    }

    /**
     * The stack of a vCPU from its registers.
     *
     * @param registers at least rip and rsp; rbp and cs where known
     */
    public StackTrace ofRegisters(RegisterState registers) {
        if (!registers.knows(X86.RIP) || !registers.knows(X86.RSP)) {
            return StackTrace.unknown("the source does not know rip and rsp of the vCPU");
        }
        if (SavedRegisters.isUserMode(registers)) {
            return new StackTrace(List.of(), StackTrace.End.USER, "", Optional.of(registers));
        }
        return new StackWalk(this, registers, true).run();
    }

    /**
     * The stack of a task of arm64 that does not run, from what it saved in {@code thread.cpu_context}.
     *
     * @param pc where it goes on
     * @param sp its stack pointer
     * @param fp its frame pointer, x29
     * @param addressBits width of a virtual address; the bits above it authenticate pointers
     */
    public StackTrace ofSavedFrame(long pc, long sp, long fp, int addressBits) {
        return new FrameChain(this, types, addressBits).from(pc, sp, fp, false);
    }

    /**
     * The stack of a vCPU of arm64 from its registers.
     *
     * @param registers at least pc, sp and x29; pstate where known
     * @param addressBits width of a virtual address; the bits above it authenticate pointers
     */
    public StackTrace ofArm64(RegisterState registers, int addressBits) {
        if (!registers.knows(Arm64.PC) || !registers.knows(Arm64.SP) || !registers.knows(Arm64.x(FRAME_POINTER))) {
            return StackTrace.unknown("the source does not know pc, sp and x29 of the vCPU");
        }
        if (FrameChain.isUserMode(registers)) {
            return new StackTrace(List.of(), StackTrace.End.USER, "", Optional.of(registers));
        }
        return new FrameChain(this, types, addressBits)
                .from(registers.get(Arm64.PC), registers.get(Arm64.SP), registers.get(Arm64.x(FRAME_POINTER)), true);
    }

    private Optional<Long> member(String name) {
        return sleepingFrame.flatMap(type -> type.member(name)).map(KernelMember::offset);
    }

    private Optional<String> name(long address) {
        return symbols.at(address).map(at -> at.symbol().name());
    }

    GuestMemory memory() {
        return memory;
    }

    /** The function that an address belongs to, with the distance of the address. */
    Optional<SymbolOffset> symbolAt(long address, boolean exact) {
        if (exact) {
            return symbols.at(address);
        }
        // A call that does not return may be the last instruction of its function.
        return symbols.at(address - 1).map(at -> new SymbolOffset(at.symbol(), at.offset() + 1));
    }

    /** Whether it is an address of the kernel's or a module's code. */
    boolean isCode(long address) {
        return symbols.at(address).filter(at -> at.symbol().isCode()).isPresent();
    }

    /** Whether the kernel unwinds by tables. */
    boolean hasTables() {
        return tables.kernel().isPresent();
    }

    /**
     * The rule for an address; empty where no table covers it.
     *
     * @throws MemoryAccessException if the table is not readable there
     */
    Optional<OrcEntry> rule(long address) {
        Optional<OrcEntry> known = cache.get(address);
        if (known != null) {
            return known;
        }
        Optional<OrcEntry> found = tables.at(address).flatMap(table -> table.find(address));
        if (cache.size() >= MOST_CACHED) {
            cache.clear();
        }
        cache.put(address, found);
        return found;
    }
}
