package dev.guestcore.arch.riscv64;

import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterTable;

/**
 * Registers of a 64-bit RISC-V vCPU by the names of its calling convention (RISC-V psABI) and of the privileged architecture;
 * {@code x0} is always zero. {@code priv} is the mode: 0 user, 1 supervisor, 3 machine.
 */
public final class Riscv64 {

    static final RegisterTable TABLE = RegisterTable.of(() -> Riscv64Architecture.INSTANCE)
            .and(Register.Group.GENERAL, 64, "pc ra sp gp tp t0..t2 s0..s1 a0..a7 s2..s11 t3..t6")
            .and(Register.Group.CONTROL, 64, "satp priv")
            .build();

    /** Program counter. */
    public static final Register PC = TABLE.named("pc");

    /** Stack pointer. */
    public static final Register SP = TABLE.named("sp");

    /** Page-table root and mode of translation. */
    public static final Register SATP = TABLE.named("satp");

    /** Mode: 0 user, 1 supervisor, 3 machine. */
    public static final Register PRIV = TABLE.named("priv");

    private Riscv64() {}
}
