package dev.guestcore.arch.s390x;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.ElfMachine;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.StatusLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** 64-bit IBM Z. */
public final class S390xArchitecture implements Architecture {

    /** As ELF files name it. */
    public static final ElfMachine MACHINE = new ElfMachine(22, "s390x", "s390x", "s390x?")
            .knownBy(List.of(336, 328), List.of("SYMBOL(lowcore_ptr)"));

    /** The architecture. */
    public static final S390xArchitecture INSTANCE = new S390xArchitecture();

    private static final StatusLayout STATUS = new StatusLayout(
            336,
            32,
            112,
            S390x::ofLabel,
            "pswm pswa r0 r1 r2 r3 r4 r5 r6 r7 r8 r9 r10 r11 r12 r13 r14 r15"
                    + " :4 acr0 acr1 acr2 acr3 acr4 acr5 acr6 acr7 acr8 acr9 acr10 acr11 acr12 acr13 acr14 acr15 :8 -");

    private static final long PROBLEM = 1L << 63 - 15;
    private static final long EXTENDED = 1L << 63 - 31;
    private static final long BASIC = 1L << 63 - 32;

    private S390xArchitecture() {}

    @Override
    public String name() {
        return "s390x";
    }

    @Override
    public String title() {
        return "s390x";
    }

    @Override
    public Optional<String> linuxName(ByteOrder order) {
        return Optional.of("s390x");
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
        return Optional.of(ByteOrder.BIG_ENDIAN);
    }

    @Override
    public List<Register> registers() {
        return List.of(S390x.values());
    }

    @Override
    public Optional<Register> register(String label) {
        return S390x.ofLabel(label).map(Register.class::cast);
    }

    @Override
    public Optional<Register> instructionPointer() {
        return Optional.of(S390x.PSWA);
    }

    @Override
    public Optional<StatusLayout> status(ElfMachine machine) {
        return Optional.of(STATUS);
    }

    /** Width of addresses and state, as the program-status word has them: {@code 64-bit supervisor}. */
    @Override
    public String mode(RegisterState registers) {
        if (!registers.knows(S390x.PSWM)) {
            return "mode unknown";
        }
        long mask = registers.get(S390x.PSWM);
        String width = (mask & BASIC) == 0 ? "24-bit" : (mask & EXTENDED) == 0 ? "31-bit" : "64-bit";
        return width + ((mask & PROBLEM) == 0 ? " supervisor" : " problem state");
    }

    @Override
    public String position(RegisterState registers) {
        return registers.knows(S390x.PSWA) ? "pswa " + registers.hex(S390x.PSWA) : "";
    }

    @Override
    public String toString() {
        return name();
    }
}
