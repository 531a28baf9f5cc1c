package dev.guestcore.format.xen;

import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.elf.ElfClass;
import dev.guestcore.internal.elf.ElfHeader;
import dev.guestcore.internal.elf.SectionHeader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The ELF side of a dump-core: its sections by name, or, where the string table was never written, by order, size and
 * type (docs/formats/xen-dump-core.md, sections 1, 2 and 7).
 */
final class DumpFile {

    static final String NAMES = ".shstrtab";
    static final String NOTES = ".note.Xen";
    static final String PRSTATUS = ".xen_prstatus";
    static final String SHARED_INFO = ".xen_shared_info";
    static final String MAPPED_REGISTERS = ".xen_ia64_mapped_regs";
    static final String PAGES = ".xen_pages";
    static final String P2M = ".xen_p2m";
    static final String PFN = ".xen_pfn";

    /** Our own record of what a dump-core has no place for; other readers skip it. */
    static final String KEEP = ".guestcore";

    /** Every name that the format knows. */
    static final List<String> KNOWN =
            List.of(NAMES, NOTES, PRSTATUS, SHARED_INFO, MAPPED_REGISTERS, PAGES, P2M, PFN);

    private static final int MOST_SECTIONS = 4096;
    private static final int LONGEST_NAME = 64;
    private static final int SH_XINDEX = 0xffff;

    private final FileBytes file;
    private final ElfHeader elf;
    private final List<Section> sections;
    private final boolean named;

    private DumpFile(FileBytes file, ElfHeader elf, List<Section> sections, boolean named) {
        this.file = file;
        this.elf = elf;
        this.sections = sections;
        this.named = named;
    }

    /**
     * A section.
     *
     * @param index of its header
     * @param name as in the string table, or inferred, or empty
     * @param header its header
     * @param headerOffset file offset of its header
     */
    record Section(int index, String name, SectionHeader header, long headerOffset) {

        long offset() {
            return header.offset();
        }

        long size() {
            return header.size();
        }

        /** File offset behind it; negative or small if the sum overflows. */
        long end() {
            return header.offset() + header.size();
        }

        /** How many of its bytes lie in the file. */
        long stored(FileBytes file) {
            if (offset() < 0 || offset() >= file.size()) {
                return 0;
            }
            long room = file.size() - offset();
            return size() < 0 ? room : Math.min(size(), room);
        }

        /** Whether all of it lies in the file. */
        boolean isWhole(FileBytes file) {
            return file.holds(offset(), size());
        }
    }

