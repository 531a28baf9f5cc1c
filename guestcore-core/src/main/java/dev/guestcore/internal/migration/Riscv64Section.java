package dev.guestcore.internal.migration;

import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.riscv64.Riscv64;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.RegisterState;
import java.util.List;
import java.util.Optional;

/**
 * The section of a riscv64 vCPU as registers (QEMU, target/riscv/machine.c): env.gpr, env.fpr, env.pc, env.priv, and control and
 * status registers under their names.
 *
 * <pre>
 * env.virt, env.virt_enabled   1 while a guest of the hypervisor extension runs: then env.stvec and its like are that guest's
 *                              registers, and env.vstvec is old
 * env.sbadaddr, mbadaddr       stval, mtval before QEMU 6.0
 * env.mstatus, vsstatus        without SD, which is set while FS, VS or XS is 3; env.hstatus without VSXL, which is 2
 * env.vreg                     vectors, by a length that the stream does not have: they stay unknown
 * </pre>
 */
final class Riscv64Section implements VcpuSection {

    private static final int GENERAL = 32;

    private static final List<String> SAME_NAME = List.of("mhartid", "mstatus", "mie", "mip", "mideleg", "medeleg",
            "mtvec",
            "mepc", "mcause", "mtval", "mtval2", "mtinst", "mscratch", "mcounteren", "mcountinhibit", "miselect",
            "menvcfg",
            "stvec", "sepc", "scause", "stval", "sscratch", "scounteren", "siselect", "stimecmp", "senvcfg", "satp",
            "priv",
            "hstatus", "hedeleg", "hideleg", "hcounteren", "htval", "htinst", "hgatp", "hgeie", "hgeip", "htimedelta",
            "hvictl", "henvcfg", "vsstatus", "vstvec", "vsscratch", "vsepc", "vscause", "vstval", "vsatp", "vsiselect",
            "vstimecmp", "frm", "vstart", "vl", "vtype", "vxrm", "vxsat");

    /** Of those, what QEMU swaps with the supervisor's while a guest of the hypervisor extension runs. */
    private static final List<String> SWAPPED = List.of("tvec", "scratch", "epc", "cause", "tval", "atp");

    /** VS, FS and XS of mstatus (RISC-V privileged architecture, section 3.1.6.6). */
    private static final List<Long> DIRTY_FIELDS = List.of(3L << 9, 3L << 13, 3L << 15);

    private static final long DIRTY = 1L << 63;
    private static final long WIDTH_64 = 2L << 32;

    private final DeviceFields fields;

    private Riscv64Section(DeviceFields fields) {
        this.fields = fields;
    }

    static Optional<VcpuSection> read(DeviceFields fields) {
        boolean riscv = fields.isNumbers("env.gpr", GENERAL)
                && fields.field("env.gpr").orElseThrow().size() == Long.BYTES
                && fields.isNumbers("env.pc", 1);
        return riscv ? Optional.of(new Riscv64Section(fields)) : Optional.empty();
    }

    @Override
    public Architecture architecture() {
        return Architectures.RISCV64;
    }

    @Override
    public RegisterState.Builder registers(boolean kvm) {
        RegisterState.Builder registers = RegisterState.builder();
        registers.set(Riscv64.PC, number("env.pc").orElseThrow());
        DeviceFields.Field general = fields.field("env.gpr").orElseThrow();
        for (int i = 1; i < GENERAL; i++) {
            registers.set(Riscv64.x(i), fields.number(general, i));
        }
        if (fields.isNumbers("env.fpr", GENERAL)) {
            DeviceFields.Field floating = fields.field("env.fpr").orElseThrow();
            for (int i = 0; i < GENERAL; i++) {
                registers.set(Riscv64.f(i), fields.number(floating, i));
            }
        }
        number("env.sbadaddr").ifPresent(value -> registers.set(Riscv64.named("stval"), value));
        number("env.mbadaddr").ifPresent(value -> registers.set(Riscv64.named("mtval"), value));
        for (String name : SAME_NAME) {
            number("env." + name).ifPresent(value -> registers.set(Riscv64.named(name), whole(name, value)));
        }
        Optional<Long> virtual = number("env.virt_enabled").or(() -> number("env.virt"));
        virtual.ifPresent(value -> {
            registers.set(Riscv64.named("virt"), value & 1);
            if ((value & 1) != 0) {
                for (String name : SWAPPED) {
                    number("env.s" + name).ifPresent(own -> registers.set(Riscv64.named("vs" + name), own));
                }
                registers.forget(Riscv64.named("vsstatus"));
            }
        });
        return registers;
    }

    private static long whole(String name, long value) {
        return switch (name) {
            case "mstatus", "vsstatus" -> DIRTY_FIELDS.stream().anyMatch(mask -> (value & mask) == mask)
                    ? value | DIRTY
                    : value;
            case "hstatus" -> value | WIDTH_64;
            default -> value;
        };
    }

    @Override
    public Optional<String> lost() {
        return fields.field("env.vreg").isPresent()
                ? Optional.of("its vector registers are in the stream, but not how long they are; they are left out")
                : Optional.empty();
    }

    private Optional<Long> number(String name) {
        return fields.isNumbers(name, 1)
                ? Optional.of(fields.number(fields.field(name).orElseThrow(), 0))
                : Optional.empty();
    }
}
