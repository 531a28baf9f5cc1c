package dev.guestcore.arch;

import dev.guestcore.arch.arm64.Arm64Architecture;
import dev.guestcore.arch.riscv64.Riscv64Architecture;
import dev.guestcore.arch.s390x.S390xArchitecture;
import dev.guestcore.arch.x86.X86Architecture;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.ElfMachine;
import java.nio.ByteOrder;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;

/** The architectures, and which one an ELF machine, a name of ours or a name of Linux' stands for. */
public final class Architectures {

    private static final ElfMachine MACHINE_ARM = new ElfMachine(40, "arm", "Arm", "arm(v.*)?")
            .knownBy(List.of(148), List.of("CONFIG_ARM_LPAE"));
    private static final ElfMachine MACHINE_PPC =
            new ElfMachine(20, "ppc", "PowerPC", "ppc").knownBy(List.of(268), List.of());
    private static final ElfMachine MACHINE_PPC64 = new ElfMachine(21, "ppc64", "PowerPC64", "ppc64(le)?")
            .knownBy(List.of(504), List.of("SYMBOL(cur_cpu_spec)"));
    private static final ElfMachine MACHINE_LOONGARCH =
            new ElfMachine(258, "loongarch", "LoongArch", "loongarch(32|64)").knownBy(List.of(480), List.of());
    private static final ElfMachine MACHINE_MIPS =
            new ElfMachine(8, "mips", "MIPS", "mips(64)?").knownBy(List.of(480), List.of());
    private static final ElfMachine MACHINE_PARISC = new ElfMachine(15, "parisc", "PA-RISC", "parisc(64)?");

    /** 16, 32 and 64-bit Intel and AMD. */
    public static final X86Architecture X86 = X86Architecture.INSTANCE;

    /** 64-bit Arm. */
    public static final Architecture ARM64 = Arm64Architecture.INSTANCE;

    /** 32-bit Arm. */
    public static final Architecture ARM32 = NamedArchitecture.of(32, "arm32", "Arm", MACHINE_ARM);

    /** Arm of either width: what Xen's dump-core tells. */
    public static final Architecture ARM = new NamedArchitecture(
            "arm", "Arm", OptionalInt.empty(), Optional.empty(), Architecture.SMALLEST_PAGE,
            List.of(Arm64Architecture.MACHINE, MACHINE_ARM));

    /** 64-bit RISC-V. */
    public static final Architecture RISCV64 = Riscv64Architecture.INSTANCE;

    /** 64-bit IBM Z. */
    public static final Architecture S390X = S390xArchitecture.INSTANCE;

    /** 32-bit PowerPC. */
    public static final Architecture POWERPC =
            NamedArchitecture.of(32, "powerpc", "PowerPC", MACHINE_PPC).only(ByteOrder.BIG_ENDIAN);

    /** 64-bit PowerPC. */
    public static final Architecture POWERPC64 = NamedArchitecture.of(64, "powerpc64", "PowerPC64", MACHINE_PPC64);

    /** Intel Itanium, whose systems use pages of 16 KiB. */
    public static final Architecture IA64 =
            NamedArchitecture.of(64, "ia64", "Itanium", new ElfMachine(50, "ia64", "Itanium", "ia64"))
                    .only(ByteOrder.LITTLE_ENDIAN)
                    .withPages(16 << 10);

