package dev.guestcore.linux.stacks;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.linux.stacks.StackFrame.FoundBy;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** One walk up a stack, as the kernel itself does it (Linux, {@code unwind_next_frame}). Not thread-safe. */
final class StackWalk {

    /** The largest kernel stack that is in use (with KASAN), which no frame exceeds. */
    private static final long LARGEST_STACK = 1L << 15;

    /** Stacks are aligned to their size, 16 KiB: two addresses that differ in the low bits only are of the same one. */
    private static final int STACK_SHIFT = 14;

    private final StackUnwinder unwinder;
    private final GuestMemory memory;
    private final List<StackFrame> frames = new ArrayList<>();
    private final Set<Place> visited = new HashSet<>();

    private long ip;
    private long sp;
    private long bp;
    private boolean exact;
    private FoundBy foundBy = FoundBy.REGISTERS;

    /** The registers of this frame, as far as an interrupt saved them. */
    private @Nullable RegisterState registers;

    /** All registers of a frame further in, where those of this frame are a part only. */
    private @Nullable RegisterState earlier;

    /** Where a walk has been. */
    private record Place(long ip, long sp) {}

    /** The walk cannot go on. */
    private static final class BrokenException extends Exception {

        private static final long serialVersionUID = 1L;

        BrokenException(String reason) {
            super(reason, null, false, false);
        }
    }

    StackWalk(StackUnwinder unwinder, RegisterState registers, boolean exact) {
        this.unwinder = unwinder;
        this.memory = unwinder.memory();
        this.registers = registers;
        this.exact = exact;
        this.ip = registers.get(X86.RIP);
        this.sp = registers.get(X86.RSP);
        this.bp = registers.getOrElse(X86.RBP, 0);
    }

    StackTrace run() {
        try {
            while (true) {
                addFrame();
                OrcEntry rule = rule();
                if (rule.kind() == OrcEntry.Kind.END) {
                    return new StackTrace(frames, StackTrace.End.KERNEL, "", Optional.empty());
                }
                if (atOldestFrame(rule)) {
                    return new StackTrace(frames, StackTrace.End.KERNEL, "", Optional.empty());
                }
                step(rule);
                RegisterState saved = registers;
                if (saved != null && SavedRegisters.isUserMode(saved)) {
                    return new StackTrace(frames, StackTrace.End.USER, "", Optional.of(saved));
                }
            }
        } catch (BrokenException e) {
            return broken(String.valueOf(e.getMessage()));
        } catch (MemoryAccessException e) {
            return broken(e.getMessage());
        }
    }

    private StackTrace broken(String reason) {
        frames.addAll(new StackGuess(unwinder, sp, StackUnwinder.MOST_FRAMES - frames.size()).frames());
        return new StackTrace(frames, StackTrace.End.BROKEN, reason, Optional.empty());
    }

    private void addFrame() throws BrokenException {
        if (frames.size() >= StackUnwinder.MOST_FRAMES) {
            throw new BrokenException("more than " + StackUnwinder.MOST_FRAMES + " frames");
        }
        if (!visited.add(new Place(ip, sp))) {
            throw new BrokenException("the stack runs in a circle at " + hex(sp));
        }
        if (ip >= 0 && !frames.isEmpty()) {
            throw new BrokenException(hex(ip) + " is no address of kernel code");
        }
        frames.add(new StackFrame(ip, unwinder.symbolAt(ip, exact), sp, foundBy, exact && frames.size() > 0));
    }

    private OrcEntry rule() throws BrokenException {
        if (ip == 0) {
            foundBy = FoundBy.ORC;
            return OrcEntry.NULL_CALL;
        }
        Optional<OrcEntry> found = unwinder.rule(exact ? ip : ip - 1);
        if (found.isEmpty()) {
            foundBy = FoundBy.FRAME_POINTER;
            return OrcEntry.FRAME_POINTER;
        }
        if (found.get().kind() == OrcEntry.Kind.UNDEFINED) {
            throw new BrokenException("the kernel has no rule for unwinding " + frames.getLast());
        }
        foundBy = FoundBy.ORC;
        return found.get();
    }

