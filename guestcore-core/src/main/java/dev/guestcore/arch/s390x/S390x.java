package dev.guestcore.arch.s390x;

import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterTable;

/**
 * Registers of a 64-bit IBM Z vCPU (z/Architecture Principles of Operation, chapter 2), under the names of gdb: the two
 * halves of the program-status word, general, access and control registers, the prefix, clocks ({@code ckc} is the clock
 * comparator, {@code cputm} the CPU timer, {@code todpreg} the programmable TOD register), guarded storage, floating point and
 * vectors. {@code f0} to {@code f15} are the upper halves of {@code v0} to {@code v15}.
 */
public final class S390x {

    static final RegisterTable TABLE = RegisterTable.of(() -> S390xArchitecture.INSTANCE)
            .and(Register.Group.GENERAL, 64, "pswm pswa r0..r15")
            .and(Register.Group.GENERAL, 32, "acr0..acr15")
            .and(Register.Group.CONTROL, 64, "cr0..cr15")
            .and(Register.Group.CONTROL, 32, "prefix")
            .and(Register.Group.CONTROL, 64, "ckc cputm last_break pp pfault_token pfault_select pfault_compare")
            .and(Register.Group.CONTROL, 32, "todpreg")
            .and(Register.Group.CONTROL, 64, "gsd gssm gsepl etoken etoken_extension diag318_info")
            .and(Register.Group.FPU, 32, "fpc")
            .and(Register.Group.FPU, 64, "f0..f15")
            .and(Register.Group.VECTOR, 128, "v0..v31")
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

    /** The access register of a number from 0 to 15. */
    public static Register access(int number) {
        return TABLE.named("acr" + number);
    }

    /** The floating-point register of a number from 0 to 15. */
    public static Register f(int number) {
        return TABLE.named("f" + number);
    }

    /** The vector register of a number from 0 to 31. */
    public static Register v(int number) {
        return TABLE.named("v" + number);
    }

    /** The register of a name, which exists. */
    public static Register named(String label) {
        return TABLE.named(label);
    }
}
