package dev.guestcore.arch.arm64;

import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TargetDescription;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The registers of arm64 for debuggers (GDB manual, "AArch64 Features"): general ones, SIMD, the masks of pointer
 * authentication where they are known, and the system registers that the source knows.
 */
final class Arm64TargetDescription {

    private static final String FLAGS =
            "SP:0 nRW:4 F:6 I:7 A:8 D:9 BTYPE:10 SSBS:12 IL:20 SS:21 PAN:22 UAO:23 DIT:24 TCO:25"
                    + " V:28 C:29 Z:30 N:31";
    private static final String VECTORS = """
            <vector id="v2d" type="ieee_double" count="2"/>
            <vector id="v2u" type="uint64" count="2"/>
            <vector id="v2i" type="int64" count="2"/>
            <vector id="v4f" type="ieee_single" count="4"/>
            <vector id="v4u" type="uint32" count="4"/>
            <vector id="v4i" type="int32" count="4"/>
            <vector id="v8u" type="uint16" count="8"/>
            <vector id="v8i" type="int16" count="8"/>
            <vector id="v16u" type="uint8" count="16"/>
            <vector id="v16i" type="int8" count="16"/>
            <vector id="v1u" type="uint128" count="1"/>
            <vector id="v1i" type="int128" count="1"/>
            <union id="vnd"><field name="f" type="v2d"/><field name="u" type="v2u"/><field name="s" type="v2i"/></union>
            <union id="vns"><field name="f" type="v4f"/><field name="u" type="v4u"/><field name="s" type="v4i"/></union>
            <union id="vnh"><field name="u" type="v8u"/><field name="s" type="v8i"/></union>
            <union id="vnb"><field name="u" type="v16u"/><field name="s" type="v16i"/></union>
            <union id="vnq"><field name="u" type="v1u"/><field name="s" type="v1i"/></union>
            <union id="aarch64v"><field name="d" type="vnd"/><field name="s" type="vns"/><field name="h" type="vnh"/>\
            <field name="b" type="vnb"/><field name="q" type="vnq"/></union>
            """;
    private static final List<String> MASKS = List.of("pauth_dmask", "pauth_cmask");

    private Arm64TargetDescription() {}

    static TargetDescription of(List<RegisterState> vcpus, ByteOrder order) {
        boolean big = order == ByteOrder.BIG_ENDIAN;
        TargetDescription.Builder builder = TargetDescription.of(
                "aarch64", (big ? "aarch64_be" : "aarch64") + "-unknown-unknown", Long.SIZE, order);
        builder.begin("org.gnu.gdb.aarch64.core").flags("cpsr_flags", Integer.BYTES, FLAGS);
        for (int i = 0; i <= 30; i++) {
            builder.register(Arm64.x(i), "int", "");
        }
        builder.register(Arm64.SP, "data_ptr", "").register(Arm64.PC, "code_ptr", "");
        builder.register("cpsr", Integer.SIZE, "cpsr_flags", "", TargetDescription.valueOf(Arm64.PSTATE)).end();
        builder.begin("org.gnu.gdb.aarch64.fpu").types(VECTORS);
        for (int i = 0; i < 32; i++) {
            vector(builder, i);
        }
        builder.register("fpsr", Integer.SIZE, "int", "float", TargetDescription.valueOf(named("fpsr")));
        builder.register("fpcr", Integer.SIZE, "int", "float", TargetDescription.valueOf(named("fpcr"))).end();
        if (MASKS.stream().allMatch(mask -> known(vcpus, named(mask)))) {
            builder.begin("org.gnu.gdb.aarch64.pauth");
            MASKS.forEach(mask -> builder.register(named(mask), "int", ""));
            builder.end();
        }
        builder.begin("dev.guestcore.arm64.system");
        for (Register register : Arm64.TABLE.registers()) {
            if (register.group() == Register.Group.CONTROL
                    && !MASKS.contains(register.label())
                    && known(vcpus, register)) {
                builder.register(register, "uint" + register.bits(), "system");
            }
        }
        return builder.end().build();
    }

    /** The low half of an SVE register is the SIMD register of that number. */
    private static void vector(TargetDescription.Builder builder, int number) {
        Register simd = named("v" + number);
        Register scalable = named("z" + number);
        builder.register("v" + number, 128, "aarch64v", "", registers -> registers.knows(simd)
                ? Optional.of(registers.bytes(simd))
                : Optional.of(scalable).filter(registers::knows).map(wide -> Arrays.copyOf(registers.bytes(wide), 16)));
    }

    private static Register named(String label) {
        return Arm64.TABLE.named(label);
    }

    private static boolean known(List<RegisterState> vcpus, Register register) {
        return vcpus.stream().anyMatch(vcpu -> vcpu.knows(register));
    }
}
