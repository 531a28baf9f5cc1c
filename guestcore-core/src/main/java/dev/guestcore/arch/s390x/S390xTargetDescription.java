package dev.guestcore.arch.s390x;

import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TargetDescription;
import java.nio.ByteOrder;
import java.util.List;

/**
 * The registers of s390x for debuggers (GDB manual, "S/390 and System z Features"): general, access and floating-point ones,
 * of which gdb wants all, and under QEMU's name those of control that the source knows.
 */
final class S390xTargetDescription {

    private S390xTargetDescription() {}

    static TargetDescription of(List<RegisterState> vcpus) {
        TargetDescription.Builder builder =
                TargetDescription.of("s390:64-bit", "s390x-unknown-unknown", Long.SIZE, ByteOrder.BIG_ENDIAN);
        builder.begin("org.gnu.gdb.s390.core").register(S390x.PSWM, "uint64", "psw").register(S390x.PSWA, "uint64",
                "psw");
        for (int i = 0; i < 16; i++) {
            builder.register(S390x.r(i), "uint64", "general");
        }
        builder.end().begin("org.gnu.gdb.s390.acr");
        for (int i = 0; i < 16; i++) {
            builder.register(S390x.TABLE.named("acr" + i), "uint32", "access");
        }
        builder.end().begin("org.gnu.gdb.s390.fpr").register(S390x.TABLE.named("fpc"), "uint32", "float");
        for (int i = 0; i < 16; i++) {
            builder.register(S390x.TABLE.named("f" + i), "ieee_double", "float");
        }
        builder.end().begin("org.gnu.gdb.s390.cr");
        for (Register register : S390x.TABLE.registers()) {
            if (register.group() == Register.Group.CONTROL && vcpus.stream().anyMatch(vcpu -> vcpu.knows(register))) {
                builder.register(register, "uint" + register.bits(), "control");
            }
        }
        return builder.end().build();
    }
}
