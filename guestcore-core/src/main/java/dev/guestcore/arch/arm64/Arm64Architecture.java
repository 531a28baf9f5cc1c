package dev.guestcore.arch.arm64;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.ElfMachine;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.StatusLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** 64-bit Arm, in either byte order. */
public final class Arm64Architecture implements Architecture {

    /** As ELF files name it. */
    public static final ElfMachine MACHINE = new ElfMachine(183, "aarch64", "AArch64", "aarch64(_be)?|arm64")
            .knownBy(List.of(392), List.of("NUMBER(kimage_voffset)", "NUMBER(TCR_EL1_T1SZ)"));

    /** The architecture. */
    public static final Arm64Architecture INSTANCE = new Arm64Architecture();

    private static final StatusLayout STATUS = new StatusLayout(
            392,
            32,
            112,
            Arm64::ofLabel,
            "x0 x1 x2 x3 x4 x5 x6 x7 x8 x9 x10 x11 x12 x13 x14 x15 x16 x17 x18 x19 x20 x21 x22 x23 x24 x25 x26 x27 x28 x29"
                    + " x30 sp pc pstate");

    /** nRW: the vCPU runs AArch32 code. */
    private static final long PSTATE_32 = 1 << 4;

    private static final Map<Integer, String> MODES_32 = Map.of(
            0, "usr", 1, "fiq", 2, "irq", 3, "svc", 6, "mon", 7, "abt", 10, "hyp", 11, "und", 15, "sys");

    private Arm64Architecture() {}

    @Override
    public String name() {
        return "arm64";
    }

    @Override
    public String title() {
        return "AArch64";
    }

    @Override
    public Optional<String> linuxName(ByteOrder order) {
        return Optional.of(order == ByteOrder.LITTLE_ENDIAN ? "aarch64" : "aarch64_be");
    }

    @Override
    public List<ElfMachine> machines() {
        return List.of(MACHINE);
    }

    @Override
    public OptionalInt addressBits() {
        return OptionalInt.of(Long.SIZE);
    }

    @Override
    public List<Register> registers() {
        return List.of(Arm64.values());
    }

    @Override
    public Optional<Register> register(String label) {
        return Arm64.ofLabel(label).map(Register.class::cast);
    }

    @Override
    public Optional<Register> instructionPointer() {
        return Optional.of(Arm64.PC);
    }

    @Override
    public Optional<StatusLayout> status(ElfMachine machine) {
        return Optional.of(STATUS);
    }

    /** Exception level and stack pointer, as SPSR_ELx.M has them: {@code 64-bit EL1h}; for AArch32 the mode's short name. */
    @Override
    public String mode(RegisterState registers) {
        if (!registers.knows(Arm64.PSTATE)) {
            return "mode unknown";
        }
        long pstate = registers.get(Arm64.PSTATE);
        if ((pstate & PSTATE_32) != 0) {
            return "32-bit " + MODES_32.getOrDefault((int) (pstate & 0xf), "mode 0x" + Long.toHexString(pstate & 0x1f));
        }
        long level = pstate >>> 2 & 3;
        return "64-bit EL" + level + (level == 0 ? "" : (pstate & 1) == 0 ? "t" : "h");
    }

    @Override
    public String position(RegisterState registers) {
        return registers.knows(Arm64.PC) ? "pc " + registers.hex(Arm64.PC) : "";
    }

    @Override
    public String toString() {
        return name();
    }
}
