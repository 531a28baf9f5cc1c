package dev.guestcore.format.vbox;

import dev.guestcore.Finding;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.elf.ElfNote;
import dev.guestcore.internal.elf.ProgramHeader;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The notes of a VMCore, sorted by what they are (docs/formats/vbox-vmcore.md, section 4). */
final class Notes {

    /** n_type of the core descriptor. */
    static final int NT_VBOXCORE = 0xb00;
    /** n_type of the state of one vCPU. */
    static final int NT_VBOXCPU = 0xb01;
    /** First field of the core descriptor. */
    static final long MAGIC = 0xc01ac0deL;
    /** Size of the core descriptor. */
    static final int DESCRIPTOR_SIZE = 24;

    /** Name of the note with Guestcore's own record. */
    static final String KEEP_NAME = "GUESTCORE";
    /** n_type of the note with Guestcore's own record. */
    static final int KEEP_TYPE = 1;

    /** VirtualBox stops at 64; the bound keeps a hostile file from filling the heap. */
    static final int MOST_VCPUS = 1024;
    /** A file with more notes than that is not worth walking to its end. */
    static final int MOST_NOTES = 4096;
    /** The most that is kept of notes that are not VirtualBox's. */
    static final long MOST_EXTRA_BYTES = 8L << 20;

    private final FileBytes file;
    private final List<Finding> findings = new ArrayList<>();
    private final List<ElfNote> all = new ArrayList<>();
    private final List<ElfNote> cpus = new ArrayList<>();
    private final List<ElfNote> extras = new ArrayList<>();
    private Optional<ElfNote> descriptor = Optional.empty();
    private Optional<ElfNote> keep = Optional.empty();
    private long extraBytes;

    private Notes(FileBytes file) {
        this.file = file;
    }

    /** Whether that is the name of a core descriptor note. */
    static boolean isDescriptor(ElfNote note) {
        return note.type() == NT_VBOXCORE && (note.name().equals("VBCORE") || note.name().equals("VBOXCORE"));
    }

    private static boolean isCpu(ElfNote note) {
        return note.type() == NT_VBOXCPU && (note.name().equals("VBCPU") || note.name().equals("VBOXCPU"));
    }

    /** Walks the notes of one segment. What cannot be read becomes a finding. */
    static Notes read(FileBytes file, ProgramHeader segment) {
        Notes notes = new Notes(file);
        notes.walk(segment);
        return notes;
    }

    private void walk(ProgramHeader segment) {
        long start = segment.offset();
        long room = Math.max(0, file.size() - start);
        if (start < 0 || Long.compareUnsigned(segment.fileSize(), room) > 0) {
            damage("PT_NOTE: p_offset 0x" + Long.toHexString(start) + " and p_filesz 0x"
                    + Long.toHexString(segment.fileSize()) + " reach past the end of the file, which has "
                    + file.size() + " bytes; the notes after it are lost");
        }
        if (start < 0) {
            return;
        }
        long limit = Long.compareUnsigned(segment.fileSize(), room) > 0 ? file.size() : start + segment.fileSize();
        long at = start;
        while (at < limit) {
            if (all.size() == MOST_NOTES) {
                damage("notes: expected at most " + MOST_NOTES + ", found more; those from offset 0x"
                        + Long.toHexString(at) + " on are ignored");
                return;
            }
            ElfNote note;
            try {
                note = ElfNote.read(file, ByteOrder.LITTLE_ENDIAN, at, limit);
            } catch (MalformedDumpException e) {
                findings.add(Finding.damage(e));
                return;
            }
            sort(note);
            at = note.end();
        }
    }

    private void sort(ElfNote note) {
        all.add(note);
        if (descriptor.isEmpty() && isDescriptor(note)) {
            descriptor = Optional.of(note);
        } else if (isCpu(note)) {
            if (cpus.size() == MOST_VCPUS) {
                throw file.malformed(
                        note.offset(),
                        "number of " + note.name() + " notes",
                        "at most " + MOST_VCPUS,
                        "more",
                        "VirtualBox knows 64 vCPUs; this is no core of it");
            }
            cpus.add(note);
        } else if (keep.isEmpty() && note.name().equals(KEEP_NAME) && note.type() == KEEP_TYPE) {
            keep = Optional.of(note);
        } else {
            long length = note.end() - note.offset();
            if (length > MOST_EXTRA_BYTES - extraBytes) {
                damage("note " + printable(note.name()) + " at offset 0x" + Long.toHexString(note.offset())
                        + ": notes other than VirtualBox's hold more than " + MOST_EXTRA_BYTES
                        + " bytes; this one is left out");
                return;
            }
            extraBytes += length;
            extras.add(note);
        }
    }

    private void damage(String message) {
        findings.add(Finding.damage(file.name() + ": " + message));
    }

    /** A note's name as it can be shown. */
    static String printable(String name) {
        return name.replaceAll("[^\\x20-\\x7e]", ".");
    }

    /** What is wrong with the notes. */
    List<Finding> findings() {
        return findings;
    }

    /** All of them in file order. */
    List<ElfNote> all() {
        return all;
    }

    /** The first core descriptor. */
    Optional<ElfNote> descriptor() {
        return descriptor;
    }

    /** The CPU states in file order. */
    List<ElfNote> cpus() {
        return cpus;
    }

    /** Guestcore's own record of what the format cannot carry. */
    Optional<ElfNote> keep() {
        return keep;
    }

    /** Notes that are not VirtualBox's, in file order. */
    List<ElfNote> extras() {
        return extras;
    }
}
