package dev.guestcore.arch.riscv64;

import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TargetDescription;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;

/**
 * The registers of riscv64 for debuggers (GDB manual, "RISC-V Features"): general ones, floating point, and the control and
 * status registers that the source knows.
 */
final class Riscv64TargetDescription {

    private Riscv64TargetDescription() {}

    static TargetDescription of(List<RegisterState> vcpus) {
        TargetDescription.Builder builder =
                TargetDescription.of("riscv:rv64", "riscv64-unknown-unknown", Long.SIZE, ByteOrder.LITTLE_ENDIAN);
        builder.begin("org.gnu.gdb.riscv.cpu");
        builder.register("zero", Long.SIZE, "int", "", registers -> Optional.of(new byte[Long.BYTES]));
        for (Register register : Riscv64.TABLE.registers()) {
            if (register.group() == Register.Group.GENERAL && register != Riscv64.PC) {
                builder.register(register, isPointer(register.label()) ? "data_ptr" : "int", "");
            }
        }
        builder.register(Riscv64.PC, "code_ptr", "").end();
        if (known(vcpus, Riscv64.TABLE.named("ft0"))) {
            builder.begin("org.gnu.gdb.riscv.fpu");
            for (Register register : Riscv64.TABLE.registers()) {
                if (register.group() == Register.Group.FPU && register.label().startsWith("f")
                        && register.bits() == Long.SIZE
                        && !isStatus(register.label())) {
                    builder.register(register, "ieee_double", "");
                }
            }
            for (String status : List.of("fflags", "frm", "fcsr")) {
                builder.register(
                        status, Integer.SIZE, "int", "float", TargetDescription.valueOf(Riscv64.TABLE.named(status)));
            }
            builder.end();
        }
        builder.begin("org.gnu.gdb.riscv.csr");
        for (Register register : Riscv64.TABLE.registers()) {
            if (register.group() == Register.Group.CONTROL && register != Riscv64.PRIV && known(vcpus, register)) {
                builder.register(register, "int", "system");
            }
        }
        builder.end().begin("org.gnu.gdb.riscv.virtual");
        return builder.register(Riscv64.PRIV, "int", "system").end().build();
    }

    private static boolean isPointer(String label) {
        return label.equals("sp") || label.equals("gp") || label.equals("tp") || label.equals("s0");
    }

    private static boolean isStatus(String label) {
        return label.equals("fflags") || label.equals("frm") || label.equals("fcsr");
    }

    private static boolean known(List<RegisterState> vcpus, Register register) {
        return vcpus.stream().anyMatch(vcpu -> vcpu.knows(register));
    }
}
