package dev.guestcore.format.elf;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.check.CappedFindings;
import dev.guestcore.internal.check.SecondCopies;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.elf.ElfClass;
import dev.guestcore.internal.elf.ElfHeader;
import dev.guestcore.internal.elf.ProgramHeader;
import dev.guestcore.internal.elf.SectionHeader;
import dev.guestcore.internal.memory.FileMemory;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.internal.ranges.LayeredExtents;
import java.lang.foreign.Arena;

/**
 * The program headers of a core, wherever its ELF header says that they are. Immutable.
 *
 * @param file the core
 * @param elf its header
 * @param declared how many program headers there should be: e_phnum, or sh_info of section 0 where that is PN_XNUM
 * @param count how many of them lie in the file
 */
record ElfSegments(FileBytes file, ElfHeader elf, long declared, long count) {

    private static final long PAGE = Architecture.SMALLEST_PAGE;

    /**
     * Finds the program headers.
     *
     * @throws MalformedDumpException if their size or place makes no sense
     */
    static ElfSegments of(FileBytes file, ElfHeader elf) {
        long declared = elf.programHeaderCount();
        if (declared == Elf.PN_XNUM && elf.sectionHeaderOffset() != 0) {
            file.require(elf.sectionHeaderOffset(), elf.elfClass().sectionHeaderSize(), "section header 0");
            long inSection = SectionHeader.read(file, elf, elf.sectionHeaderOffset()).info();
            declared = inSection == 0 ? declared : inSection;
        }
        if (declared == 0) {
            return new ElfSegments(file, elf, 0, 0);
        }
        if (elf.programHeaderSize() < elf.elfClass().programHeaderSize()) {
            throw file.malformed(0, "e_phentsize", Integer.toString(elf.elfClass().programHeaderSize()),
                    Integer.toString(elf.programHeaderSize()), "the ELF header is damaged");
        }
        file.require(elf.programHeaderOffset(), elf.elfClass().programHeaderSize(), "first program header");
        long room = (file.size() - elf.programHeaderOffset()) / elf.programHeaderSize();
        return new ElfSegments(file, elf, declared, Math.min(declared, room));
    }

    /** File offset of header {@code index}. */
    long offsetOf(long index) {
        return elf.programHeaderOffset() + index * elf.programHeaderSize();
    }

    /** Header {@code index}. */
    ProgramHeader get(long index) {
        return ProgramHeader.read(file, elf, offsetOf(index));
    }

    /** p_type of header {@code index}. */
    long type(long index) {
        return file.u32(offsetOf(index), elf.order(), "p_type");
    }

    /** Index of the first PT_LOAD, or -1. */
    long firstLoad() {
        for (long i = 0; i < count; i++) {
            if (type(i) == Elf.PT_LOAD) {
                return i;
            }
        }
        return -1;
    }

    /** How many headers with content are of types that are not read. */
    long countUnread() {
        long unread = 0;
        for (long i = 0; i < count; i++) {
            long type = type(i);
            if (type != Elf.PT_LOAD && type != Elf.PT_NOTE && type != Elf.PT_NULL && get(i).fileSize() != 0) {
                unread++;
            }
        }
        return unread;
    }

    /** Whether some memory has a virtual address in the upper half. */
    boolean haveKernelAddresses() {
        for (long i = 0; i < count; i++) {
            if (type(i) == Elf.PT_LOAD && get(i).virtualAddress() >>> 63 != 0) {
                return true;
            }
        }
        return false;
    }

    /**
     * Whether the segments say nothing about physical addresses: p_paddr is 0 in several that hold different bytes, as in
     * the core of a process. Several over the same bytes are one page of memory that is mapped several times.
     */
    boolean lackPhysicalAddresses() {
        long offset = -1;
        boolean different = false;
        boolean onlyNowhere = firstLoad() >= 0;
        for (long i = 0; i < count; i++) {
            if (type(i) == Elf.PT_LOAD) {
                ProgramHeader load = get(i);
                if (isNowhere(load)) {
                    onlyNowhere &= load.fileSize() != 0;
                    continue;
                }
                onlyNowhere = false;
                if (load.physicalAddress() != 0) {
                    return false;
                }
                if (load.fileSize() != 0) {
                    different |= offset != -1 && load.offset() != offset;
                    offset = load.offset();
                }
            }
        }
        return different || onlyNowhere;
    }

