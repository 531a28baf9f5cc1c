package dev.guestcore.arch.x86;

import dev.guestcore.cpu.RegisterState;

/**
 * The full x87 tag word out of FXSAVE's abridged one and the registers themselves (Intel SDM volume 1, section 8.1.7
 * and table 10-1): two bits a register, 0 valid, 1 zero, 2 special, 3 empty.
 */
final class X87Tags {

    private static final int REGISTERS = 8;
    private static final int SPECIAL_EXPONENT = 0x7fff;
    private static final int VALID = 0;
    private static final int ZERO = 1;
    private static final int SPECIAL = 2;
    private static final int EMPTY = 3;

    private X87Tags() {}

    /** Whether the source knows what is needed. */
    static boolean areKnown(RegisterState registers) {
        return registers.knows(X86.FTW) && registers.knows(X86.FSW) && registers.knows(X86.ST0);
    }

    /** The tag word, 16 bits. */
    static int word(RegisterState registers) {
        int inUse = (int) registers.get(X86.FTW);
        int top = (int) (registers.get(X86.FSW) >>> 11) & 7;
        int word = 0;
        for (int physical = 0; physical < REGISTERS; physical++) {
            X86 register = X86.st(physical - top & 7);
            boolean used = (inUse & 1 << physical) != 0 && registers.knows(register);
            word |= (used ? tag(registers.bytes(register)) : EMPTY) << 2 * physical;
        }
        return word;
    }

    private static int tag(byte[] extended) {
        int exponent = (extended[9] & 0x7f) << 8 | extended[8] & 0xff;
        boolean fractionZero = true;
        for (int i = 0; i < Long.BYTES; i++) {
            fractionZero &= extended[i] == 0;
        }
        if (exponent == 0) {
            return fractionZero ? ZERO : SPECIAL;
        }
        boolean integerBit = extended[7] < 0;
        return exponent == SPECIAL_EXPONENT || !integerBit ? SPECIAL : VALID;
    }
}
