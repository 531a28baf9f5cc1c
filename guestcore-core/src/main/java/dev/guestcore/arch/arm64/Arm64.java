package dev.guestcore.arch.arm64;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.Register;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Registers of an AArch64 vCPU (Arm Architecture Reference Manual, part B1.2.1). {@link #SP} is the stack pointer that
 * the vCPU uses, of its exception level or of EL0; {@link #PSTATE} has the layout of SPSR_ELx.
 */
public enum Arm64 implements Register {
    X0("x0", 64, Group.GENERAL),
    X1("x1", 64, Group.GENERAL),
    X2("x2", 64, Group.GENERAL),
    X3("x3", 64, Group.GENERAL),
    X4("x4", 64, Group.GENERAL),
    X5("x5", 64, Group.GENERAL),
    X6("x6", 64, Group.GENERAL),
    X7("x7", 64, Group.GENERAL),
    X8("x8", 64, Group.GENERAL),
    X9("x9", 64, Group.GENERAL),
    X10("x10", 64, Group.GENERAL),
    X11("x11", 64, Group.GENERAL),
    X12("x12", 64, Group.GENERAL),
    X13("x13", 64, Group.GENERAL),
    X14("x14", 64, Group.GENERAL),
    X15("x15", 64, Group.GENERAL),
    X16("x16", 64, Group.GENERAL),
    X17("x17", 64, Group.GENERAL),
    X18("x18", 64, Group.GENERAL),
    X19("x19", 64, Group.GENERAL),
    X20("x20", 64, Group.GENERAL),
    X21("x21", 64, Group.GENERAL),
    X22("x22", 64, Group.GENERAL),
    X23("x23", 64, Group.GENERAL),
    X24("x24", 64, Group.GENERAL),
    X25("x25", 64, Group.GENERAL),
    X26("x26", 64, Group.GENERAL),
    X27("x27", 64, Group.GENERAL),
    X28("x28", 64, Group.GENERAL),
    X29("x29", 64, Group.GENERAL),
    X30("x30", 64, Group.GENERAL),
    SP("sp", 64, Group.GENERAL),
    PC("pc", 64, Group.GENERAL),
    PSTATE("pstate", 64, Group.GENERAL);

    private static final Map<String, Arm64> BY_LABEL =
            Stream.of(values()).collect(Collectors.toUnmodifiableMap(Arm64::label, Function.identity()));

    private final String label;
    private final int bits;
    private final Group group;

    Arm64(String label, int bits, Group group) {
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
        return Arm64Architecture.INSTANCE;
    }

    /** The register of that lower-case name. */
    public static Optional<Arm64> ofLabel(String label) {
        return Optional.ofNullable(BY_LABEL.get(label));
    }
}
