package dev.guestcore.internal.elf;

import dev.guestcore.Finding;
import dev.guestcore.internal.CappedFindings;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Which machine a dump is of. The field that should say it may be empty, or say "Unknown" as in the kdumps of QEMU 10; and
 * it may be wrong. What else is in the dump tells as well: QEMU has a note of its own for x86 only, a struct elf_prstatus
 * has a size by its machine, and kernels name different things in VMCOREINFO.
 *
 * <p>The machine that most of them allow is taken, and of several the one that is stated. Who contradicts is a finding.
 */
final class MachineWitnesses {

    /** Sizes of struct elf_prstatus, with and without pr_fpvalid at its end (Linux, arch/&#42;/include/asm/elf.h). */
    private static final Map<Integer, Set<ElfMachine>> STATUS_SIZES = Map.ofEntries(
            Map.entry(336, EnumSet.of(ElfMachine.X86_64, ElfMachine.S390)),
            Map.entry(328, EnumSet.of(ElfMachine.X86_64, ElfMachine.S390)),
            Map.entry(144, EnumSet.of(ElfMachine.I386, ElfMachine.X86_64)),
            Map.entry(140, EnumSet.of(ElfMachine.I386, ElfMachine.X86_64)),
            Map.entry(392, EnumSet.of(ElfMachine.AARCH64)),
            Map.entry(376, EnumSet.of(ElfMachine.RISCV)),
            Map.entry(480, EnumSet.of(ElfMachine.MIPS, ElfMachine.LOONGARCH)),
            Map.entry(504, EnumSet.of(ElfMachine.PPC64)),
            Map.entry(268, EnumSet.of(ElfMachine.PPC)),
            Map.entry(148, EnumSet.of(ElfMachine.ARM)));

    /** Lines of VMCOREINFO that the code of one machine alone writes (Linux, arch/&#42;/kernel/vmcore_info.c). */
    private static final Map<String, ElfMachine> VMCOREINFO_KEYS = Map.ofEntries(
            Map.entry("SYMBOL(init_top_pgt)", ElfMachine.X86_64),
            Map.entry("SYMBOL(init_level4_pgt)", ElfMachine.X86_64),
            Map.entry("NUMBER(pgtable_l5_enabled)", ElfMachine.X86_64),
            Map.entry("CONFIG_X86_PAE", ElfMachine.I386),
            Map.entry("NUMBER(kimage_voffset)", ElfMachine.AARCH64),
            Map.entry("NUMBER(TCR_EL1_T1SZ)", ElfMachine.AARCH64),
            Map.entry("CONFIG_ARM_LPAE", ElfMachine.ARM),
            Map.entry("NUMBER(va_kernel_pa_offset)", ElfMachine.RISCV),
            Map.entry("SYMBOL(lowcore_ptr)", ElfMachine.S390),
            Map.entry("SYMBOL(cur_cpu_spec)", ElfMachine.PPC64));

    private static final Set<ElfMachine> X86 = EnumSet.of(ElfMachine.X86_64, ElfMachine.I386);

    private final String file;
    private final StatedMachine stated;
    private final ByteOrder order;
    private final List<Witness> witnesses = new ArrayList<>();

    /** Something in the dump, and the machines that it allows. */
    private record Witness(String what, Set<ElfMachine> machines) {
        String says() {
            return what + ": " + machines.stream().map(ElfMachine::label).collect(Collectors.joining(" or "));
        }
    }

    MachineWitnesses(String file, StatedMachine stated, ByteOrder order) {
        this.file = file;
        this.stated = stated;
        this.order = order;
    }

    /** Takes QEMU's own notes about vCPUs, which it writes for x86 only. */
    void qemuNotes() {
        witnesses.add(new Witness("QEMU's notes about vCPUs", X86));
    }

    /** Takes the size of an NT_PRSTATUS note. */
    void statusSize(int size) {
        Set<ElfMachine> machines = STATUS_SIZES.getOrDefault(size, Set.of()).stream()
                .filter(machine -> machine != ElfMachine.S390 || order == ByteOrder.BIG_ENDIAN || stated.is(machine))
                .collect(Collectors.toSet());
        String what = "NT_PRSTATUS of " + size + " bytes";
        if (!machines.isEmpty() && witnesses.stream().noneMatch(witness -> witness.what().equals(what))) {
            witnesses.add(new Witness(what, machines));
        }
    }

