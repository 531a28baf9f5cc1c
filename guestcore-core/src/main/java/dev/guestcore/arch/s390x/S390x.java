package dev.guestcore.arch.s390x;

import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterTable;

/**
 * Registers of a 64-bit IBM Z vCPU (z/Architecture Principles of Operation, chapter 2), under the names of gdb: the two
 * halves of the program-status word, general, access and control registers, and the prefix.
 */
public final class S390x {

    static final RegisterTable TABLE = RegisterTable.of(() -> S390xArchitecture.INSTANCE)
            .and(Register.Group.GENERAL, 64, "pswm pswa r0..r15")
            .and(Register.Group.GENERAL, 32, "acr0..acr15")
            .and(Register.Group.CONTROL, 64, "cr0..cr15")
            .and(Register.Group.CONTROL, 32, "prefix")
            .build();

    /** Mask of the program-status word. */
    public static final Register PSWM = TABLE.named("pswm");

    /** Address of the program-status word. */
    public static final Register PSWA = TABLE.named("pswa");

    /** Where the vCPU's own page pair lies that it sees at real address 0. */
    public static final Register PREFIX = TABLE.named("prefix");

    private S390x() {}

    /** The general register of a number from 0 to 15; 15 is the stack pointer. */
    public static Register r(int number) {
        return TABLE.named("r" + number);
    }

    /** The control register of a number from 0 to 15. */
    public static Register control(int number) {
        return TABLE.named("cr" + number);
    }
}
