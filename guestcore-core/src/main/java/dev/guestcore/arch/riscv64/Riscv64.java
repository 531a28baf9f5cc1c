package dev.guestcore.arch.riscv64;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.Register;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Registers of a 64-bit RISC-V vCPU by the names of its calling convention (RISC-V psABI); {@code x0} is always zero. */
public enum Riscv64 implements Register {
    PC("pc", 64, Group.GENERAL),
    RA("ra", 64, Group.GENERAL),
    SP("sp", 64, Group.GENERAL),
    GP("gp", 64, Group.GENERAL),
    TP("tp", 64, Group.GENERAL),
    T0("t0", 64, Group.GENERAL),
    T1("t1", 64, Group.GENERAL),
    T2("t2", 64, Group.GENERAL),
    S0("s0", 64, Group.GENERAL),
    S1("s1", 64, Group.GENERAL),
    A0("a0", 64, Group.GENERAL),
    A1("a1", 64, Group.GENERAL),
    A2("a2", 64, Group.GENERAL),
    A3("a3", 64, Group.GENERAL),
    A4("a4", 64, Group.GENERAL),
    A5("a5", 64, Group.GENERAL),
    A6("a6", 64, Group.GENERAL),
    A7("a7", 64, Group.GENERAL),
    S2("s2", 64, Group.GENERAL),
    S3("s3", 64, Group.GENERAL),
    S4("s4", 64, Group.GENERAL),
    S5("s5", 64, Group.GENERAL),
    S6("s6", 64, Group.GENERAL),
    S7("s7", 64, Group.GENERAL),
    S8("s8", 64, Group.GENERAL),
    S9("s9", 64, Group.GENERAL),
    S10("s10", 64, Group.GENERAL),
    S11("s11", 64, Group.GENERAL),
    T3("t3", 64, Group.GENERAL),
    T4("t4", 64, Group.GENERAL),
    T5("t5", 64, Group.GENERAL),
    T6("t6", 64, Group.GENERAL);

    private static final Map<String, Riscv64> BY_LABEL =
            Stream.of(values()).collect(Collectors.toUnmodifiableMap(Riscv64::label, Function.identity()));

    private final String label;
    private final int bits;
    private final Group group;

    Riscv64(String label, int bits, Group group) {
        this.label = label;
        this.bits = bits;
        this.group = group;
    }

    @Override
    public String label() {
        return label;
    }

    @Override
    public int bits() {
        return bits;
    }

    @Override
    public Group group() {
        return group;
    }

    @Override
    public Architecture architecture() {
        return Riscv64Architecture.INSTANCE;
    }

    /** The register of that lower-case name. */
    public static Optional<Riscv64> ofLabel(String label) {
        return Optional.ofNullable(BY_LABEL.get(label));
    }
}