    /**
     * The machine, as e_machine; 0 if it stays open.
     *
     * @param vmcoreInfo is asked only where nothing else tells: a dump may hold that of another kernel
     * @param findings receives where the machine was taken from unless it is stated, and who contradicts
     */
    int decide(Optional<byte[]> vmcoreInfo, CappedFindings findings) {
        if (stated.isKnown()) {
            return confirmed(findings);
        }
        if (witnesses.isEmpty()) {
            vmcoreInfo.flatMap(MachineWitnesses::named).ifPresent(witnesses::add);
        }
        String unknown = stated.text().isEmpty()
                ? "the header does not name the machine"
                : "the header says '" + stated.text() + "' as the machine, which names none";
        Optional<ElfMachine> machine = mostAllowed();
        if (machine.isPresent()) {
            String how = allowing(machine.get()).map(Witness::what).collect(Collectors.joining(", "));
            findings.add(Finding.note(file + ": " + unknown + "; it is taken for " + machine.get().label() + ", by " + how));
            report(machine.get().label(), machine.get().code(), findings);
            return machine.get().code();
        }
        if (stated.isBlank() && order == ByteOrder.LITTLE_ENDIAN && witnesses.isEmpty()) {
            ElfMachine usual = stated.isWide() ? ElfMachine.X86_64 : ElfMachine.I386;
            findings.add(Finding.note(file + ": " + unknown + "; it is taken for " + usual.label()
                    + ", by word size and byte order only"));
            return usual.code();
        }
        findings.add(Finding.note(file + ": " + unknown + ", and nothing else in the file tells it; its memory can be read,"
                + " and an ELF core can be written of it with --machine"));
        return 0;
    }

    private int confirmed(CappedFindings findings) {
        Optional<ElfMachine> own = ElfMachine.ofCode(stated.code());
        long votes = 1 + own.stream().flatMap(this::allowing).count();
        Optional<ElfMachine> other = mostAllowed().filter(machine -> allowing(machine).count() > votes);
        if (other.isPresent()) {
            findings.add(Finding.damage(file + ": witnesses of the machine contradict each other: the header says "
                    + stated.label() + "; " + allowing(other.get()).map(Witness::says).collect(Collectors.joining("; "))
                    + "; it is shown as " + other.get().label()));
            return other.get().code();
        }
        report(stated.label(), stated.code(), findings);
        return stated.code();
    }

    /** Tells of those who do not allow the machine that is shown. */
    private void report(String label, int code, CappedFindings findings) {
        String others = witnesses.stream()
                .filter(witness -> witness.machines().stream().noneMatch(machine -> machine.code() == code))
                .map(Witness::says)
                .collect(Collectors.joining("; "));
        if (!others.isEmpty()) {
            findings.add(Finding.damage(file + ": witnesses of the machine contradict each other: it is shown as " + label
                    + ", but " + others));
        }
    }

    private Stream<Witness> allowing(ElfMachine machine) {
        return witnesses.stream().filter(witness -> witness.machines().contains(machine));
    }

    /** The machine that most witnesses allow; empty if none does, or several machines are left that are not both x86. */
    private Optional<ElfMachine> mostAllowed() {
        int most = Stream.of(ElfMachine.values())
                .mapToInt(machine -> Math.toIntExact(allowing(machine).count()))
                .max()
                .orElse(0);
        Set<ElfMachine> left = Stream.of(ElfMachine.values())
                .filter(machine -> allowing(machine).count() == most)
                .collect(Collectors.toSet());
        if (most == 0) {
            return Optional.empty();
        }
        if (left.equals(X86)) {
            return Optional.of(isNarrow() ? ElfMachine.I386 : ElfMachine.X86_64);
        }
        return left.size() == 1 ? left.stream().findFirst() : Optional.empty();
    }

    /** Of an x86: whether the file is of 32 bits, or its registers are. */
    private boolean isNarrow() {
        return !stated.isWide() || witnesses.stream().anyMatch(witness -> witness.what().matches("NT_PRSTATUS of 14[04] .*"));
    }

    private static Optional<Witness> named(byte[] vmcoreInfo) {
        Set<ElfMachine> machines = new String(vmcoreInfo, StandardCharsets.ISO_8859_1)
                .lines()
                .flatMap(line -> Optional.ofNullable(VMCOREINFO_KEYS.get(line.replaceFirst("=.*", ""))).stream())
                .collect(Collectors.toSet());
        return machines.size() == 1 ? Optional.of(new Witness("VMCOREINFO", machines)) : Optional.empty();
    }
}
