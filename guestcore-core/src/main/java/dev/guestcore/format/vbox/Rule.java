package dev.guestcore.format.vbox;

import dev.guestcore.format.Check;
import java.util.OptionalLong;

/** The rules of the format, in the order of the file. Numbers are stable: new rules go to the end. */
enum Rule {
    ELF_IDENT(1, "2", "the file is a 64-bit little-endian ELF file"),
    IDENT_VERSION(2, "2", "e_ident[EI_VERSION] is 0, which VirtualBox never sets"),
    IDENT_PADDING(3, "2", "bytes 7 to 15 of e_ident are 0"),
    TYPE(4, "2", "e_type is 4 (core)"),
    MACHINE(5, "2", "e_machine is 62 or, from a 32-bit VirtualBox, 3"),
    VERSION(6, "2", "e_version is 1"),
    ENTRY_AND_FLAGS(7, "2", "e_entry and e_flags are 0"),
    HEADER_OFFSET(8, "2", "the program headers begin at offset 64"),
    HEADER_SIZES(9, "2", "e_ehsize, e_phentsize, e_shentsize are 64, 56, 64"),
    HEADER_COUNT(10, "2", "e_phnum is the number of ranges plus 1, at most 65534"),
    NO_SECTIONS(11, "2", "there are no sections: e_shoff, e_shnum, e_shstrndx are 0"),
    HEADERS_IN_FILE(12, "3", "all program headers lie in the file"),
    HEADERS_EARLY(13, "8", "the program headers lie within the first 8192 bytes"),
    NOTE_FIRST(14, "3", "program header 0, and no other, is PT_NOTE"),
    NOTE_FIELDS(15, "3", "PT_NOTE: p_flags 4, p_vaddr, p_paddr, p_align 0, p_filesz = p_memsz"),
    NOTE_PLACE(16, "1", "the notes follow the program headers without a gap"),
    NOTE_IN_FILE(17, "3", "PT_NOTE lies in the file"),
    ONLY_LOADS(18, "3", "all other program headers are PT_LOAD"),
    LOAD_FIELDS(19, "3", "PT_LOAD: p_flags 4, p_vaddr 0, p_align 0"),
    LOAD_SIZES(20, "3", "p_filesz is p_memsz, or 0 for device registers"),
    LOAD_RANGE(21, "3", "every range has a length and ends within 2^64"),
    ASCENDING(22, "3", "the ranges ascend"),
    NO_OVERLAP(23, "3", "no two ranges overlap"),
    WHOLE_PAGES(24, "3", "ranges begin and end on page borders"),
    OFFSETS(25, "3", "each p_offset is where the data of the range before ends"),
    FILE_END(26, "1", "the file ends where the last range ends"),
    NOTES_WHOLE(27, "4", "the notes fill their segment exactly"),
    DESCRIPTOR_FIRST(28, "4", "the first note is VBCORE, or VBOXCORE, of type 0xb00"),
    NAME_FORM(29, "4", "namesz counts the NUL with VBOXCORE and VBOXCPU, and does not with VBCORE and VBCPU"),
    DESCRIPTOR_SIZE(30, "4", "n_descsz of the core descriptor is 24"),
    DESCRIPTOR_MAGIC(31, "4.1", "u32Magic is 0xc01ac0de"),
    FORMAT_VERSION(32, "5", "u32FmtVersion is one that belongs to the size of the CPU state"),
    SELF_SIZE(33, "4.1", "cbSelf is 24"),
    BUILD_NUMBER(34, "4.1", "u32VBoxVersion holds the build number"),
    CPU_COUNT(35, "4.1", "cCpus is the number of CPU notes"),
    CPU_NOTES(36, "4", "the other notes are VBCPU, or VBOXCPU, of type 0xb01, and nothing else"),
    CPU_SIZES(37, "5", "every CPU state has the size of the layout"),
    EXTENDED_SIZE(38, "5.3", "cbExt is at most 8192, and the bytes after it are 0"),
    RESERVED(39, "5.3", "reserved fields of the CPU state are 0"),
    STANDARD_XSAVE(40, "5.3", "the extended state is in standard format: XCOMP_BV is 0"),
    OWN_PAGES(41, "6", "each page of a range is its own, not the first again"),
    ALL_READABLE(42, "6", "all memory can be read");

    private final int number;
    private final String section;
    private final String text;

    Rule(int number, String section, String text) {
        this.number = number;
        this.section = section;
        this.text = text;
    }

    Check check(Check.Result result, OptionalLong offset, String expected, String found, String readers) {
        return new Check(
                String.format("vbox-%02d", number),
                text,
                "docs/formats/vbox-vmcore.md, section " + section,
                result,
                offset,
                expected,
                found,
                readers);
    }
}
