package dev.guestcore.linux.stacks;

import dev.guestcore.linux.symbols.SymbolOffset;
import java.util.Objects;
import java.util.Optional;

/**
 * A frame of a kernel stack.
 *
 * @param address virtual address of the instruction that runs next in it: a return address, or where it was interrupted
 * @param symbol the function, and the distance of {@code address} from its start; the function is that of the call,
 *     also where the call is a function's last instruction
 * @param stackPointer virtual address of the stack when that instruction runs
 * @param foundBy how the frame was found
 * @param interrupted whether an interrupt, an exception or a system call found the frame there: the frames before it
 *     are those of the handler
 */
public record StackFrame(
        long address, Optional<SymbolOffset> symbol, long stackPointer, FoundBy foundBy, boolean interrupted) {

    /** How a frame was found, the surest first. */
    public enum FoundBy {
        /** By the registers of a vCPU, those that a task saved when it went to sleep, or those saved on the stack. */
        REGISTERS("registers"),
        /** By the kernel's own table of rules for this code. */
        ORC("orc"),
        /** By the chain of frame pointers, which nothing confirms. */
        FRAME_POINTER("frame pointer"),
        /** A word on the stack that is an address just behind a call. It may be left over from earlier. */
        GUESS("guess");

        private final String label;

        FoundBy(String label) {
            this.label = label;
        }

        /** As the user reads it, in lower case. */
        public String label() {
            return label;
        }
    }

    /** Checks for null. */
    public StackFrame {
        Objects.requireNonNull(symbol);
        Objects.requireNonNull(foundBy);
    }

    /** The function and the distance, or the address. */
    @Override
    public String toString() {
        return symbol.map(SymbolOffset::toString).orElse("0x%016x".formatted(address));
    }
}