    /**
     * How many segments with content have no single physical address: Linux gives p_paddr of all ones to its own that
     * are mapped page by page (/proc/kcore: vmalloc, modules, vmemmap).
     */
    long countNowhere() {
        long nowhere = 0;
        for (long i = 0; i < count; i++) {
            nowhere += type(i) == Elf.PT_LOAD && isNowhere(get(i)) ? 1 : 0;
        }
        return nowhere;
    }

    private boolean isNowhere(ProgramHeader load) {
        return load.physicalAddress() == (elf.elfClass() == ElfClass.ELF64 ? -1 : 0xffff_ffffL);
    }

    /** Whether a segment is memory that has an address. */
    boolean isShown(long index, boolean byVirtualAddress) {
        return type(index) == Elf.PT_LOAD && (byVirtualAddress || !isNowhere(get(index)));
    }

    /** Whether all memory has virtual addresses of a kernel. */
    boolean areInKernelHalf() {
        long lowest = elf.elfClass() == ElfClass.ELF64 ? Long.MIN_VALUE : 0x8000_0000L;
        for (long i = 0; i < count; i++) {
            if (type(i) == Elf.PT_LOAD && Long.compareUnsigned(get(i).virtualAddress(), lowest) < 0) {
                return false;
            }
        }
        return true;
    }

    /**
     * The memory of all PT_LOAD segments. Where segments overlap, one with content goes before one without, and the earlier
     * before the later. What lies between p_filesz and p_memsz was left out of the file on purpose.
     *
     * @param arena how long the table lives
     * @param byVirtualAddress whether p_vaddr stands for p_paddr
     * @param findings receives what is wrong with segments
     */
    Extents memory(Arena arena, boolean byVirtualAddress, CappedFindings findings) {
        try (Arena scratch = Arena.ofConfined()) {
            LayeredExtents layers = new LayeredExtents(scratch);
            for (long i = 0; i < count; i++) {
                if (isShown(i, byVirtualAddress)) {
                    Span span = span(i, byVirtualAddress, findings);
                    for (Part part : Part.values()) {
                        span.add(part, layers);
                    }
                }
            }
            if (layers.isOrdered()) {
                return layers.build(arena, LayeredExtents.Precedence.EARLIER);
            }
        }
        try (Arena scratch = Arena.ofConfined()) {
            LayeredExtents layers = new LayeredExtents(scratch);
            for (Part part : Part.values()) {
                for (long i = 0; i < count; i++) {
                    if (isShown(i, byVirtualAddress)) {
                        span(i, byVirtualAddress, new CappedFindings()).add(part, layers);
                    }
                }
            }
            return layers.build(arena, LayeredExtents.Precedence.EARLIER);
        }
    }

    /**
     * Compares memory that segments hold more than once.
     *
     * @param shown what {@link #memory} gave
     * @param byVirtualAddress whether p_vaddr stands for p_paddr
     * @param mostBytes how much may be read
     */
    SecondCopies copies(Extents shown, boolean byVirtualAddress, long mostBytes) {
        SecondCopies copies = new SecondCopies(mostBytes, 4 * (count + shown.count()) + 1024);
        if (isOrdered(byVirtualAddress)) {
            return copies;
        }
        for (long i = 0; i < count; i++) {
            if (isShown(i, byVirtualAddress)) {
                Span span = span(i, byVirtualAddress, new CappedFindings());
                copies.compare(shown, file::read, span.address, span.stored, span.offset);
            }
        }
        return copies;
    }

