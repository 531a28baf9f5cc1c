package dev.guestcore.format.elf;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.GuestMemory;
import dev.guestcore.Progress;
import dev.guestcore.Provenance;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.ElfMachine;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.ChosenOptions;
import dev.guestcore.format.OneFileFormat;
import dev.guestcore.format.Probe;
import dev.guestcore.format.WriteOption;
import dev.guestcore.internal.check.CappedFindings;
import dev.guestcore.internal.check.SecondCopies;
import dev.guestcore.internal.elf.CoreNotes;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.elf.ElfClass;
import dev.guestcore.internal.elf.ElfHeader;
import dev.guestcore.internal.elf.ElfNote;
import dev.guestcore.internal.elf.ProgramHeader;
import dev.guestcore.internal.elf.StatedMachine;
import dev.guestcore.internal.file.Arenas;
import dev.guestcore.internal.keep.KeepRecord;
import dev.guestcore.internal.memory.FileMemory;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.kernel.DebuggerSupport;
import java.lang.foreign.Arena;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * ELF cores of machines: PT_LOAD segments by physical address, PT_NOTE segments with registers (docs/formats/elf.md).
 *
 * <p>A file of a format that builds on ELF and marks itself by its notes, such as a VirtualBox VMCore, is recognised by
 * that format first.
 */
public final class ElfCoreFormat implements OneFileFormat {

    /** Short name of the format. */
    static final String NAME = "elf";

    private static final String MACHINE = "machine";
    static final List<String> MACHINES = Architectures.machines().stream().map(ElfMachine::label).toList();
    private static final String KEEP = "keep";
    private static final String MAKES_NONE = "no-made-vmcoreinfo";

    /** Creates the format; for {@link java.util.ServiceLoader}. */
    public ElfCoreFormat() {}

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String title() {
        return "ELF core of a machine (QEMU, libvirt, kdump, makedumpfile -E)";
    }

    @Override
    public Probe probe(FileBytes file) {
        try {
            if (!ElfHeader.isElf(file)) {
                return Probe.no("does not begin as an ELF file");
            }
            ElfHeader elf = ElfHeader.read(file);
            if (elf.type() != Elf.ET_CORE) {
                return Probe.almost("an ELF file, but not a core (e_type " + elf.type() + "): a program, a library or a"
                        + " kernel with its symbols; name the dump");
            }
            ElfSegments segments = ElfSegments.of(file, elf);
            if (segments.firstLoad() < 0) {
                return Probe.almost("an ELF core without memory: it has no program header of type PT_LOAD");
            }
            return new Probe(Probe.Match.GENERAL, "an ELF core with memory in " + segments.count() + " segments");
        } catch (MalformedDumpException e) {
            return Probe.almost("an ELF file whose headers cannot be read: " + e.field());
        }
    }

