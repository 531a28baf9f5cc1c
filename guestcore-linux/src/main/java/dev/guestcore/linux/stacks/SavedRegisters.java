package dev.guestcore.linux.stacks;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Registers that the kernel saved on a stack: {@code struct pt_regs} of x86-64, 21 words, of which the processor itself
 * pushes the last five (Linux, {@code arch/x86/include/asm/ptrace.h}).
 */
final class SavedRegisters {

    /** Where the part begins that the processor pushes. */
    static final int INTERRUPT_FRAME = 128;

    private static final int IP = 128;
    private static final int CS = 136;
    private static final int SP = 152;
    private static final int END = 168;
    private static final int USER_MODE = 3;

    private static final Map<X86, Integer> PLACES = places();

    private SavedRegisters() {}

    private static Map<X86, Integer> places() {
        Map<X86, Integer> places = new LinkedHashMap<>();
        X86[] order = {
            X86.R15, X86.R14, X86.R13, X86.R12, X86.RBP, X86.RBX, X86.R11, X86.R10, X86.R9, X86.R8, X86.RAX, X86.RCX,
            X86.RDX, X86.RSI, X86.RDI
        };
        for (int i = 0; i < order.length; i++) {
            places.put(order[i], i * Long.BYTES);
        }
        places.put(X86.RIP, IP);
        places.put(X86.CS, CS);
        places.put(X86.RFLAGS, CS + Long.BYTES);
        places.put(X86.RSP, SP);
        places.put(X86.SS, END - Long.BYTES);
        return Map.copyOf(places);
    }

    /**
     * Reads them.
     *
     * @param start where the structure begins, or would begin if all of it were there
     * @param whole whether all of it is there, or what the processor pushes only
     * @throws MemoryAccessException if that is not readable
     */
    static RegisterState read(GuestMemory memory, long start, boolean whole) {
        RegisterState.Builder builder = RegisterState.builder();
        PLACES.forEach((register, place) -> {
            if (whole || place >= INTERRUPT_FRAME) {
                builder.set(register, memory.readLong(start + place));
            }
        });
        return builder.build();
    }

    /** Whether registers are those of a program. */
    static boolean isUserMode(RegisterState registers) {
        return (registers.getOrElse(X86.CS, 0) & USER_MODE) == USER_MODE;
    }
}
