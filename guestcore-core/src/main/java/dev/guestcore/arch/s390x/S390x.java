package dev.guestcore.arch.s390x;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.Register;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Registers of a 64-bit IBM Z vCPU (z/Architecture Principles of Operation, chapter 2), under the names of gdb: the two
 * halves of the program-status word, general and access registers.
 */
public enum S390x implements Register {
    PSWM("pswm", 64, Group.GENERAL),
    PSWA("pswa", 64, Group.GENERAL),
    R0("r0", 64, Group.GENERAL),
    R1("r1", 64, Group.GENERAL),
    R2("r2", 64, Group.GENERAL),
    R3("r3", 64, Group.GENERAL),
    R4("r4", 64, Group.GENERAL),
    R5("r5", 64, Group.GENERAL),
    R6("r6", 64, Group.GENERAL),
    R7("r7", 64, Group.GENERAL),
    R8("r8", 64, Group.GENERAL),
    R9("r9", 64, Group.GENERAL),
    R10("r10", 64, Group.GENERAL),
    R11("r11", 64, Group.GENERAL),
    R12("r12", 64, Group.GENERAL),
    R13("r13", 64, Group.GENERAL),
    R14("r14", 64, Group.GENERAL),
    R15("r15", 64, Group.GENERAL),
    ACR0("acr0", 32, Group.GENERAL),
    ACR1("acr1", 32, Group.GENERAL),
    ACR2("acr2", 32, Group.GENERAL),
    ACR3("acr3", 32, Group.GENERAL),
    ACR4("acr4", 32, Group.GENERAL),
    ACR5("acr5", 32, Group.GENERAL),
    ACR6("acr6", 32, Group.GENERAL),
    ACR7("acr7", 32, Group.GENERAL),
    ACR8("acr8", 32, Group.GENERAL),
    ACR9("acr9", 32, Group.GENERAL),
    ACR10("acr10", 32, Group.GENERAL),
    ACR11("acr11", 32, Group.GENERAL),
    ACR12("acr12", 32, Group.GENERAL),
    ACR13("acr13", 32, Group.GENERAL),
    ACR14("acr14", 32, Group.GENERAL),
    ACR15("acr15", 32, Group.GENERAL);

    private static final Map<String, S390x> BY_LABEL =
            Stream.of(values()).collect(Collectors.toUnmodifiableMap(S390x::label, Function.identity()));

    private final String label;
    private final int bits;
    private final Group group;

    S390x(String label, int bits, Group group) {
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
        return S390xArchitecture.INSTANCE;
    }

    /** The register of that lower-case name. */
    public static Optional<S390x> ofLabel(String label) {
        return Optional.ofNullable(BY_LABEL.get(label));
    }
}
