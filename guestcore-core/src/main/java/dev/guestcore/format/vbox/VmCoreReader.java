package dev.guestcore.format.vbox;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.GuestMemory;
import dev.guestcore.Provenance;
import dev.guestcore.RawContext;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.facts.VirtualBoxFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.elf.ElfNote;
import dev.guestcore.internal.file.Arenas;
import dev.guestcore.internal.keep.KeepRecord;
import dev.guestcore.internal.memory.FileMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Makes a guest of a VMCore. */
final class VmCoreReader {

    private final VmCoreFile core;
    private final FileBytes file;
    private final List<Finding> findings = new ArrayList<>();

    private VmCoreReader(FileBytes file) {
        this.file = file;
        this.core = VmCoreFile.read(file);
    }

    /** Opens the file; closing the guest closes it. */
    static Guest open(FileBytes file) {
        return new VmCoreReader(file).guest();
    }

    private Guest guest() {
        findings.addAll(core.findings());
        Arena arena = Arena.ofShared();
        try {
            Ranges ranges = Ranges.read(core, arena);
            GuestBuilder guest = Guest.builder().architecture(Architectures.X86);
            readVcpus(guest);
            noteOddities();
            findings.addAll(ranges.findings());
            guest.facts(facts()).provenance(provenance()).findings(findings).laterFindings(file::readFailures)
                    .onClose(() -> {
                        Arenas.close(arena);
                        file.close();
                    });
            return restored(guest, new FileMemory(file, ranges.extents(), ranges.storedBytes()));
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /** With Guestcore's own record, if the file has one, the guest is what it was before it became a VMCore. */
    private Guest restored(GuestBuilder builder, GuestMemory memory) {
        Guest guest = builder.build(memory);
        if (core.notes().keep().isEmpty()) {
            return guest;
        }
        ElfNote record = core.notes().keep().get();
        try {
            return KeepRecord.restore(guest, file, record.descriptorOffset(), record.descriptorSize());
        } catch (MalformedDumpException e) {
            return builder.findings(List.of(Finding.damage(e))).build(memory);
        }
    }

    private void readVcpus(GuestBuilder guest) {
        CpuLayout layout = CpuLayout.of(core.layout(), core.descriptor().version());
        for (ElfNote note : core.notes().cpus()) {
            int size = (int) Math.min(note.descriptorSize(), layout.size());
            byte[] payload = file.bytes(note.descriptorOffset(), size, note.name());
            if (note.descriptorSize() != layout.size()) {
                damage(note.offset() + 4, "size of note " + note.name(), Integer.toString(layout.size()),
                        Long.toString(note.descriptorSize()), "the registers of this vCPU are lost");
                guest.vcpu(RegisterState.unknown());
                continue;
            }
            MemorySegment bytes = MemorySegment.ofArray(payload);
            long extended = layout.extendedSize(bytes);
            if (extended > CpuLayout.EXTENDED_SIZE) {
                damage(note.descriptorOffset() + layout.extendedSizeField(), "cbExt",
                        "at most " + CpuLayout.EXTENDED_SIZE, Long.toString(extended),
                        "all " + CpuLayout.EXTENDED_SIZE + " bytes are read");
            }
            guest.vcpu(layout.decode(bytes), List.of(new RawContext(layout.kind(), payload)));
        }
        long expected = core.descriptor().cpuCount();
        int found = core.notes().cpus().size();
        if (found != expected) {
            damage(descriptorNote().descriptorOffset() + 20, "cCpus",
                    found + " (the number of CPU notes)", Long.toString(expected),
                    found < expected ? "the states of the other vCPUs are lost" : "the notes decide");
        }
    }

    private void noteOddities() {
        Descriptor descriptor = core.descriptor();
        if (descriptor.size() != Notes.DESCRIPTOR_SIZE) {
            findings.add(Finding.note(file.name() + ": at offset 0x"
                    + Long.toHexString(descriptorNote().descriptorOffset() + 8) + ": cbSelf: expected "
                    + Notes.DESCRIPTOR_SIZE + ", found " + descriptor.size() + "; ignored"));
        }
        int machine = core.elf().machine();
        if (machine != Elf.EM_X86_64 && machine != Elf.EM_386) {
            findings.add(Finding.note(file.name() + ": at offset 0x12: e_machine: expected 62 or 3, found " + machine
                    + "; ignored, VirtualBox writes x86 only"));
        }
        if (descriptor.cpuCount() == 0 && core.notes().cpus().isEmpty()) {
            findings.add(Finding.note(file.name() + ": the core has no vCPU; its memory can be read"));
        }
        if (descriptor.buildIsDoubtful()) {
            findings.add(Finding.note(file.name() + ": VirtualBox " + descriptor.versionText()
                    + ": versions before 4.0.16 and 4.1.8 stored the minor version in place of the build number, so"
                    + " the build is not known"));
        }
    }

    private ElfNote descriptorNote() {
        return core.notes().descriptor().orElseThrow();
    }

    private void damage(long offset, String field, String expected, String found, String meaning) {
        findings.add(Finding.damage(file.malformed(offset, field, expected, found, meaning)));
    }

    private VirtualBoxFacts facts() {
        List<VirtualBoxFacts.ExtraNote> extras = new ArrayList<>();
        for (ElfNote note : core.notes().extras()) {
            extras.add(new VirtualBoxFacts.ExtraNote(
                    file.bytes(note.offset(), Math.toIntExact(note.end() - note.offset()), "note " + note.name())));
        }
        Descriptor descriptor = core.descriptor();
        return new VirtualBoxFacts(
                descriptor.version(), descriptor.revision(), core.layout().label(), core.elf().machine(), extras);
    }

    private Provenance provenance() {
        Descriptor descriptor = core.descriptor();
        boolean foreign = (descriptor.revision() & VirtualBoxFacts.FOREIGN) != 0;
        return new Provenance(
                file.name(),
                VmCoreFormat.NAME,
                core.layout().label() + ", format version " + (descriptor.formatVersion() & 0xff),
                foreign ? Optional.empty() : Optional.of("VirtualBox"),
                foreign ? Optional.empty() : Optional.of(descriptor.versionText()),
                Optional.empty());
    }
}