    /**
     * Reads the section headers.
     *
     * @throws MalformedDumpException if they are not all there
     */
    static DumpFile read(FileBytes file) {
        if (!ElfHeader.isElf(file)) {
            throw file.malformed(0, "magic", "an ELF header", "something else", "this is not a Xen dump-core");
        }
        ElfHeader elf = ElfHeader.read(file);
        if (elf.type() != Elf.ET_CORE) {
            throw file.malformed(16, "e_type", "4 (ET_CORE)", Integer.toString(elf.type()), "this is not a core");
        }
        int stride = elf.sectionHeaderSize();
        if (stride < elf.elfClass().sectionHeaderSize()) {
            throw file.malformed(
                    fieldOffset(elf, 10), "e_shentsize", "" + elf.elfClass().sectionHeaderSize(), "" + stride, "");
        }
        long table = elf.sectionHeaderOffset();
        long count = elf.sectionHeaderCount();
        int namesIndex = elf.sectionNamesIndex();
        if (table <= 0) {
            throw file.malformed(
                    fieldOffset(elf, -word(elf)), "e_shoff", "the offset of the section headers",
                    "0x" + Long.toHexString(table), "a dump-core consists of sections");
        }
        if (count == 0 || namesIndex == SH_XINDEX) {
            file.require(table, stride, "section header 0");
            SectionHeader first = SectionHeader.read(file, elf, table);
            count = count == 0 ? first.size() : count;
            namesIndex = namesIndex == SH_XINDEX ? (int) Math.min(first.link(), Integer.MAX_VALUE) : namesIndex;
        }
        if (count <= 0 || count > MOST_SECTIONS) {
            throw file.malformed(
                    fieldOffset(elf, 12), "e_shnum", "6 to 8 sections", Long.toUnsignedString(count), "");
        }
        file.require(table, count * stride, "section headers");
        List<SectionHeader> headers = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            headers.add(SectionHeader.read(file, elf, table + (long) i * stride));
        }
        boolean named = namesIndex < count && headers.get(namesIndex).size() > 0
                && new Section(namesIndex, "", headers.get(namesIndex), 0).isWhole(file);
        List<String> names = named ? readNames(file, headers, namesIndex) : inferNames(elf, headers);
        List<Section> sections = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            sections.add(new Section(i, names.get(i), headers.get(i), table + (long) i * stride));
        }
        return new DumpFile(file, elf, List.copyOf(sections), named);
    }

    private static int word(ElfHeader elf) {
        return elf.elfClass() == ElfClass.ELF64 ? 8 : 4;
    }

    /** File offset of a field of the ELF header, counted from e_flags. */
    static long fieldOffset(ElfHeader elf, int fromFlags) {
        return 24 + 3L * word(elf) + fromFlags;
    }

    private static List<String> readNames(FileBytes file, List<SectionHeader> headers, int namesIndex) {
        SectionHeader table = headers.get(namesIndex);
        List<String> names = new ArrayList<>();
        for (SectionHeader header : headers) {
            long left = table.size() - header.nameOffset();
            if (left <= 0) {
                names.add("");
                continue;
            }
            int length = (int) Math.min(left, LONGEST_NAME);
            String text = new String(
                    file.bytes(table.offset() + header.nameOffset(), length, "name of a section"),
                    StandardCharsets.ISO_8859_1);
            int nul = text.indexOf('\0');
            names.add((nul < 0 ? text : text.substring(0, nul)).replaceAll("[^\\x20-\\x7e]", "?"));
        }
        return names;
    }

    /** The order of sections has changed once; entry sizes tell which is which (section 7 of the documentation). */
    private static List<String> inferNames(ElfHeader elf, List<SectionHeader> headers) {
        List<String> names = new ArrayList<>();
        int pages = -1;
        for (int i = 0; i < headers.size(); i++) {
            SectionHeader header = headers.get(i);
            String name = "";
            if (header.type() == Elf.SHT_STRTAB) {
                name = NAMES;
            } else if (header.type() == Elf.SHT_NOTE) {
                name = NOTES;
            } else if (header.type() == Elf.SHT_PROGBITS) {
                if (!names.contains(PRSTATUS)) {
                    name = PRSTATUS;
                } else if (header.entrySize() == 16) {
                    name = P2M;
                } else if (header.entrySize() == 8) {
                    name = PFN;
                } else {
                    pages = i;
                    boolean regs = elf.machine() == Elf.EM_IA_64 && !names.contains(MAPPED_REGISTERS)
                            && header.alignment() == 8 && header.size() != header.entrySize();
                    name = regs ? MAPPED_REGISTERS : SHARED_INFO;
                }
            }
            names.add(name);
        }
        if (pages >= 0) {
            names.set(pages, PAGES);
        }
        return names;
    }

    /** Bytes of the file. */
    FileBytes file() {
        return file;
    }

    /** The ELF header. */
    ElfHeader elf() {
        return elf;
    }

    /** All sections, in header order. */
    List<Section> sections() {
        return sections;
    }

    /** Whether names come from the string table; otherwise they were inferred. */
    boolean isNamed() {
        return named;
    }

    /** The first section of that name. */
    Optional<Section> section(String name) {
        return sections.stream().filter(section -> section.name().equals(name)).findFirst();
    }

    /** The frame table, whichever it is. */
    Optional<Section> table() {
        return section(P2M).or(() -> section(PFN));
    }

    /** Whether the sections are those of a dump-core. */
    boolean looksLikeDumpCore() {
        boolean pages = section(PAGES).isPresent();
        if (named) {
            return pages && (section(NOTES).isPresent() || section(PRSTATUS).isPresent() || table().isPresent());
        }
        if (elf.programHeaderCount() != 0 || section(NOTES).isEmpty() || section(PRSTATUS).isEmpty()) {
            return false;
        }
        Section notes = section(NOTES).get();
        if (notes.stored(file) < 16) {
            return pages;
        }
        return XenNotes.read(file, elf.order(), notes.offset(), notes.stored(file))
                .ofType(XenNotes.TYPE_NONE)
                .isPresent();
    }
}
