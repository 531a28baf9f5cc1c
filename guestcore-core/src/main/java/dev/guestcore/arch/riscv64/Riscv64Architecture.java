package dev.guestcore.arch.riscv64;

import dev.guestcore.cpu.ElfMachine;
import dev.guestcore.cpu.StatusLayout;
import dev.guestcore.cpu.TabledArchitecture;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;

/** 64-bit RISC-V. */
public final class Riscv64Architecture extends TabledArchitecture {

    /** As ELF files name it. */
    public static final ElfMachine MACHINE = new ElfMachine(243, "riscv", "RISC-V", "riscv(32|64)")
            .knownBy(List.of(376), List.of("NUMBER(va_kernel_pa_offset)"));

    /** The architecture. */
    public static final Riscv64Architecture INSTANCE = new Riscv64Architecture();

    private static final StatusLayout STATUS = new StatusLayout(
            376,
            32,
            112,
            Riscv64.TABLE::find,
            "pc ra sp gp tp t0..t2 s0..s1 a0..a7 s2..s11 t3..t6");

    private Riscv64Architecture() {
        super("riscv64", "RISC-V", MACHINE, Optional.of(ByteOrder.LITTLE_ENDIAN), Riscv64.TABLE, "pc");
    }

    @Override
    public Optional<StatusLayout> status(ElfMachine machine) {
        return Optional.of(STATUS);
    }
}
