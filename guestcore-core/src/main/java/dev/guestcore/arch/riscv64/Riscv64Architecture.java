package dev.guestcore.arch.riscv64;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.ElfMachine;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.StatusLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** 64-bit RISC-V. */
public final class Riscv64Architecture implements Architecture {

    /** As ELF files name it. */
    public static final ElfMachine MACHINE = new ElfMachine(243, "riscv", "RISC-V", "riscv(32|64)")
            .knownBy(List.of(376), List.of("NUMBER(va_kernel_pa_offset)"));

    /** The architecture. */
    public static final Riscv64Architecture INSTANCE = new Riscv64Architecture();

    private static final StatusLayout STATUS = new StatusLayout(
            376,
            32,
            112,
            Riscv64::ofLabel,
            "pc ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6");

    private Riscv64Architecture() {}

    @Override
    public String name() {
        return "riscv64";
    }

    @Override
    public String title() {
        return "RISC-V";
    }

    @Override
    public Optional<String> linuxName(ByteOrder order) {
        return Optional.of("riscv64");
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
    public Optional<ByteOrder> byteOrder() {
        return Optional.of(ByteOrder.LITTLE_ENDIAN);
    }

    @Override
    public List<Register> registers() {
        return List.of(Riscv64.values());
    }

    @Override
    public Optional<Register> register(String label) {
        return Riscv64.ofLabel(label).map(Register.class::cast);
    }

    @Override
    public Optional<Register> instructionPointer() {
        return Optional.of(Riscv64.PC);
    }

    @Override
    public Optional<StatusLayout> status(ElfMachine machine) {
        return Optional.of(STATUS);
    }

    @Override
    public String position(RegisterState registers) {
        return registers.knows(Riscv64.PC) ? "pc " + registers.hex(Riscv64.PC) : "";
    }

    @Override
    public String toString() {
        return name();
    }
}
