package dev.guestcore.internal.elf;

import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.ElfMachine;
import java.util.Objects;

/**
 * What the header of a dump says of the machine.
 *
 * @param code e_machine; 0 where the header does not say it or says a name that nobody knows
 * @param text the name in the header, or empty
 * @param isWide whether the header is that of a 64-bit machine
 */
public record StatedMachine(int code, String text, boolean isWide) {

    /** What QEMU says where it does not know. */
    private static final String UNKNOWN = "Unknown";

    /** Checks for null. */
    public StatedMachine {
        Objects.requireNonNull(text);
    }

    /** By e_machine. */
    public static StatedMachine of(int code, ElfClass elfClass) {
        return new StatedMachine(code, "", elfClass == ElfClass.ELF64);
    }

    /** By the name that Linux gives it. */
    public static StatedMachine ofLinuxName(String name, boolean isWide) {
        return new StatedMachine(Architectures.machineOfLinuxName(name).map(ElfMachine::code).orElse(0), name, isWide);
    }

    boolean isKnown() {
        return code != 0;
    }

    boolean is(ElfMachine machine) {
        return machine.code() == code;
    }

    /** Whether the header has no name, or one that says as much. */
    boolean isBlank() {
        return text.isEmpty() || text.equals(UNKNOWN);
    }

    /** For people. */
    String label() {
        return text.isEmpty()
                ? Architectures.machine(code).map(ElfMachine::label).orElse("machine " + code)
                : text;
    }
}
