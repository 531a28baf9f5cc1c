package dev.guestcore.arch.riscv64;

import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterTable;
import java.util.List;

/**
 * Registers of a 64-bit RISC-V vCPU by the names of its calling convention (RISC-V psABI) and of the privileged architecture;
 * {@code x0} is always zero. {@code priv} is the mode: 0 user, 1 supervisor, 3 machine; {@code virt} is 1 while
 * a guest of the hypervisor extension runs.
 */
public final class Riscv64 {

    private static final String MACHINE =
            "mhartid misa mstatus mie mip mideleg medeleg mtvec mepc mcause mtval mtval2 mtinst"
                    + " mscratch mcounteren mcountinhibit miselect menvcfg";
    private static final String SUPERVISOR =
            "sstatus stvec sepc scause stval sscratch scounteren siselect stimecmp senvcfg";
    private static final String HYPERVISOR = "virt hstatus hedeleg hideleg hcounteren htval htinst hgatp hgeie hgeip"
            + " htimedelta hvictl henvcfg vsstatus vstvec vsscratch vsepc vscause vstval vsatp vsiselect vstimecmp";

    static final RegisterTable TABLE = RegisterTable.of(() -> Riscv64Architecture.INSTANCE)
            .and(Register.Group.GENERAL, 64, "pc ra sp gp tp t0..t2 s0..s1 a0..a7 s2..s11 t3..t6")
            .and(Register.Group.CONTROL, 64, "satp priv")
            .and(Register.Group.CONTROL, 64, MACHINE)
            .and(Register.Group.CONTROL, 64, SUPERVISOR)
            .and(Register.Group.CONTROL, 64, HYPERVISOR)
            .and(Register.Group.FPU, 64, "ft0..ft7 fs0..fs1 fa0..fa7 fs2..fs11 ft8..ft11")
            .and(Register.Group.FPU, 32, "fflags frm fcsr")
            .and(Register.Group.VECTOR, 64, "vstart vl vtype vlenb vcsr vxrm vxsat")
            .andScalable(Register.Group.VECTOR, 65536, "v0..v31")
            .build();

    /** Program counter. */
    public static final Register PC = TABLE.named("pc");

    /** Stack pointer. */
    public static final Register SP = TABLE.named("sp");

    /** Page-table root and mode of translation. */
    public static final Register SATP = TABLE.named("satp");

    /** Mode: 0 user, 1 supervisor, 3 machine. */
    public static final Register PRIV = TABLE.named("priv");

    private static final List<String> GENERAL =
            RegisterTable.labels("ra sp gp tp t0..t2 s0..s1 a0..a7 s2..s11 t3..t6").toList();
    private static final List<String> FLOATING =
            RegisterTable.labels("ft0..ft7 fs0..fs1 fa0..fa7 fs2..fs11 ft8..ft11").toList();

    private Riscv64() {}

    /** The register of a name, which exists. */
    public static Register named(String label) {
        return TABLE.named(label);
    }

    /** The general register of a number from 1 to 31. */
    public static Register x(int number) {
        return TABLE.named(GENERAL.get(number - 1));
    }

    /** The floating-point register of a number from 0 to 31. */
    public static Register f(int number) {
        return TABLE.named(FLOATING.get(number));
    }
}
