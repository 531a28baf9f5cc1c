package dev.guestcore.format.kdump;

import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.facts.VmcoreInfoFields;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.check.CappedFindings;
import dev.guestcore.internal.elf.CoreNotes;
import dev.guestcore.internal.elf.StatedMachine;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What a kdump says beside memory: registers, VMCOREINFO, the list of erased data, notes of Guestcore's own.
 *
 * @param notes registers and notes that nobody here interprets, those of Guestcore left out
 * @param vmcoreInfo from its own place, or else from the notes
 * @param eraseInfo what makedumpfile erased, as a note, or none
 * @param ours notes of Guestcore's own
 */
record KdumpNotes(
        CoreNotes notes,
        Optional<VmcoreInfoFacts> vmcoreInfo,
        Optional<ElfFacts.Note> eraseInfo,
        List<ElfFacts.Note> ours) {

    /** Name of the note that the list of erased data becomes in an ELF file. */
    static final String ERASE_INFO = "ERASEINFO";

    /** Owner of notes of Guestcore's own. */
    static final String OWN = "GUESTCORE";

    /** n_type of the note about the record of what the format cannot carry; 1 is the record itself, in ELF cores. */
    static final long KEEP_TYPE = 3;

    private static final int LARGEST_TEXT = 1 << 20;

    static KdumpNotes read(FileBytes file, KdumpHeader header, CappedFindings findings) {
        StatedMachine stated =
                StatedMachine.ofLinuxName(header.machine(), header.layout() == KdumpLayout.BITS_64);
        CoreNotes.Reader reader = new CoreNotes.Reader(file, header.order(), stated, findings);
        header.notes().ifPresent(place -> reader.read(place.offset(), place.size()));
        CoreNotes notes = reader.finish();
        // What is no text stands among the notes as well, which keep it.
        Optional<VmcoreInfoFacts> facts = text(file, header.vmcoreInfo(), "vmcoreinfo", findings)
                .filter(VmcoreInfoFacts::isText)
                .or(notes::vmcoreInfo)
                .map(VmcoreInfoFacts::new);
        Optional<ElfFacts.Note> erased = text(file, header.eraseInfo(), "eraseinfo", findings)
                .map(bytes -> new ElfFacts.Note(ERASE_INFO, 0, bytes));
        List<ElfFacts.Note> ours =
                notes.others().stream().filter(note -> note.name().equals(OWN)).toList();
        return new KdumpNotes(notes, facts, erased, ours);
    }

    /** phys_base as the kernel itself says it. */
    OptionalLong physicalBase() {
        return vmcoreInfo.map(VmcoreInfoFacts::fields)
                .map(VmcoreInfoFields::physicalBase)
                .orElse(OptionalLong.empty());
    }

    /** e_machine that the notes would have in an ELF file; 0 if it is not known. */
    int machine() {
        return notes.machine();
    }

    /** Notes to keep for whoever writes the guest. */
    List<ElfFacts.Note> foreign() {
        List<ElfFacts.Note> foreign = new ArrayList<>(notes.others());
        foreign.removeAll(ours);
        eraseInfo.ifPresent(foreign::add);
        return foreign;
    }

    /** Where a record of Guestcore's own lies, if there is a note of that type. Not checked against the file. */
    Optional<KdumpHeader.Place> place(long type) {
        return ours.stream()
                .filter(note -> note.type() == type && note.content().size() == 2 * Long.BYTES)
                .map(note -> ByteBuffer.wrap(note.descriptor()).order(ByteOrder.LITTLE_ENDIAN))
                .map(place -> new KdumpHeader.Place(place.getLong(), place.getLong()))
                .findFirst();
    }

    /** The descriptor of a note about a record of Guestcore's own: where it lies. */
    static byte[] placeNote(long offset, long size) {
        return ByteBuffer.allocate(2 * Long.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(offset)
                .putLong(size)
                .array();
    }

    private static Optional<byte[]> text(
            FileBytes file, Optional<KdumpHeader.Place> place, String what, CappedFindings findings) {
        if (place.isEmpty()) {
            return Optional.empty();
        }
        if (place.get().size() > LARGEST_TEXT) {
            findings.damage(file.malformed(
                    place.get().offset(),
                    what,
                    "at most " + LARGEST_TEXT + " bytes",
                    place.get().size() + " bytes",
                    "it is left out"));
            return Optional.empty();
        }
        return Optional.of(file.bytes(place.get().offset(), (int) place.get().size(), what));
    }
}
