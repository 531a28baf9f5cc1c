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
            .and(Register.Group.CONTROL, 64, "sctlr_el1 ttbr0_el1 ttbr1_el1 tcr_el1 tcr2_el1 mair_el1 pir_el1 pire0_el1")
            .and(Register.Group.CONTROL, 64, "hcr_el2 sctlr_el2 ttbr0_el2 ttbr1_el2 tcr_el2 vttbr_el2 vtcr_el2")
            .build();

    /** Stack pointer. */
    public static final Register SP = TABLE.named("sp");

    /** Program counter. */
    public static final Register PC = TABLE.named("pc");

    /** State of the process: flags, exception level, masks of interrupts. */
    public static final Register PSTATE = TABLE.named("pstate");

    private Arm64() {}

    /** The general register of a number from 0 to 30; 29 is the frame pointer, 30 the link register. */
    public static Register x(int number) {
        return TABLE.named("x" + number);
    }
}
