package dev.guestcore.internal.elf;

import dev.guestcore.Finding;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86Architecture;
import dev.guestcore.cpu.ElfMachine;
import dev.guestcore.internal.check.CappedFindings;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Which machine a dump is of. The field that should say it may be empty, or say "Unknown" as in the kdumps of QEMU 10; and
 * it may be wrong. What else is in the dump tells as well: QEMU has a note of its own for x86 only, a struct elf_prstatus
 * has a size by its machine, and kernels name different things in VMCOREINFO.
 *
 * <p>The machine that most of them allow is taken, and of several the one that is stated. Who contradicts is a finding. A
 * name that is not known is of another machine than those that are known, so only QEMU's own notes outweigh it.
 */
final class MachineWitnesses {

    private static final Set<ElfMachine> X86 = Set.copyOf(Architectures.X86.machines());

    private final String file;
    private final StatedMachine stated;
    private final ByteOrder order;
    private final List<Witness> witnesses = new ArrayList<>();
    private boolean qemu;

    /** Something in the dump, and the machines that it allows. */
    private record Witness(String what, List<ElfMachine> machines) {
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
        qemu = true;
        witnesses.add(new Witness("QEMU's notes about vCPUs", Architectures.X86.machines()));
    }

    /** Takes the size of an NT_PRSTATUS note. */
    void statusSize(int size) {
        List<ElfMachine> machines = Architectures.machines().stream()
                .filter(machine -> machine.statusSizes().contains(size))
                .filter(machine -> isPossible(machine) || stated.is(machine))
                .toList();
        String what = "NT_PRSTATUS of " + size + " bytes";
        if (!machines.isEmpty() && witnesses.stream().noneMatch(witness -> witness.what().equals(what))) {
            witnesses.add(new Witness(what, machines));
        }
    }

    /** Whether a processor of that machine may have the byte order of the dump. */
    private boolean isPossible(ElfMachine machine) {
        return Architectures.all().stream()
                .filter(family -> family.machines().contains(machine))
                .anyMatch(family -> family.byteOrder().orElse(order) == order);
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
                : "the header says '" + stated.text() + "' as the machine, which is no name that Linux gives one";
        if (!stated.isBlank() && !qemu) {
            // Sizes and names that it shares with a machine of ours make it none of ours.
            findings.add(
                    Finding.note(file + ": " + unknown + "; its memory can be read, its registers cannot, and an ELF"
                            + " core can be written of it only if the machine is named"));
            return 0;
        }
        Optional<ElfMachine> machine = mostAllowed();
        if (machine.isPresent()) {
            String how = allowing(machine.get()).map(Witness::what).collect(Collectors.joining(", "));
            findings.add(
                    Finding.note(file + ": " + unknown + "; it is taken for " + machine.get().label() + ", by " + how));
            report(machine.get().label(), machine.get().code(), findings);
            return machine.get().code();
        }
        if (stated.isBlank() && order == ByteOrder.LITTLE_ENDIAN && witnesses.isEmpty()) {
            ElfMachine usual = stated.isWide() ? X86Architecture.X86_64 : X86Architecture.I386;
            findings.add(Finding.note(file + ": " + unknown + "; it is taken for " + usual.label()
                    + ", by word size and byte order only"));
            return usual.code();
        }
        findings.add(
                Finding.note(file + ": " + unknown + ", and nothing else in the file tells it; its memory can be read,"
                        + " its registers cannot, and an ELF core can be written of it only if the machine is named"));
        return 0;
    }

    private int confirmed(CappedFindings findings) {
        Optional<ElfMachine> own = Architectures.machine(stated.code());
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
            findings.add(
                    Finding.damage(file + ": witnesses of the machine contradict each other: it is shown as " + label
                            + ", but " + others));
        }
    }

    private Stream<Witness> allowing(ElfMachine machine) {
        return witnesses.stream().filter(witness -> witness.machines().contains(machine));
    }

    /** The machine that most witnesses allow; empty if none does, or several machines are left that are not both x86. */
    private Optional<ElfMachine> mostAllowed() {
        int most = Architectures.machines().stream()
                .mapToInt(machine -> Math.toIntExact(allowing(machine).count()))
                .max()
                .orElse(0);
        Set<ElfMachine> left = Architectures.machines().stream()
                .filter(machine -> allowing(machine).count() == most)
                .collect(Collectors.toSet());
        if (most == 0) {
            return Optional.empty();
        }
        if (left.equals(X86)) {
            return Optional.of(isNarrow() ? X86Architecture.I386 : X86Architecture.X86_64);
        }
        return left.size() == 1 ? left.stream().findFirst() : Optional.empty();
    }

    /** Of an x86: whether the file is of 32 bits, or its registers are. */
    private boolean isNarrow() {
        return !stated.isWide()
                || witnesses.stream().anyMatch(witness -> witness.what().matches("NT_PRSTATUS of 14[04] .*"));
    }

    private static Optional<Witness> named(byte[] vmcoreInfo) {
        return Architectures.machineOfVmcoreInfo(new String(vmcoreInfo, StandardCharsets.ISO_8859_1))
                .map(machine -> new Witness("VMCOREINFO", List.of(machine)));
    }
}