    @Override
    public Guest open(FileBytes file) {
        ElfHeader elf = ElfHeader.read(file);
        ElfSegments segments = ElfSegments.of(file, elf);
        CappedFindings findings = new CappedFindings();
        findings.addAll(file.findings());
        if (segments.count() < segments.declared()) {
            findings.damage(file.malformed(segments.offsetOf(segments.count()), "program headers",
                    Long.toString(segments.declared()), segments.count() + " up to the end of the file",
                    "the memory of the others is lost"));
        }
        long unread = segments.countUnread();
        if (unread > 0) {
            findings.add(Finding.omitted(file.name() + ": " + Amounts.counted(unread,
                    "program header with content is neither PT_LOAD nor PT_NOTE; it is not read",
                    "program headers with content are neither PT_LOAD nor PT_NOTE; they are not read")));
        }
        CoreNotes notes = notes(file, elf, segments, findings);
        boolean byVirtualAddress = segments.lackPhysicalAddresses();
        if (byVirtualAddress) {
            boolean kernel = segments.areInKernelHalf() || isNamed(notes, "vmlinux");
            if (isProcess(notes) && !kernel) {
                throw file.malformed(segments.offsetOf(segments.firstLoad()), "p_paddr",
                        "physical addresses", "0 in all segments, and notes about a process",
                        "this is the core of a process, not of a machine; open it with gdb");
            }
            findings.add(Finding.note(file.name() + ": " + (isProcess(notes) ? "a copy of /proc/kcore; " : "")
                    + "p_paddr is 0 in all segments, so the file does not say where the memory lies physically; it is shown"
                    + " at p_vaddr"));
        } else if (segments.countNowhere() > 0) {
            findings.add(Finding.omitted(file.name() + ": "
                    + Amounts.counted(segments.countNowhere(), "segment has", "segments have")
                    + " no single physical address"
                    + " (p_paddr is all ones, as in copies of /proc/kcore for vmalloc, modules and vmemmap); their pages are"
                    + " shown where they lie in RAM, and these segments are ignored"));
        }
        Arena arena = Arena.ofShared();
        try {
            Extents extents = segments.memory(arena, byVirtualAddress, findings);
            ElfPlaces.of(segments, byVirtualAddress).report(file, findings);
            SecondCopies copies = segments.copies(extents, byVirtualAddress, SecondCopies.AT_OPENING);
            if (copies.differing() > 0) {
                findings.add(Finding.damage(file.name() + ": segments overlap and contradict each other: "
                        + copies.contradiction() + "; that of the first segment is shown"));
            }
            if (extents.count() == 0) {
                throw file.malformed(elf.programHeaderOffset(), "program headers", "at least one PT_LOAD with memory",
                        "none", "there is nothing to read in this file");
            }
            GuestBuilder builder = guest(file, elf, segments, notes, findings);
            builder.byteOrder(elf.order()).laterFindings(file::readFailures).onClose(() -> {
                Arenas.close(arena);
                file.close();
            });
            return restored(file, notes, builder, FileMemory.joined(file, extents, arena));
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /** With Guestcore's own record, if the file has one, the guest is what it was before it became an ELF core. */
    private static Guest restored(FileBytes file, CoreNotes notes, GuestBuilder builder, GuestMemory memory) {
        Guest guest = builder.build(memory);
        if (notes.keep().isEmpty()) {
            return guest;
        }
        ElfNote record = notes.keep().get();
        try {
            return KeepRecord.restore(guest, file, record.descriptorOffset(), record.descriptorSize());
        } catch (MalformedDumpException e) {
            return builder.findings(List.of(Finding.damage(e))).build(memory);
        }
    }

    private static GuestBuilder guest(
            FileBytes file, ElfHeader elf, ElfSegments segments, CoreNotes notes, CappedFindings findings) {
        GuestBuilder builder = Guest.builder()
                .architecture(Architectures.ofElf(notes.machine(), elf.elfClass().addressBits()))
                .provenance(new Provenance(
                        file.name(), NAME, layout(file, elf), Optional.empty(), Optional.empty(), Optional.empty()))
                .findings(findings.list())
                .facts(new ElfFacts(
                        notes.machine(),
                        elf.flags(),
                        elf.elfClass().addressBits(),
                        elf.order() == ByteOrder.BIG_ENDIAN,
                        notes.vmcoreInfo().isPresent() && segments.haveKernelAddresses(),
                        notes.others()));
        notes.vmcoreInfo().ifPresent(text -> builder.facts(new VmcoreInfoFacts(text)));
        notes.vcpus().forEach(vcpu -> builder.vcpu(vcpu.index(), vcpu.registers(), vcpu.rawContexts()));
        return builder;
    }

    private static String layout(FileBytes file, ElfHeader elf) {
        return (elf.elfClass() == ElfClass.ELF64 ? "ELF64" : "ELF32")
                + (elf.order() == ByteOrder.BIG_ENDIAN ? " big-endian" : "")
                + (file.isFlattened() ? ", flattened" : "");
    }

    /** Whether NT_PRPSINFO names the program so, as Linux names itself in /proc/kcore. */
    private static boolean isNamed(CoreNotes notes, String program) {
        return notes.others().stream()
                .filter(note -> note.name().equals("CORE") && note.type() == Elf.NT_PRPSINFO)
                .anyMatch(note -> new String(note.descriptor(), StandardCharsets.ISO_8859_1).contains(program + "\0"));
    }

    private static boolean isProcess(CoreNotes notes) {
        return notes.others().stream().anyMatch(note -> note.name().equals("CORE") && note.type() == Elf.NT_PRPSINFO);
    }

    /** Reads all PT_NOTE segments. */
    static CoreNotes notes(FileBytes file, ElfHeader elf, ElfSegments segments, CappedFindings findings) {
        CoreNotes.Reader reader = new CoreNotes.Reader(
                file, elf.order(), StatedMachine.of(elf.machine(), elf.elfClass()), findings);
        long read = 0;
        for (long i = 0; i < segments.count(); i++) {
            if (segments.type(i) != Elf.PT_NOTE) {
                continue;
            }
            ProgramHeader notes = segments.get(i);
            // Many segments over the same bytes would otherwise make the time grow with the square of the file's size.
            if (notes.fileSize() < 0 || notes.fileSize() > file.size() - read) {
                findings.damage(file.malformed(segments.offsetOf(i), "p_filesz of PT_NOTE",
                        "at most the file's " + file.size() + " bytes in all PT_NOTE segments",
                        Long.toUnsignedString(notes.fileSize()) + " bytes after " + read, "read as far as possible"));
                if (read > 0) {
                    break;
                }
            }
            reader.read(notes.offset(), notes.fileSize() < 0 ? Long.MAX_VALUE : notes.fileSize());
            read += Math.clamp(notes.fileSize(), 0, file.size() - read);
        }
        return reader.finish();
    }

    @Override
    public List<Check> rules(FileBytes file, boolean deep, Progress progress) {
        return new ElfCoreVerifier(file, deep, progress).run();
    }

    @Override
    public DebuggerSupport debuggers() {
        return DebuggerSupport.file().withNoteReaders().withProgramHeaders();
    }

    @Override
    public boolean canWrite() {
        return true;
    }

    @Override
    public List<WriteOption> writeOptions() {
        return List.of(
                new WriteOption(
                        MACHINE,
                        MACHINES,
                        "processor that the core names (e_machine); by default the guest's own, of an x86 guest as its"
                                + " first vCPU runs: x86-64 or 386"),
                WriteOption.flag(KEEP, "keep what the format cannot carry, in a note of Guestcore's own"),
                WriteOption.flag(MAKES_NONE, "do not make a VMCOREINFO note if the guest's memory holds none"));
    }

    @Override
    public ElfCoreWriter writer(Map<String, String> options) {
        ChosenOptions chosen = ChosenOptions.of(this, options);
        ElfCoreWriter writer = chosen.choice(MACHINE, Architectures::machineOfLabel)
                .map(ElfCoreWriter.standard()::withMachine)
                .orElse(ElfCoreWriter.standard());
        writer = chosen.isOn(MAKES_NONE) ? writer.withoutMadeVmcoreInfo() : writer;
        return chosen.isOn(KEEP) ? writer.withKeep() : writer;
    }
}