    /** Kernels with frame pointers end the chain with a zero. */
    private boolean atOldestFrame(OrcEntry rule) {
        return rule == OrcEntry.FRAME_POINTER && !unwinder.hasTables() && bp == 0;
    }

    private void step(OrcEntry rule) throws BrokenException {
        if (rule == OrcEntry.FRAME_POINTER && !unwinder.hasTables() && (bp & 1) != 0) {
            // Kernels with frame pointers mark saved registers by an odd frame pointer (ENCODE_FRAME_POINTER).
            enterRegisters(bp - 1, true);
            bp = registerValue(X86.RBP);
            return;
        }
        long from = sp;
        long to = callersStack(rule);
        if (rule == OrcEntry.FRAME_POINTER && (to <= from || to - from > LARGEST_STACK)) {
            throw new BrokenException("no rule for unwinding " + frames.getLast() + ", and its frame pointer " + hex(bp)
                    + " leads nowhere");
        }
        exact = rule.signal();
        long before = bp;
        switch (rule.kind()) {
            case CALL -> {
                ip = memory.readLong(to - Long.BYTES);
                sp = to;
                bp = framePointer(rule, to, before);
                registers = null;
                earlier = null;
            }
            case REGISTERS -> {
                RegisterState keep = registers;
                enterRegisters(to, true);
                bp = framePointer(rule, to, before);
                earlier = keep;
            }
            case INTERRUPT_FRAME -> {
                RegisterState keep = registers;
                enterRegisters(to - SavedRegisters.INTERRUPT_FRAME, false);
                if (keep != null && keep.knows(X86.RBX)) {
                    earlier = keep;
                }
                bp = framePointer(rule, to, before);
            }
            default -> throw new BrokenException("the kernel has no rule for unwinding " + frames.getLast());
        }
        if (sp <= from && (sp ^ from) >>> STACK_SHIFT == 0) {
            throw new BrokenException("the stack goes in the wrong direction, from " + hex(from) + " to " + hex(sp));
        }
    }

    private void enterRegisters(long start, boolean whole) {
        RegisterState saved = SavedRegisters.read(memory, start, whole);
        registers = saved;
        ip = saved.get(X86.RIP);
        sp = saved.get(X86.RSP);
        exact = true;
    }

    private long callersStack(OrcEntry rule) throws BrokenException {
        int offset = rule.stackOffset();
        return switch (rule.stack()) {
            case SP -> sp + offset;
            case BP -> bp + offset;
            case SP_INDIRECT -> memory.readLong(sp) + offset;
            case BP_INDIRECT -> memory.readLong(bp + offset);
            case AX -> registerValue(X86.RAX) + offset;
            case DX -> registerValue(X86.RDX) + offset;
            case DI -> registerValue(X86.RDI) + offset;
            case R10 -> registerValue(X86.R10) + offset;
            case R13 -> registerValue(X86.R13) + offset;
            case UNDEFINED, PREVIOUS_STACK ->
                    throw new BrokenException("the kernel has no rule for unwinding " + frames.getLast());
        };
    }

    /** A register of this frame that nobody changed since it was saved. */
    private long registerValue(X86 register) throws BrokenException {
        for (RegisterState state : new @Nullable RegisterState[] {registers, earlier}) {
            if (state != null && state.knows(register)) {
                return state.get(register);
            }
        }
        throw new BrokenException(
                register.label() + " is needed for unwinding " + frames.getLast() + ", but was not saved");
    }

    private long framePointer(OrcEntry rule, long to, long before) throws BrokenException {
        return switch (rule.frame()) {
            case PREVIOUS_STACK -> memory.readLong(to + rule.frameOffset());
            case BP -> memory.readLong(before + rule.frameOffset());
            case UNDEFINED -> {
                RegisterState saved = rule.kind() == OrcEntry.Kind.CALL ? null : registers;
                yield saved != null && saved.knows(X86.RBP) ? saved.get(X86.RBP) : before;
            }
            default -> throw new BrokenException("the kernel has no rule for unwinding " + frames.getLast());
        };
    }

    private static String hex(long value) {
        return "0x%016x".formatted(value);
    }
}
