package dev.guestcore.internal.migration;

import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.s390x.S390x;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.RegisterState;
import java.util.Map;
import java.util.Optional;

/**
 * The section of an s390x vCPU as registers (QEMU, target/s390x/machine.c):
 *
 * <pre>
 * env.regs, aregs, cregs   general, access and control registers
 * env.psw.mask, psw.addr   the program-status word; of TCG the condition code is not in it
 * env.psa                  the prefix
 * env.todpr, gbea          todpreg, last_break
 * env.vregs[n][0], [1]     upper and lower half of v0 to v31; the upper halves of the first sixteen are f0 to f15
 * env.gscb                 reserved, gsd, gssm, gsepl
 * </pre>
 */
final class S390xSection implements VcpuSection {

    private static final int COUNT = 16;
    private static final int VECTORS = 32;

    private static final Map<String, String> NAMES = Map.ofEntries(
            Map.entry("env.psw.mask", "pswm"),
            Map.entry("env.psw.addr", "pswa"),
            Map.entry("env.psa", "prefix"),
            Map.entry("env.todpr", "todpreg"),
            Map.entry("env.pfault_token", "pfault_token"),
            Map.entry("env.pfault_compare", "pfault_compare"),
            Map.entry("env.pfault_select", "pfault_select"),
            Map.entry("env.cputm", "cputm"),
            Map.entry("env.ckc", "ckc"),
            Map.entry("env.gbea", "last_break"),
            Map.entry("env.pp", "pp"),
            Map.entry("env.fpc", "fpc"),
            Map.entry("env.etoken", "etoken"),
            Map.entry("env.etoken_extension", "etoken_extension"),
            Map.entry("env.diag318_info", "diag318_info"));

    private final DeviceFields fields;

    private S390xSection(DeviceFields fields) {
        this.fields = fields;
    }

    static Optional<VcpuSection> read(DeviceFields fields) {
        boolean s390 = fields.isNumbers("env.regs", COUNT)
                && fields.isNumbers("env.cregs", COUNT)
                && fields.isNumbers("env.psw.mask", 1)
                && fields.isNumbers("env.psw.addr", 1);
        return s390 ? Optional.of(new S390xSection(fields)) : Optional.empty();
    }

    @Override
    public Architecture architecture() {
        return Architectures.S390X;
    }

    @Override
    public RegisterState.Builder registers(boolean kvm) {
        RegisterState.Builder registers = RegisterState.builder();
        NAMES.forEach((field, label) -> number(field).ifPresent(value -> registers.set(S390x.named(label), value)));
        for (int i = 0; i < COUNT; i++) {
            registers.set(S390x.r(i), fields.number(fields.field("env.regs").orElseThrow(), i));
            registers.set(S390x.control(i), fields.number(fields.field("env.cregs").orElseThrow(), i));
            if (fields.isNumbers("env.aregs", COUNT)) {
                registers.set(S390x.access(i), fields.number(fields.field("env.aregs").orElseThrow(), i));
            }
        }
        for (int i = 0; i < VECTORS; i++) {
            decodeVector(registers, i);
        }
        if (fields.isNumbers("env.gscb", 4)) {
            DeviceFields.Field guarded = fields.field("env.gscb").orElseThrow();
            registers.set(S390x.named("gsd"), fields.number(guarded, 1));
            registers.set(S390x.named("gssm"), fields.number(guarded, 2));
            registers.set(S390x.named("gsepl"), fields.number(guarded, 3));
        }
        return registers;
    }

    private void decodeVector(RegisterState.Builder registers, int index) {
        Optional<Long> upper = number("env.vregs[" + index + "][0]")
                .or(() -> index < COUNT ? number("env.fregs[" + index + "].ll") : Optional.empty());
        Optional<Long> lower = number("env.vregs[" + index + "][1]");
        if (upper.isPresent() && index < COUNT) {
            registers.set(S390x.f(index), upper.get());
        }
        if (upper.isPresent() && lower.isPresent()) {
            byte[] bytes = new byte[2 * Long.BYTES];
            for (int i = 0; i < Long.BYTES; i++) {
                bytes[i] = (byte) (lower.get() >>> i * Byte.SIZE);
                bytes[Long.BYTES + i] = (byte) (upper.get() >>> i * Byte.SIZE);
            }
            registers.set(S390x.v(index), bytes);
        }
    }

    private Optional<Long> number(String name) {
        return fields.isNumbers(name, 1)
                ? Optional.of(fields.number(fields.field(name).orElseThrow(), 0))
                : Optional.empty();
    }
}
