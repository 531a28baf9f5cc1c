package dev.guestcore.format.vbox;

import dev.guestcore.Finding;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.elf.ElfClass;
import dev.guestcore.internal.elf.ElfHeader;
import dev.guestcore.internal.elf.ElfNote;
import dev.guestcore.internal.elf.ProgramHeader;
import dev.guestcore.internal.elf.SectionHeader;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * The outer structure of a VMCore: ELF header, table of program headers, notes, core descriptor, layout
 * (docs/formats/vbox-vmcore.md, sections 1 to 5). The ranges of memory are {@link Ranges}.
 *
 * @param file the file
 * @param elf its header
 * @param headers all program headers that lie in the file
 * @param noteSegment the PT_NOTE with the core descriptor
 * @param noteSegmentIndex which program header that is
 * @param notes its notes
 * @param descriptor the core descriptor
 * @param layout the generation
 * @param findings damage and notes
 */
record VmCoreFile(
        FileBytes file,
        ElfHeader elf,
        HeaderTable headers,
        ProgramHeader noteSegment,
        long noteSegmentIndex,
        Notes notes,
        Descriptor descriptor,
        VmCoreLayout layout,
        List<Finding> findings) {

    /** How many notes of a PT_NOTE are looked at to find the core descriptor. */
    private static final int NOTES_TO_TRY = 64;

    /**
     * Reads the structure.
     *
     * @throws MalformedDumpException if the file is no VMCore or nothing useful can be read
     */
    static VmCoreFile read(FileBytes file) {
        List<Finding> findings = new ArrayList<>();
        ElfHeader elf = header(file);
        HeaderTable headers = headers(file, elf, findings);
        NoteSearch search = findNotes(file, headers);
        Notes notes = Notes.read(file, search.segment);
        findings.addAll(notes.findings());
        ElfNote note = notes.descriptor().orElseThrow(() -> noDescriptor(file, search));
        Descriptor descriptor = Descriptor.read(file, note);
        if (descriptor.magic() != Notes.MAGIC) {
            throw file.malformed(
                    note.descriptorOffset(),
                    "u32Magic of the core descriptor",
                    "0xc01ac0de",
                    "0x" + Long.toHexString(descriptor.magic()),
                    "the note has VirtualBox's name but not its content");
        }
        VmCoreLayout layout = layout(file, note, notes, descriptor, findings);
        return new VmCoreFile(
                file, elf, headers, search.segment, search.index, notes, descriptor, layout, List.copyOf(findings));
    }

    /** Where the core descriptor's segment is. */
    private static final class NoteSearch {
        private ProgramHeader segment = new ProgramHeader(Elf.PT_NOTE, 0, 0, 0, 0, 0, 0, 0);
        private long index = -1;
        private boolean found;
    }

    /**
     * Looks for the core descriptor and nothing else.
     *
     * @throws MalformedDumpException if there is none; the message says why
     */
    static ElfNote probe(FileBytes file) {
        HeaderTable headers = headers(file, header(file), new ArrayList<>());
        NoteSearch search = findNotes(file, headers);
        if (!search.found) {
            throw noDescriptor(file, search);
        }
        return Notes.read(file, search.segment).descriptor().orElseThrow(() -> noDescriptor(file, search));
    }

    private static MalformedDumpException noDescriptor(FileBytes file, NoteSearch search) {
        return file.malformed(
                search.segment.offset(),
                "notes",
                "a note VBCORE or VBOXCORE of type 0xb00",
                search.index < 0 ? "no PT_NOTE" : "none",
                "this ELF core is not from VirtualBox, or it is cut short before its notes");
    }

    private static ElfHeader header(FileBytes file) {
        if (!ElfHeader.isElf(file)) {
            throw file.malformed(
                    0, "ELF header", "7f 45 4c 46 02 01", firstBytes(file), "this is not an ELF file of a known class");
        }
        ElfHeader elf = ElfHeader.read(file);
        if (elf.elfClass() != ElfClass.ELF64) {
            throw file.malformed(4, "EI_CLASS", "2 (64-bit)", "1 (32-bit)", "VirtualBox writes 64-bit cores only");
        }
        if (elf.order() != ByteOrder.LITTLE_ENDIAN) {
            throw file.malformed(
                    5, "EI_DATA", "1 (little-endian)", "2 (big-endian)", "VirtualBox writes little-endian cores only");
        }
        if (elf.type() != Elf.ET_CORE) {
            throw file.malformed(16, "e_type", "4 (core)", Integer.toString(elf.type()), "this ELF file is no core");
        }
        return elf;
    }

    static String firstBytes(FileBytes file) {
        if (file.size() == 0) {
            return "an empty file";
        }
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < Math.min(6, file.size()); i++) {
            text.append(i == 0 ? "" : " ").append(String.format("%02x", file.u8(i, "magic")));
        }
        return text.toString();
    }

    private static HeaderTable headers(FileBytes file, ElfHeader elf, List<Finding> findings) {
        if (elf.programHeaderSize() != HeaderTable.ENTRY) {
            throw file.malformed(
                    54,
                    "e_phentsize",
                    Integer.toString(HeaderTable.ENTRY),
                    Integer.toString(elf.programHeaderSize()),
                    "the program headers cannot be told apart");
        }
        long offset = elf.programHeaderOffset();
        if (offset < ElfClass.ELF64.headerSize() || offset > file.size()) {
            throw file.malformed(
                    32,
                    "e_phoff",
                    "64 to " + file.size() + " (the size of the file)",
                    Long.toUnsignedString(offset),
                    "the program headers lie outside the file");
        }
        long count = headerCount(file, elf, findings);
        long room = (file.size() - offset) / HeaderTable.ENTRY;
        if (count > room) {
            findings.add(Finding.damage(file.name() + ": at offset 0x" + Long.toHexString(offset)
                    + ": program headers: expected " + count + " (e_phnum), found " + room
                    + " before the end of the file; the file is cut short and the ranges after that are lost"));
            count = room;
        }
        return new HeaderTable(file, offset, count);
    }

    private static long headerCount(FileBytes file, ElfHeader elf, List<Finding> findings) {
        int stored = elf.programHeaderCount();
        if (stored != Elf.PN_XNUM) {
            return stored;
        }
        if (elf.sectionHeaderOffset() == 0) {
            findings.add(Finding.note(file.name() + ": at offset 0x38: e_phnum: found 65535 and no section header 0; "
                    + "taken literally: VirtualBox silently drops all ranges after the first 65534, so some may "
                    + "be missing"));
            return stored;
        }
        if (!file.holds(elf.sectionHeaderOffset(), ElfClass.ELF64.sectionHeaderSize())) {
            findings.add(Finding.damage(file.name() + ": at offset 0x28: e_shoff: expected section header 0, which "
                    + "holds the number of program headers, within " + file.size() + " bytes, found 0x"
                    + Long.toHexString(elf.sectionHeaderOffset()) + "; 65535 program headers are read, others are "
                    + "lost"));
            return stored;
        }
        long count = SectionHeader.read(file, elf, elf.sectionHeaderOffset()).info();
        return count == 0 ? stored : count;
    }

    private static NoteSearch findNotes(FileBytes file, HeaderTable headers) {
        NoteSearch search = new NoteSearch();
        headers.visit((index, header) -> {
            if (header.type() != Elf.PT_NOTE) {
                return true;
            }
            boolean found = hasDescriptor(file, header);
            if (found || search.index < 0) {
                search.segment = header;
                search.index = index;
                search.found = found;
            }
            return !found;
        });
        return search;
    }

    private static boolean hasDescriptor(FileBytes file, ProgramHeader segment) {
        long at = segment.offset();
        if (at < 0 || at > file.size()) {
            return false;
        }
        long room = file.size() - at;
        long limit = Long.compareUnsigned(segment.fileSize(), room) > 0 ? file.size() : at + segment.fileSize();
        for (int i = 0; i < NOTES_TO_TRY && at < limit; i++) {
            try {
                ElfNote note = ElfNote.read(file, ByteOrder.LITTLE_ENDIAN, at, limit);
                if (Notes.isDescriptor(note)) {
                    return true;
                }
                at = note.end();
            } catch (MalformedDumpException e) {
                return false;
            }
        }
        return false;
    }

    private static VmCoreLayout layout(
            FileBytes file, ElfNote note, Notes notes, Descriptor descriptor, List<Finding> findings) {
        long version = descriptor.formatVersion();
        if (notes.cpus().isEmpty()) {
            return layoutOfVersion(file, note, version);
        }
        ElfNote first = notes.cpus().getFirst();
        VmCoreLayout found = null;
        for (VmCoreLayout layout : VmCoreLayout.values()) {
            if (layout.payloadSize() == first.descriptorSize() && (found == null || !isFounding(note))) {
                found = layout;
            }
        }
        if (found == null) {
            throw file.malformed(
                    note.descriptorOffset() + 4,
                    "format version and size of the CPU state",
                    "version 0x10000 with 1024 or 1088 bytes, 0x10002 with 8736, 0x10003 with 8752 or 8744,"
                            + " 0x10005 with"
                            + " 8768, 0x10006 with 8784 or 8776",
                    "version 0x" + Long.toHexString(version) + " with " + first.descriptorSize() + " bytes",
                    "a newer or unreleased VirtualBox wrote this; a newer Guestcore may read it");
        }
        if (found.formatVersion() != version) {
            findings.add(Finding.note(file.name() + ": at offset 0x" + Long.toHexString(note.descriptorOffset() + 4)
                    + ": format version: expected 0x" + Integer.toHexString(found.formatVersion())
                    + " for a CPU state of " + found.payloadSize() + " bytes, found 0x" + Long.toHexString(version)
                    + "; the size decides"));
        }
        return found;
    }

    /** The founding layout and 4.0 share a CPU state; the name of the descriptor tells them apart. */
    private static boolean isFounding(ElfNote note) {
        return note.name().equals("VBOXCORE");
    }

    private static VmCoreLayout layoutOfVersion(FileBytes file, ElfNote note, long version) {
        if (isFounding(note)) {
            return VmCoreLayout.R32341;
        }
        return switch ((int) version) {
            case 0x00010000 -> VmCoreLayout.V4_0;
            case 0x00010002 -> VmCoreLayout.V5_0_RC2;
            case 0x00010003 -> VmCoreLayout.V5_0;
            case 0x00010005 -> VmCoreLayout.V5_1;
            case 0x00010006 -> VmCoreLayout.V7_0;
            default -> throw file.malformed(
                    note.descriptorOffset() + 4,
                    "format version",
                    "0x10000, 0x10002, 0x10003, 0x10005 or 0x10006",
                    "0x" + Long.toHexString(version) + " and no CPU state whose size could tell more",
                    "a newer or unreleased VirtualBox wrote this; a newer Guestcore may read it");
        };
    }
}
