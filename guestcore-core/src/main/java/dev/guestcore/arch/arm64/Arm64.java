package dev.guestcore.arch.arm64;

import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterTable;

/**
 * Registers of an AArch64 vCPU under the names of the manual in lower case (Arm Architecture Reference Manual, parts B1.2.1
 * and D23). {@link #SP} is the stack pointer that the vCPU uses, of its exception level or of EL0; {@link #PSTATE} has the
 * layout of SPSR_ELx.
 */
public final class Arm64 {

    static final RegisterTable TABLE = RegisterTable.of(() -> Arm64Architecture.INSTANCE)
            .and(Register.Group.GENERAL, 64, "x0..x30 sp pc pstate")
            .and(Register.Group.CONTROL, 64, Arm64SystemRegisters.labels())
            .and(Register.Group.CONTROL, 64, "sp_el3 pauth_dmask pauth_cmask")
            .and(Register.Group.DEBUG, 64, Arm64SystemRegisters.debugLabels())
            .and(Register.Group.FPU, 32, "fpsr fpcr")
            .and(Register.Group.VECTOR, 128, "v0..v31")
            .and(Register.Group.VECTOR, 64, "vg")
            .andScalable(Register.Group.VECTOR, 2048, "z0..z31")
            .andScalable(Register.Group.VECTOR, 256, "p0..p15 ffr")
            .andScalable(Register.Group.VECTOR, 2048 / Byte.SIZE * 2048, "za")
            .build();

    /** Stack pointer. */
    public static final Register SP = TABLE.named("sp");

    /** Program counter. */
    public static final Register PC = TABLE.named("pc");

    /** State of the process: flags, exception level, masks of interrupts. */
    public static final Register PSTATE = TABLE.named("pstate");

    /** Control and status of floating point. */
    public static final Register FPCR = TABLE.named("fpcr");

    /** Status of floating point. */
    public static final Register FPSR = TABLE.named("fpsr");

    /** Length of SVE's vectors in units of 64 bits. */
    public static final Register VG = TABLE.named("vg");

    /** First faults of SVE, a bit for each byte of a vector. */
    public static final Register FFR = TABLE.named("ffr");

    /** SME's array, row after row. */
    public static final Register ZA = TABLE.named("za");

    /** Which bits of a pointer to data authenticate it; gdb's name. */
    public static final Register PAUTH_DATA_MASK = TABLE.named("pauth_dmask");

    /** Which bits of a pointer to code authenticate it; gdb's name. */
    public static final Register PAUTH_CODE_MASK = TABLE.named("pauth_cmask");

    private Arm64() {}

    /** The general register of a number from 0 to 30; 29 is the frame pointer, 30 the link register. */
    public static Register x(int number) {
        return TABLE.named("x" + number);
    }

    /** The vector register of a number from 0 to 31, its lower 128 bits where the processor has more. */
    public static Register v(int number) {
        return TABLE.named("v" + number);
    }

    /** The scalable vector register of a number from 0 to 31. */
    public static Register z(int number) {
        return TABLE.named("z" + number);
    }

    /** The predicate register of a number from 0 to 15. */
    public static Register p(int number) {
        return TABLE.named("p" + number);
    }

    /** The system register of a name in lower case ("ttbr0_el1"). */
    public static Register system(String label) {
        return TABLE.named(label);
    }
}
