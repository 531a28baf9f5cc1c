package dev.guestcore.internal.elf;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Machines that Linux runs on: e_machine as in {@code elf.h}, and the names by which the kernel calls them ({@code uname -m},
 * UTS_MACHINE and its variants).
 */
public enum ElfMachine {
    /** 32-bit x86. */
    I386(Elf.EM_386, "386", "i[3-6]86"),
    /** 64-bit x86. */
    X86_64(Elf.EM_X86_64, "x86-64", "x86_64"),
    /** 32-bit Arm. */
    ARM(Elf.EM_ARM, "arm", "arm(v.*)?"),
    /** 64-bit Arm. */
    AARCH64(Elf.EM_AARCH64, "aarch64", "aarch64(_be)?|arm64"),
    /** Itanium. */
    IA64(Elf.EM_IA_64, "ia64", "ia64"),
    /** 32-bit PowerPC. */
    PPC(Elf.EM_PPC, "ppc", "ppc"),
    /** 64-bit PowerPC. */
    PPC64(Elf.EM_PPC64, "ppc64", "ppc64(le)?"),
    /** IBM Z, of 31 and of 64 bits. */
    S390(22, "s390x", "s390x?"),
    /** RISC-V of both widths. */
    RISCV(243, "riscv", "riscv(32|64)"),
    /** LoongArch of both widths. */
    LOONGARCH(258, "loongarch", "loongarch(32|64)"),
    /** MIPS of both widths. */
    MIPS(8, "mips", "mips(64)?"),
    /** 32-bit SPARC. */
    SPARC(2, "sparc", "sparc"),
    /** 64-bit SPARC. */
    SPARCV9(43, "sparc64", "sparc64"),
    /** PA-RISC of both widths. */
    PARISC(15, "parisc", "parisc(64)?"),
    /** Alpha. */
    ALPHA(0x9026, "alpha", "alpha"),
    /** Motorola 68000. */
    M68K(4, "m68k", "m68k"),
    /** SuperH. */
    SH(42, "sh", "sh[1-5].*");

    private final int code;
    private final String label;
    private final String linuxNames;

    ElfMachine(int code, String label, String linuxNames) {
        this.code = code;
        this.label = label;
        this.linuxNames = linuxNames;
    }

    /** Value of e_machine. */
    public int code() {
        return code;
    }

    /** Short name, as options of ours have it. */
    public String label() {
        return label;
    }

    /** The short names of all. */
    public static List<String> labels() {
        return Stream.of(values()).map(ElfMachine::label).toList();
    }

    /** The machine with that short name. */
    public static Optional<ElfMachine> ofLabel(String label) {
        return Stream.of(values()).filter(machine -> machine.label.equals(label)).findFirst();
    }

    /** The machine with that e_machine. */
    public static Optional<ElfMachine> ofCode(int code) {
        return Stream.of(values()).filter(machine -> machine.code == code).findFirst();
    }

    /** The machine that Linux calls so. */
    public static Optional<ElfMachine> ofLinuxName(String name) {
        return Stream.of(values())
                .filter(machine -> name.matches(machine.linuxNames))
                .findFirst();
    }
}
