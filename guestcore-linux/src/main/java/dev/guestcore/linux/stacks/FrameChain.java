package dev.guestcore.linux.stacks;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.arch.arm64.Arm64;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.linux.stacks.StackFrame.FoundBy;
import dev.guestcore.linux.types.KernelType;
import dev.guestcore.linux.types.KernelTypes;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A walk up a stack of arm64 by frame records (Procedure Call Standard for the Arm 64-bit Architecture, "The frame pointer"; Linux,
 * arch/arm64/kernel/stacktrace.c): x29 points to two words, the caller's x29 and the return address. What an exception interrupted
 * is a frame record, too, in the registers that were saved. Bits that authenticate a return address are taken out. Not thread-safe.
 */
final class FrameChain {

    /** A stack is aligned to its size, 16 KiB or more: a record in another such block may be on another stack. */
    private static final int STACK_SHIFT = 14;

    /** From a task's stack to that of an interrupt, of an overflow, of a debugger. */
    private static final int MOST_STACKS = 8;

    private static final int ALIGNMENT = 8;
    private static final int GENERAL = 31;
    private static final long EXCEPTION_LEVEL = 0xf;

    /** Set in every address of the kernel, authenticated or not. */
    private static final long KERNEL = 1L << 55;

    private final StackUnwinder unwinder;
    private final GuestMemory memory;
    private final Optional<KernelTypes> types;
    private final int addressBits;
    private final List<StackFrame> frames = new ArrayList<>();

    FrameChain(StackUnwinder unwinder, Optional<KernelTypes> types, int addressBits) {
        this.unwinder = unwinder;
        this.memory = unwinder.memory();
        this.types = types;
        this.addressBits = addressBits;
    }

    StackTrace from(long pc, long sp, long fp, boolean exact) {
        frames.add(new StackFrame(pc, unwinder.symbolAt(pc, exact), sp, FoundBy.REGISTERS, false));
        Set<Long> visited = new HashSet<>();
        long record = fp;
        int stacks = 0;
        try {
            while (record != 0) {
                if (frames.size() >= StackUnwinder.MOST_FRAMES) {
                    return broken("more than " + StackUnwinder.MOST_FRAMES + " frames");
                }
                if (record >= 0 || record % ALIGNMENT != 0 || !visited.add(record)) {
                    return broken("its frame pointer " + hex(record) + " leads nowhere");
                }
                long next = memory.readLong(record);
                long address = plain(memory.readLong(record + Long.BYTES));
                if (next == 0 && address == 0) {
                    return end(record);
                }
                if (!unwinder.isCode(address - 1) && !unwinder.isCode(address)) {
                    return broken(hex(address) + " is no address of kernel code");
                }
                frames.add(new StackFrame(
                        address, unwinder.symbolAt(address, false), record + 2 * Long.BYTES, FoundBy.FRAME_POINTER,
                        false));
                if (next != 0 && (next ^ record) >>> STACK_SHIFT != 0 && ++stacks > MOST_STACKS) {
                    return broken("its frames lie on more than " + MOST_STACKS + " stacks");
                }
                if (next != 0 && (next ^ record) >>> STACK_SHIFT == 0 && next <= record) {
                    return broken("the stack goes in the wrong direction, from " + hex(record) + " to " + hex(next));
                }
                record = next;
            }
        } catch (MemoryAccessException e) {
            return broken(e.getMessage());
        }
        return new StackTrace(frames, StackTrace.End.KERNEL, "", Optional.empty());
    }

    private StackTrace broken(String reason) {
        return new StackTrace(frames, StackTrace.End.BROKEN, reason, Optional.empty());
    }

    /** A return address without the bits that authenticate it. */
    private long plain(long address) {
        return (address & KERNEL) != 0 ? address | -1L << addressBits : address;
    }

    /** The last record lies in the registers with which the task came from user mode, or began. */
    private StackTrace end(long record) {
        Optional<RegisterState> saved = types.flatMap(known -> known.find("struct pt_regs"))
                .flatMap(type -> type.member("stackframe")
                        .map(member -> record - member.offset())
                        .flatMap(start -> registers(type, start)))
                .filter(FrameChain::isOfProgram);
        return new StackTrace(
                frames, saved.isPresent() ? StackTrace.End.USER : StackTrace.End.KERNEL, "", saved);
    }

    private Optional<RegisterState> registers(KernelType type, long start) {
        Optional<Long> sp = offset(type, "sp");
        Optional<Long> pc = offset(type, "pc");
        Optional<Long> state = offset(type, "pstate");
        Optional<Long> general = offset(type, "regs");
        if (sp.isEmpty() || pc.isEmpty() || state.isEmpty() || general.isEmpty()) {
            return Optional.empty();
        }
        RegisterState.Builder builder = RegisterState.builder()
                .set(Arm64.SP, memory.readLong(start + sp.get()))
                .set(Arm64.PC, memory.readLong(start + pc.get()))
                .set(Arm64.PSTATE, memory.readLong(start + state.get()));
        for (int i = 0; i < GENERAL; i++) {
            builder.set(Arm64.x(i), memory.readLong(start + general.get() + (long) i * Long.BYTES));
        }
        return Optional.of(builder.build());
    }

    private static Optional<Long> offset(KernelType type, String member) {
        return type.member(member).map(found -> found.offset());
    }

    /** Whether registers are those of a program: exception level 0, also of 32 bits. */
    static boolean isUserMode(RegisterState registers) {
        return registers.knows(Arm64.PSTATE) && (registers.get(Arm64.PSTATE) & EXCEPTION_LEVEL) == 0;
    }

    /** Idle tasks have zeros there. */
    private static boolean isOfProgram(RegisterState saved) {
        return isUserMode(saved) && saved.get(Arm64.PC) != 0 && (saved.get(Arm64.PC) & KERNEL) == 0;
    }

    private static String hex(long value) {
        return "0x%016x".formatted(value);
    }
}