    private boolean isOrdered(boolean byVirtualAddress) {
        long last = 0;
        boolean any = false;
        for (long i = 0; i < count; i++) {
            if (!isShown(i, byVirtualAddress)) {
                continue;
            }
            ProgramHeader load = get(i);
            long first = byVirtualAddress ? load.virtualAddress() : load.physicalAddress();
            if (load.fileSize() == 0) {
                continue;
            }
            if (any && Long.compareUnsigned(first, last) <= 0) {
                return false;
            }
            last = first + (load.fileSize() - 1);
            any = true;
        }
        return true;
    }

    /** What part of a segment: in the order in which they lie, and in which they win. */
    private enum Part {
        STORED,
        MISSING,
        LEFT_OUT
    }

    /**
     * A segment, cut to what can be.
     *
     * @param address first address
     * @param stored bytes that lie in the file
     * @param missing bytes that should lie in the file
     * @param leftOut bytes that should not
     * @param offset where the stored ones lie
     */
    private record Span(long address, long stored, long missing, long leftOut, long offset) {

        void add(Part part, LayeredExtents layers) {
            switch (part) {
                case STORED -> add(layers, address, stored, offset);
                case MISSING -> add(layers, address + stored, missing, FileMemory.UNREADABLE);
                case LEFT_OUT -> add(layers, address + stored + missing, leftOut, FileMemory.EXCLUDED);
                default -> throw new IllegalStateException("unknown part " + part);
            }
        }

        private static void add(LayeredExtents layers, long first, long size, long value) {
            if (size != 0) {
                layers.add(first, first + (size - 1), value);
            }
        }
    }

    /** Whether a segment of whole pages begins inside a page, and p_vaddr does not say the same. */
    private static boolean isShifted(ProgramHeader load) {
        long within = load.physicalAddress() & PAGE - 1;
        return within != 0
                && load.memorySize() != 0
                && (load.memorySize() & PAGE - 1) == 0
                && (load.virtualAddress() & PAGE - 1) != within;
    }

    private Span span(long index, boolean byVirtualAddress, CappedFindings findings) {
        ProgramHeader load = get(index);
        long address = byVirtualAddress ? load.virtualAddress() : load.physicalAddress();
        long fileSize = load.fileSize();
        long memorySize = load.memorySize();
        if (!byVirtualAddress && isShifted(load)) {
            findings.damage(file.malformed(offsetOf(index), "p_paddr of program header " + index,
                    "the start of a page, as the segment is of whole pages", "0x" + Long.toHexString(address),
                    "the memory may belong to another address"));
        }
        if (Long.compareUnsigned(memorySize, fileSize) < 0) {
            findings.note(file.malformed(offsetOf(index), "p_memsz of program header " + index,
                    "at least p_filesz, 0x" + Long.toHexString(fileSize), "0x" + Long.toHexString(memorySize),
                    "p_filesz is used as the size"));
            memorySize = fileSize;
        }
        // Of a segment that would pass 2^64, address + size - 1 wraps around.
        if (memorySize != 0 && Long.compareUnsigned(address + (memorySize - 1), address) < 0) {
            findings.damage(file.malformed(offsetOf(index), "end of program header " + index, "at most 2^64",
                    "0x" + Long.toHexString(address) + " + 0x" + Long.toHexString(memorySize),
                    "the segment is taken to end at 2^64"));
            memorySize = -address;
            fileSize = Long.compareUnsigned(fileSize, memorySize) < 0 ? fileSize : memorySize;
        }
        long room = load.offset() >= 0 && load.offset() < file.size() ? file.size() - load.offset() : 0;
        long stored = Long.compareUnsigned(fileSize, room) < 0 ? fileSize : room;
        if (stored != fileSize) {
            findings.damage(file.malformed(offsetOf(index), "content of program header " + index,
                    "0x" + Long.toHexString(fileSize) + " bytes at offset 0x" + Long.toHexString(load.offset()),
                    "0x" + Long.toHexString(stored) + " bytes up to the end of the file",
                    "the rest of the memory at 0x" + Long.toHexString(address) + " is lost"));
        }
        return new Span(address, stored, fileSize - stored, memorySize - fileSize, load.offset());
    }
}
