package dev.guestcore.internal.elf;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.RawContext;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86Architecture;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterNote;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.StatusLayout;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.facts.WindowsDumpHeader;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Loss;
import dev.guestcore.internal.check.CappedFindings;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.internal.text.Numbers;
import dev.guestcore.internal.writer.CommonLosses;
import dev.guestcore.internal.writer.ImpliedRegisters;
import dev.guestcore.internal.writer.NamedProcessor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The notes of a dump of a machine: an NT_PRSTATUS for each vCPU, QEMU's own for each vCPU, VMCOREINFO, and any others.
 * The n-th note of a kind belongs to the n-th vCPU. ELF cores and compressed kdump files hold the same notes.
 *
 * @param machine e_machine, from the header or from everything that tells it; 0 if it stays open
 * @param vcpus what the notes say of each vCPU, with the descriptors as raw contexts
 * @param vmcoreInfo the VMCOREINFO note
 * @param others notes of other kinds, in file order
 * @param statusCount number of NT_PRSTATUS notes
 * @param stateCount number of notes of QEMU about a vCPU
 * @param keep the note with Guestcore's own record
 */
public record CoreNotes(
        int machine,
        List<Vcpu> vcpus,
        Optional<byte[]> vmcoreInfo,
        List<ElfFacts.Note> others,
        int statusCount,
        int stateCount,
        Optional<ElfNote> keep) {

    /** Kind of the raw context that an NT_PRSTATUS descriptor is kept as. */
    public static final String STATUS_CONTEXT = "elf.NT_PRSTATUS";

    /** Kind of the raw context that the descriptor of QEMU's note is kept as. */
    public static final String STATE_CONTEXT = "elf.QEMUCPUState";

    /** Owner of the note with Guestcore's own record. */
    private static final String KEEP_NAME = "GUESTCORE";

    private static final int KEEP_TYPE = 1;
    private static final String CORE = "CORE";
    private static final String QEMU = "QEMU";
    private static final String VMCOREINFO = "VMCOREINFO";

    /** More vCPUs than Linux or any hypervisor knows. */
    private static final int MOST_VCPUS = 8192;

    private static final int LARGEST_CONTEXT = 1 << 16;
    /** So many registers are named of what is lost, where a processor has system registers without end. */
    private static final int MOST_NAMED = 24;

    private static final int LARGEST_VMCOREINFO = 1 << 20;

    /** A longer note, such as a dump of a device, stays in the file. */
    private static final int LARGEST_IN_MEMORY = 1 << 16;

    /** So much is read into memory; of further notes the content stays in the file. */
    private static final long MOST_BYTES = 16 << 20;

    /** Each takes memory, however short: this is many times what a machine with {@link #MOST_VCPUS} has. */
    private static final int MOST_NOTES = 1 << 17;

    /** Instead of a vCPU: the notes of one that is left out. */
    private static final int NOBODY = -2;

    /** Collects the notes of one file, which may lie in several places. Not thread-safe. */
    public static final class Reader {

        private final FileBytes file;
        private final ByteOrder order;
        private final StatedMachine stated;
        private final CappedFindings findings;
        private final List<byte[]> statuses = new ArrayList<>();
        private final List<byte[]> states = new ArrayList<>();
        private final List<ElfFacts.Note> others = new ArrayList<>();
        private Map<Integer, List<ElfFacts.Note>> byVcpu = Map.of();
        private Optional<byte[]> vmcoreInfo = Optional.empty();
        private Optional<ElfNote> keep = Optional.empty();
        private long bytes;

        /** To which vCPU a note belongs that comes now, as {@link ElfFacts.Note#vcpu} says it. */
        private int owner = ElfFacts.Note.FIRST;

        /**
         * Begins.
         *
         * @param order byte order of the notes
         * @param stated what the header says of the machine
         * @param findings receives what is damaged or odd
         */
        public Reader(FileBytes file, ByteOrder order, StatedMachine stated, CappedFindings findings) {
            this.file = file;
            this.order = order;
            this.stated = stated;
            this.findings = findings;
        }

        /** Reads the notes in {@code [offset, offset + size)}; where they break off, the rest is a finding. */
        public void read(long offset, long size) {
            if (offset < 0 || size < 0 || offset >= file.size()) {
                findings.damage(file.malformed(offset, "notes", "a place in the file of " + file.size() + " bytes",
                        Long.toUnsignedString(size) + " bytes past its end", "registers and facts are lost"));
                return;
            }
            long limit = offset + Math.min(size, file.size() - offset);
            try {
                for (long at = offset; at < limit;) {
                    if (limit - at < 12 && size <= file.size() - offset) {
                        return;
                    }
                    ElfNote note = ElfNote.read(file, order, at, limit);
                    accept(note);
                    at = note.end();
                }
                if (limit - offset < size) {
                    findings.damage(file.malformed(limit, "notes", Long.toUnsignedString(size) + " bytes",
                            "the end of the file", "notes are lost"));
                }
            } catch (MalformedDumpException e) {
                findings.damage(e);
            }
        }

        private void accept(ElfNote note) {
            if (note.name().isEmpty() && note.type() == 0 && note.descriptorSize() == 0) {
                return;
            }
            if (note.type() == Elf.NT_PRSTATUS && note.name().equals(CORE)) {
                owner = addContext(statuses, note) ? statuses.size() - 1 : NOBODY;
            } else if (note.type() == 0 && note.name().equals(QEMU) && (isX86(stated.code()) || isState(note))) {
                owner = ElfFacts.Note.LAST;
                addContext(states, note);
            } else if (note.name().equals(VMCOREINFO)
                    && vmcoreInfo.isEmpty()
                    && note.descriptorSize() <= LARGEST_VMCOREINFO) {
                owner = ElfFacts.Note.LAST;
                byte[] content = descriptor(note);
                if (VmcoreInfoFacts.isText(content)) {
                    vmcoreInfo = Optional.of(content);
                } else {
                    findings.add(Finding.note(file.name() + ": " + notVmcoreInfo(content)));
                    addOther(note);
                }
            } else if (keep.isEmpty() && note.name().equals(KEEP_NAME) && note.type() == KEEP_TYPE) {
                owner = ElfFacts.Note.LAST;
                keep = Optional.of(note);
            } else if (owner != NOBODY) {
                addOther(note);
            }
        }

        /** What a note is that should be VMCOREINFO. */
        private static String notVmcoreInfo(byte[] content) {
            return "the note VMCOREINFO is not what a Linux kernel writes: expected lines KEY=value, found "
                    + WindowsDumpHeader.of(content)
                            .map(header -> "the header of a Windows crash dump (" + header.system() + ")")
                            .orElse(content.length == 0 ? "nothing" : content.length + " bytes of something else")
                    + "; it is kept as it is";
        }

        /** Whether it looks like QEMU's note about an x86 vCPU, whatever the header says. */
        private boolean isState(ElfNote note) {
            return note.descriptorSize() >= Integer.BYTES
                    && note.descriptorSize() <= LARGEST_CONTEXT
                    && QemuCpuState.isKnown(ByteBuffer.wrap(descriptor(note)));
        }

        /** Whether it was taken. */
        private boolean addContext(List<byte[]> contexts, ElfNote note) {
            if (contexts.size() == MOST_VCPUS) {
                findings.damage(file.malformed(note.offset(), "notes about vCPUs", "at most " + MOST_VCPUS, "more",
                        "the others are left out"));
                return false;
            }
            if (note.descriptorSize() > LARGEST_CONTEXT || !takesMemory(note)) {
                findings.damage(file.malformed(note.offset(), "note about a vCPU",
                        "at most " + LARGEST_CONTEXT + " bytes, and " + MOST_BYTES + " bytes of notes in all",
                        note.descriptorSize() + " bytes after " + bytes, "it is left out"));
                return false;
            }
            contexts.add(descriptor(note));
            return true;
        }

        private void addOther(ElfNote note) {
            if (others.size() == MOST_NOTES) {
                findings.damage(file.malformed(note.offset(), "notes", "at most " + MOST_NOTES, "more",
                        "the others are left out"));
                return;
            }
            boolean inMemory = note.descriptorSize() <= LARGEST_IN_MEMORY && takesMemory(note);
            ElfFacts.Content content = inMemory
                    ? ElfFacts.Content.of(descriptor(note))
                    : new ContentInFile(file, note.descriptorOffset(), note.descriptorSize());
            others.add(new ElfFacts.Note(note.name(), note.type(), content, owner));
        }

        private boolean takesMemory(ElfNote note) {
            // A note costs more than its bytes: the record and the array around them.
            long cost = note.descriptorSize() + 128;
            if (bytes + cost > MOST_BYTES) {
                return false;
            }
            bytes += cost;
            return true;
        }

        private byte[] descriptor(ElfNote note) {
            return file.bytes(note.descriptorOffset(), (int) note.descriptorSize(), "note descriptor");
        }

        /** What all the notes say. */
        public CoreNotes finish() {
            MachineWitnesses witnesses = new MachineWitnesses(file.name(), stated, order);
            if (states.stream().anyMatch(state -> QemuCpuState.isKnown(ByteBuffer.wrap(state)))) {
                witnesses.qemuNotes();
            }
            statuses.forEach(status -> witnesses.statusSize(status.length));
            int machine = witnesses.decide(vmcoreInfo, findings);
            if (!isX86(machine)) {
                states.forEach(state -> others.add(
                        new ElfFacts.Note(QEMU, 0, ElfFacts.Content.of(state), ElfFacts.Note.LAST)));
                states.clear();
            }
            int count = Math.max(statuses.size(), states.size());
            if (!states.isEmpty() && !statuses.isEmpty() && states.size() != statuses.size()) {
                findings.add(Finding.note(file.name() + ": " + Amounts.counted(statuses.size(), "NT_PRSTATUS note")
                        + " but " + Amounts.counted(states.size(), "note")
                        + " of QEMU; each is taken for the vCPU of its position"));
            }
            Architecture family = Architectures.ofElf(machine, stated.isWide() ? Long.SIZE : Integer.SIZE);
            List<Integer> numbers = numbers(family, count);
            List<Vcpu> vcpus = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                RegisterState.Builder registers = RegisterState.builder();
                List<RawContext> raw = new ArrayList<>();
                if (i < statuses.size()) {
                    byte[] status = statuses.get(i);
                    Optional<StatusLayout> layout = family.statusOfSize(status.length);
                    layout.ifPresent(known -> registers.setAll(known.read(status, order)));
                    OptionalInt least = leastStatus(family);
                    if (layout.isEmpty() && least.isPresent()) {
                        findings.add(Finding.damage(file.name() + ": NT_PRSTATUS of " + status.length
                                + " bytes for vCPU " + i + ": expected at least " + least.getAsInt()
                                + ", which hold its registers; they are not read from there"));
                    }
                    raw.add(new RawContext(STATUS_CONTEXT, status));
                }
                if (i < states.size()) {
                    ByteBuffer state = ByteBuffer.wrap(states.get(i));
                    if (QemuCpuState.isKnown(state)) {
                        QemuCpuState.read(state, registers);
                    } else {
                        findings.add(Finding.note(file.name() + ": QEMU's note about vCPU " + i
                                + " is of an unknown version; its registers come from NT_PRSTATUS only"));
                    }
                    raw.add(new RawContext(STATE_CONTEXT, states.get(i)));
                }
                readNotes(family, i, registers);
                vcpus.add(new Vcpu(numbers.get(i), registers.build(), raw));
            }
            return new CoreNotes(machine, vcpus, vmcoreInfo, List.copyOf(others), statuses.size(), states.size(), keep);
        }

        /** Reads what the notes behind an NT_PRSTATUS tell of the registers of the same vCPU. */
        private void readNotes(Architecture family, int vcpu, RegisterState.Builder registers) {
            List<RegisterNote> known = family.notes();
            if (known.isEmpty()) {
                return;
            }
            for (ElfFacts.Note note : othersByVcpu().getOrDefault(vcpu, List.of())) {
                noteOf(known, note)
                        .filter(layout -> note.content().size() <= LARGEST_IN_MEMORY)
                        .ifPresent(layout -> registers.setAll(
                                layout.read(note.descriptor(), order, registers.build())));
            }
        }

        private Map<Integer, List<ElfFacts.Note>> othersByVcpu() {
            if (byVcpu.isEmpty()) {
                byVcpu = others.stream().collect(Collectors.groupingBy(ElfFacts.Note::vcpu));
            }
            return byVcpu;
        }

        /**
         * The numbers of vCPUs. QEMU puts them, from 1, where Linux has the number of the process that ran: they count only
         * where QEMU's own notes stand beside, and are numbers of vCPUs.
         */
        private List<Integer> numbers(Architecture family, int count) {
            List<Integer> positions = IntStream.range(0, count).boxed().toList();
            if (states.size() != count || statuses.size() != count) {
                return positions;
            }
            List<Integer> numbers = new ArrayList<>();
            int previous = -1;
            for (byte[] status : statuses) {
                int number = family.statusOfSize(status.length)
                        .map(layout -> layout.process(status, order) - 1)
                        .orElse(-1);
                if (number <= previous || number >= MOST_VCPUS) {
                    return positions;
                }
                numbers.add(number);
                previous = number;
            }
            return numbers;
        }

        /** How long a note must be to hold registers; empty if it is not known where they would be. */
        private static OptionalInt leastStatus(Architecture family) {
            return family.machines().stream()
                    .flatMap(machine -> family.status(machine).stream())
                    .mapToInt(StatusLayout::registersEnd)
                    .min();
        }
    }

    private static Optional<RegisterNote> noteOf(List<RegisterNote> known, ElfFacts.Note note) {
        return known.stream()
                .filter(layout -> layout.type() == note.type() && layout.owner().equals(note.name()))
                .findFirst();
    }

    /** The notes of a vCPU: those of the source, unless the registers have changed, and those that the registers give. */
    private static List<ElfFacts.Note> registerNotes(
            Architecture family, Vcpu vcpu, List<ElfFacts.Note> own, ByteOrder order) {
        List<ElfFacts.Note> notes = new ArrayList<>();
        Set<RegisterNote> present = new HashSet<>();
        for (ElfFacts.Note note : own) {
            Optional<RegisterNote> layout = noteOf(family.notes(), note);
            layout.ifPresent(present::add);
            boolean isShort = note.content().size() <= LARGEST_CONTEXT;
            Optional<byte[]> anew = layout.filter(known -> isShort && !agrees(known, note, vcpu, order))
                    .flatMap(known -> known.write(vcpu.registers(), order));
            notes.add(anew.map(bytes -> new ElfFacts.Note(note.name(), note.type(), bytes)).orElse(note));
        }
        for (RegisterNote layout : family.notes()) {
            if (!present.contains(layout)) {
                layout.write(vcpu.registers(), order)
                        .ifPresent(bytes -> notes.add(new ElfFacts.Note(layout.owner(), layout.type(), bytes)));
            }
        }
        return notes;
    }

    private static boolean agrees(RegisterNote layout, ElfFacts.Note note, Vcpu vcpu, ByteOrder order) {
        RegisterState told = layout.read(note.descriptor(), order, vcpu.registers());
        return told.known().stream()
                .allMatch(register -> vcpu.registers().knows(register)
                        && Arrays.equals(vcpu.registers().bytes(register), told.bytes(register)));
    }

    /** The registers that the notes of a vCPU will hold. */
    private static Set<Register> inNotes(Guest guest, int machine, Vcpu vcpu, int position) {
        Architecture family = noteFamily(guest, machine);
        if (family.notes().isEmpty()) {
            return Set.of();
        }
        ByteOrder order = family.byteOrder().orElse(ByteOrder.LITTLE_ENDIAN);
        Set<Register> held = new HashSet<>();
        List<ElfFacts.Note> kept = guest.facts(ElfFacts.class).map(ElfFacts::notes).orElse(List.of());
        for (RegisterNote layout : family.notes()) {
            boolean isKept = kept.stream()
                    .anyMatch(note -> note.vcpu() == position
                            && note.type() == layout.type()
                            && note.name().equals(layout.owner()));
            if (isKept || layout.write(vcpu.registers(), order).isPresent()) {
                held.addAll(layout.places());
            }
        }
        // A vector's lower half is in the whole vector.
        family.registers().stream()
                .filter(register -> register.label().matches("v\\d+"))
                .filter(register -> family.register("z" + register.label().substring(1)).filter(held::contains)
                        .isPresent())
                .forEach(held::add);
        return held;
    }

    /** The processor of the guest if the core names its machine, else none that has notes. */
    private static Architecture noteFamily(Guest guest, int machine) {
        Architecture family = NamedProcessor.of(guest);
        return family.machines().stream().anyMatch(own -> own.code() == machine) ? family : Architecture.UNKNOWN;
    }

    private static boolean isX86(int machine) {
        return machine == Elf.EM_X86_64 || machine == Elf.EM_386;
    }

    /**
     * The notes for a guest: an NT_PRSTATUS for each vCPU and behind it what else belongs to that vCPU, which nothing but the
     * order tells; then QEMU's for each, then VMCOREINFO, then the others.
     *
     * @param machine e_machine that the file will have
     * @param order byte order that the file will have
     */
    public static NoteList write(
            Guest guest, int machine, ByteOrder order, Optional<byte[]> vmcoreInfo, List<ElfFacts.Note> others) {
        List<ElfFacts.Note> notes = new ArrayList<>();
        Map<Integer, List<ElfFacts.Note>> byVcpu =
                others.stream().collect(Collectors.groupingBy(ElfFacts.Note::vcpu));
        notes.addAll(byVcpu.getOrDefault(ElfFacts.Note.FIRST, List.of()));
        boolean x86 = isX86(machine);
        Optional<StatusLayout> status = status(guest, machine);
        ImpliedRegisters implied = implied(guest, machine);
        int position = 0;
        for (Vcpu vcpu : guest.vcpus()) {
            int process = vcpu.index() + 1;
            Optional<byte[]> raw = vcpu.rawContext(STATUS_CONTEXT).map(RawContext::bytes);
            Optional<byte[]> descriptor = status.map(layout -> raw.filter(
                    bytes -> layout.agrees(bytes, order, vcpu.registers()))
                    .orElseGet(() -> layout.write(process, implied.complete(vcpu).registers(), order)))
                    .or(() -> raw);
            if (descriptor.isPresent()) {
                notes.add(new ElfFacts.Note(CORE, Elf.NT_PRSTATUS, descriptor.get()));
                notes.addAll(registerNotes(
                        noteFamily(guest, machine), vcpu, byVcpu.getOrDefault(position, List.of()), order));
            }
            position++;
        }
        if (x86 && hasStates(guest)) {
            for (Vcpu vcpu : guest.vcpus()) {
                byte[] descriptor = vcpu.rawContext(STATE_CONTEXT)
                        .map(RawContext::bytes)
                        .filter(raw -> QemuCpuState.isKnown(wrap(raw))
                                && agrees(vcpu, builder -> QemuCpuState.read(wrap(raw), builder)))
                        .orElseGet(() -> QemuCpuState.write(implied.complete(vcpu).registers()));
                notes.add(new ElfFacts.Note(QEMU, 0, descriptor));
            }
        }
        vmcoreInfo.ifPresent(text -> notes.add(new ElfFacts.Note(VMCOREINFO, 0, text)));
        notes.addAll(byVcpu.getOrDefault(ElfFacts.Note.LAST, List.of()));
        return new NoteList(notes, order);
    }

    /** Whether QEMU's notes are written: for all vCPUs or for none, since a note belongs to the vCPU of its position. */
    private static boolean hasStates(Guest guest) {
        return guest.vcpus().stream()
                .anyMatch(vcpu -> vcpu.rawContext(STATE_CONTEXT).isPresent()
                        || QemuCpuState.isWorthwhile(vcpu.registers()));
    }

    /** How the processor of the guest has its NT_PRSTATUS in a core that names that machine. */
    private static Optional<StatusLayout> status(Guest guest, int machine) {
        Architecture family = NamedProcessor.of(guest);
        return family.machines().stream()
                .filter(own -> own.code() == machine)
                .findFirst()
                .flatMap(family::status);
    }

    private static ImpliedRegisters implied(Guest guest, int machine) {
        Set<Register> places =
                new HashSet<>(isX86(machine) && hasStates(guest) ? QemuCpuState.places() : Set.of());
        status(guest, machine).ifPresent(layout -> places.addAll(layout.registers()));
        return ImpliedRegisters.of(guest, places);
    }

    /**
     * What stands before Guestcore's own record, which is the descriptor of the last note.
     *
     * @param size of the record, a multiple of four
     * @throws UnsupportedRequestException if a note cannot be that large
     */
    public static byte[] keepHeader(long size, ByteOrder order) {
        if (size >>> Integer.SIZE != 0) {
            throw new UnsupportedRequestException("what is to be kept of this guest takes " + size
                    + " bytes, and a note holds less than 2^32; write without keeping it");
        }
        return NoteList.header(KEEP_NAME, KEEP_TYPE, size, order);
    }

    private static ByteBuffer wrap(byte[] bytes) {
        return ByteBuffer.wrap(bytes);
    }

    /**
     * Whether a raw structure still says what the registers say: then it goes back as it was, with the bits that are no
     * registers.
     */
    private static boolean agrees(Vcpu vcpu, Consumer<RegisterState.Builder> reader) {
        RegisterState.Builder builder = RegisterState.builder();
        reader.accept(builder);
        RegisterState raw = builder.build();
        return raw.known().stream()
                .allMatch(register -> vcpu.registers().knows(register)
                        && vcpu.registers().get(register) == raw.get(register));
    }

    /** The registers that the notes of {@link #write} cannot hold; vCPUs that lose the same are told of together. */
    public static List<Loss> registerLosses(Guest guest, int machine) {
        Optional<StatusLayout> status = status(guest, machine);
        if (status.isEmpty()) {
            return guest.vcpus().stream()
                    .filter(vcpu -> vcpu.rawContext(STATUS_CONTEXT).isEmpty())
                    .findFirst()
                    .map(vcpu -> new Loss("registers of all vCPUs", "no note is defined for this processor", false))
                    .stream()
                    .toList();
        }
        boolean hasStates = isX86(machine) && hasStates(guest);
        Map<String, List<Integer>> vcpusByLoss = new LinkedHashMap<>();
        int position = 0;
        for (Vcpu vcpu : guest.vcpus()) {
            Set<Register> carried = new HashSet<>(hasStates
                    ? QemuCpuState.carried(vcpu.registers())
                    : Set.copyOf(status.get().registers()));
            carried.addAll(inNotes(guest, machine, vcpu, position));
            position++;
            String lost = shortened(isX86(machine) ? Integer.MAX_VALUE : MOST_NAMED, vcpu.registers().known().stream()
                    .filter(register -> !carried.contains(register))
                    .map(Register::label)
                    .toList());
            if (!lost.isEmpty()) {
                vcpusByLoss.computeIfAbsent(lost, unused -> new ArrayList<>()).add(vcpu.index());
            }
        }
        List<Loss> losses = new ArrayList<>();
        vcpusByLoss.forEach((registers, vcpus) -> losses.add(new Loss(
                "registers " + registers + " of vCPU " + Numbers.runs(vcpus),
                isX86(machine)
                        ? "neither NT_PRSTATUS nor QEMU's note has a place for them"
                        : noteFamily(guest, machine).notes().isEmpty()
                                ? "NT_PRSTATUS has no place for them"
                                : "no note has a place for them",
                false)));
        if (machine == Elf.EM_386) {
            losses.addAll(cutRegisters(guest));
        }
        if (!hasStates) {
            losses.addAll(CommonLosses.ofVcpuNumbers(guest, false));
        }
        losses.addAll(implied(guest, machine)
                .losses(
                        vcpu -> vcpu.rawContext(STATE_CONTEXT).isEmpty(),
                        hasStates ? "NT_PRSTATUS and QEMU's note" : "NT_PRSTATUS",
                        false));
        return losses;
    }

    /** An arm64 vCPU has two hundred system registers. */
    private static String shortened(int most, List<String> labels) {
        return labels.size() <= most
                ? String.join(", ", labels)
                : String.join(", ", labels.subList(0, most)) + " and " + (labels.size() - most) + " more";
    }

    /** What gdb and others, who read NT_PRSTATUS only, see the lower half of. */
    private static List<Loss> cutRegisters(Guest guest) {
        Map<String, List<Integer>> vcpusByLoss = new LinkedHashMap<>();
        for (Vcpu vcpu : guest.vcpus()) {
            String cut = Architectures.X86.status(X86Architecture.I386).orElseThrow().registers().stream()
                    .filter(register -> vcpu.registers().getOrElse(register, 0) >>> Integer.SIZE != 0)
                    .map(Register::label)
                    .collect(Collectors.joining(", "));
            if (!cut.isEmpty()) {
                vcpusByLoss.computeIfAbsent(cut, unused -> new ArrayList<>()).add(vcpu.index());
            }
        }
        return vcpusByLoss.entrySet().stream()
                .map(entry -> new Loss(
                        "upper halves of registers " + entry.getKey() + " of vCPU " + Numbers.runs(entry.getValue())
                                + ", for readers of NT_PRSTATUS",
                        "the NT_PRSTATUS of a 386 has 32 bits for each; only QEMU's note holds them whole",
                        false))
                .toList();
    }
}
