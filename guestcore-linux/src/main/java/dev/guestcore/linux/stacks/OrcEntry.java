package dev.guestcore.linux.stacks;

import java.util.Objects;

/**
 * How to get from one frame to its caller, for a range of code, whatever the version of the table that says it.
 *
 * @param stack where the caller's stack pointer comes from
 * @param stackOffset bytes to add
 * @param frame where the caller's frame pointer comes from: {@link Base#UNDEFINED} leaves it as it is,
 *     {@link Base#PREVIOUS_STACK} and {@link Base#BP} are addresses to load it from
 * @param frameOffset bytes to add to that address
 * @param kind what lies at the caller's stack pointer
 * @param signal whether the caller's instruction has not run yet, as after an interrupt, so that its address itself
 *     counts, and not the byte before
 */
public record OrcEntry(Base stack, int stackOffset, Base frame, int frameOffset, Kind kind, boolean signal) {

    /** A value that a stack or frame pointer is computed from. */
    public enum Base {
        /** Not said. */
        UNDEFINED,
        /** The caller's stack pointer, once it is known. */
        PREVIOUS_STACK,
        /** Register rax. */
        AX,
        /** Register rdx. */
        DX,
        /** Register rdi. */
        DI,
        /** Register rbp. */
        BP,
        /** Register rsp. */
        SP,
        /** Register r10. */
        R10,
        /** Register r13. */
        R13,
        /** The word at rbp plus offset. */
        BP_INDIRECT,
        /** The word at rsp, plus offset. */
        SP_INDIRECT
    }

    /** What lies at the caller's stack pointer. */
    public enum Kind {
        /** Unknown: the code cannot be unwound. */
        UNDEFINED,
        /** Nothing: this is the outermost frame. */
        END,
        /** The return address of a call lies just below it. */
        CALL,
        /** All registers, as {@code struct pt_regs} has them. */
        REGISTERS,
        /** Only what the processor itself pushes: instruction pointer, code segment, flags, stack pointer. */
        INTERRUPT_FRAME
    }

    /** The rule of code that keeps a frame pointer. */
    static final OrcEntry FRAME_POINTER =
            new OrcEntry(Base.BP, 16, Base.PREVIOUS_STACK, -16, Kind.CALL, false);

    /** The rule of a call to address 0, whose return address is on top of the stack. */
    static final OrcEntry NULL_CALL = new OrcEntry(Base.SP, 8, Base.UNDEFINED, 0, Kind.CALL, false);

    /** Checks for null. */
    public OrcEntry {
        Objects.requireNonNull(stack);
        Objects.requireNonNull(frame);
        Objects.requireNonNull(kind);
    }
}