    /** In the order in which options list their machines; where a machine has two, the one of 64 bits comes first. */
    private static final List<Architecture> ALL = List.of(
            X86,
            ARM64,
            ARM32,
            IA64,
            POWERPC,
            POWERPC64,
            S390X,
            NamedArchitecture.of(32, "s390", "s390", S390xArchitecture.MACHINE).only(ByteOrder.BIG_ENDIAN),
            RISCV64,
            NamedArchitecture.of(32, "riscv32", "RISC-V", Riscv64Architecture.MACHINE).only(ByteOrder.LITTLE_ENDIAN),
            NamedArchitecture.of(64, "loongarch64", "LoongArch", MACHINE_LOONGARCH).only(ByteOrder.LITTLE_ENDIAN),
            NamedArchitecture.of(32, "loongarch32", "LoongArch", MACHINE_LOONGARCH).only(ByteOrder.LITTLE_ENDIAN),
            NamedArchitecture.of(64, "mips64", "MIPS", MACHINE_MIPS),
            NamedArchitecture.of(32, "mips", "MIPS", MACHINE_MIPS),
            NamedArchitecture.of(32, "sparc", "SPARC", new ElfMachine(2, "sparc", "SPARC", "sparc"))
                    .only(ByteOrder.BIG_ENDIAN),
            NamedArchitecture.of(64, "sparc64", "SPARC64", new ElfMachine(43, "sparc64", "SPARC64", "sparc64"))
                    .only(ByteOrder.BIG_ENDIAN)
                    .withPages(8 << 10),
            NamedArchitecture.of(32, "parisc", "PA-RISC", MACHINE_PARISC).only(ByteOrder.BIG_ENDIAN),
            NamedArchitecture.of(64, "parisc64", "PA-RISC", MACHINE_PARISC).only(ByteOrder.BIG_ENDIAN),
            NamedArchitecture.of(64, "alpha", "Alpha", new ElfMachine(0x9026, "alpha", "Alpha", "alpha"))
                    .only(ByteOrder.LITTLE_ENDIAN)
                    .withPages(8 << 10),
            NamedArchitecture.of(32, "m68k", "M68000", new ElfMachine(4, "m68k", "M68000", "m68k"))
                    .only(ByteOrder.BIG_ENDIAN),
            NamedArchitecture.of(32, "sh", "SuperH", new ElfMachine(42, "sh", "SuperH", "sh[1-5].*")),
            ARM,
            Architecture.UNKNOWN);

    private static final List<ElfMachine> MACHINES =
            ALL.stream().flatMap(family -> family.machines().stream()).distinct().toList();

    private Architectures() {}

    /** All of them; the last is {@link Architecture#UNKNOWN}. */
    public static List<Architecture> all() {
        return ALL;
    }

    /** The architecture of that {@link Architecture#name}. */
    public static Optional<Architecture> named(String name) {
        return ALL.stream().filter(family -> family.name().equals(name)).findFirst();
    }

    /** The names of all. */
    public static List<String> names() {
        return ALL.stream().map(Architecture::name).toList();
    }

    /**
     * The architecture that an e_machine stands for; {@link Architecture#UNKNOWN} if it is none that is known.
     *
     * @param machine e_machine
     * @param addressBits 32 or 64, as the file's class says, which tells apart what shares a machine
     */
    public static Architecture ofElf(int machine, int addressBits) {
        // The machine says which Arm it is.
        List<Architecture> families = ALL.stream()
                .filter(family -> family != ARM)
                .filter(family -> family.machines().stream().anyMatch(own -> own.code() == machine))
                .toList();
        return families.stream()
                .filter(family -> family.addressBits().orElse(addressBits) == addressBits)
                .findFirst()
                .or(() -> families.stream().findFirst())
                .orElse(Architecture.UNKNOWN);
    }

    /** All machines, each once. */
    public static List<ElfMachine> machines() {
        return MACHINES;
    }

    /** The machine with that e_machine. */
    public static Optional<ElfMachine> machine(int code) {
        return MACHINES.stream().filter(machine -> machine.code() == code).findFirst();
    }

    /** The machine with that {@link ElfMachine#label}. */
    public static Optional<ElfMachine> machineOfLabel(String label) {
        return MACHINES.stream().filter(machine -> machine.label().equals(label)).findFirst();
    }

    /** The one machine whose kernels write a VMCOREINFO like this text; empty if it has nothing that tells one. */
    public static Optional<ElfMachine> machineOfVmcoreInfo(String text) {
        Set<String> keys = text.lines().map(line -> line.replaceFirst("=.*", "")).collect(Collectors.toSet());
        List<ElfMachine> machines = MACHINES.stream()
                .filter(machine -> !Collections.disjoint(machine.vmcoreInfoKeys(), keys))
                .toList();
        return machines.size() == 1 ? Optional.of(machines.getFirst()) : Optional.empty();
    }

    /** The machine that Linux calls so. */
    public static Optional<ElfMachine> machineOfLinuxName(String name) {
        return MACHINES.stream().filter(machine -> machine.isLinuxName(name)).findFirst();
    }
}
