package dev.guestcore.format.elf;

import dev.guestcore.Finding;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.check.CappedFindings;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.elf.ElfHeader;
import dev.guestcore.internal.elf.ProgramHeader;
import dev.guestcore.internal.elf.SectionHeader;
import dev.guestcore.internal.ranges.FileUse;
import java.lang.foreign.Arena;
import java.util.Arrays;

/**
 * What each byte of a core belongs to. Two segments may name the same bytes for the same address, as QEMU's do with paging;
 * for different addresses one of them is wrong.
 *
 * @param sharing one place of the file at two addresses, or a segment over headers or notes; empty if there is none
 * @param unused bytes that nothing refers to; empty if there are none
 * @param lost the program header that describes unused bytes, but is not among those that e_phnum counts; empty if none
 */
record ElfPlaces(String sharing, String unused, String lost) {

    private static final long PAGE = Architecture.SMALLEST_PAGE;
    private static final long LARGEST_ALIGNMENT = 64 << 10;
    private static final long MOST_SECTIONS = 1 << 16;
    private static final long MOST_LOOKS = 1024;

    // Distances of address and offset are no such numbers in any file that could be stored.
    private static final long HEADERS = Long.MIN_VALUE + 1;
    private static final long NOTES = Long.MIN_VALUE + 2;
    private static final long OTHERS = Long.MIN_VALUE + 3;

    static ElfPlaces of(ElfSegments segments, boolean byVirtualAddress) {
        FileBytes file = segments.file();
        FileUse.Result use = use(segments, byVirtualAddress, false);
        String sharing = use.overlaps() == 0 ? "" : "the bytes at offset 0x" + Long.toHexString(use.overlapAt())
                + " are " + label(use.overlappedMark(), use.overlapAt()) + " and "
                + label(use.overlapMark(), use.overlapAt()) + " at once"
                + (use.overlaps() == 1 ? "" : ", the first of " + use.overlaps() + " such places");
        if (use.gaps() > 0) {
            use = use(segments, byVirtualAddress, true);
        }
        if (use.gaps() == 0) {
            return new ElfPlaces(sharing, "", "");
        }
        String unused = use.gapBytes() + " bytes, from offset 0x" + Long.toHexString(use.gapAt()) + " on"
                + (use.gaps() == 1 ? "" : " in " + use.gaps() + " places");
        return new ElfPlaces(sharing, unused, lost(segments, file.size() - use.tail()));
    }

    private static FileUse.Result use(ElfSegments segments, boolean byVirtualAddress, boolean sections) {
        FileBytes file = segments.file();
        ElfHeader elf = segments.elf();
        try (Arena scratch = Arena.ofConfined()) {
            FileUse use = new FileUse(scratch);
            use.add(0, elf.elfClass().headerSize(), HEADERS);
            use.add(elf.programHeaderOffset(), segments.count() * elf.programHeaderSize(), HEADERS);
            for (long i = 0; i < segments.count(); i++) {
                ProgramHeader segment = segments.get(i);
                if (!sections && segment.type() != Elf.PT_LOAD && segment.type() != Elf.PT_NOTE) {
                    continue; // Such a segment may well describe part of another.
                }
                long address = byVirtualAddress ? segment.virtualAddress() : segment.physicalAddress();
                use.add(segment.offset(), segment.fileSize(),
                        segment.type() == Elf.PT_LOAD ? address - segment.offset()
                                : segment.type() == Elf.PT_NOTE ? NOTES : OTHERS);
            }
            if (sections) {
                addSections(file, elf, use);
            }
            long[] looks = {0};
            return use.result(file.size(), (offset, size, next) -> size < Long.BYTES
                    || size < LARGEST_ALIGNMENT
                            && ((offset + size) % PAGE == 0 || looks[0]++ < MOST_LOOKS && isZero(file, offset, size)));
        }
    }

    private static boolean isZero(FileBytes file, long offset, long size) {
        return Arrays.mismatch(file.bytes(offset, (int) size, "bytes between segments"), new byte[(int) size]) < 0;
    }

    private static void addSections(FileBytes file, ElfHeader elf, FileUse use) {
        int entry = elf.sectionHeaderSize();
        if (elf.sectionHeaderOffset() <= 0 || entry < elf.elfClass().sectionHeaderSize()
                || !file.holds(elf.sectionHeaderOffset(), entry)) {
            return;
        }
        long count = elf.sectionHeaderCount() == 0
                ? SectionHeader.read(file, elf, elf.sectionHeaderOffset()).size()
                : elf.sectionHeaderCount();
        long room = (file.size() - elf.sectionHeaderOffset()) / entry;
        // A core with section 0 alone, for the number of segments, may well count no sections.
        count = Math.clamp(count, 1, Math.min(room, MOST_SECTIONS));
        use.add(elf.sectionHeaderOffset(), count * entry, OTHERS);
        for (long i = 1; i < count; i++) {
            SectionHeader section = SectionHeader.read(file, elf, elf.sectionHeaderOffset() + i * entry);
            // QEMU writes this header little-endian into dumps of big-endian machines.
            boolean swapped = !file.holds(section.offset(), section.size());
            long offset = swapped ? Long.reverseBytes(section.offset()) : section.offset();
            long size = swapped ? Long.reverseBytes(section.size()) : section.size();
            use.add(offset, Math.clamp(size, 0, file.size()), OTHERS);
        }
    }

    /** What looks like the next program header, and begins where the file's used part ends. */
    private static String lost(ElfSegments segments, long end) {
        long at = segments.offsetOf(segments.count());
        FileBytes file = segments.file();
        if (segments.count() < segments.declared() || end == file.size()
                || !file.holds(at, segments.elf().programHeaderSize())) {
            return "";
        }
        ProgramHeader next = segments.get(segments.count());
        boolean fits = next.type() == Elf.PT_LOAD && next.offset() == end && next.fileSize() == file.size() - end;
        return fits ? "program header " + segments.count() + " for 0x" + Long.toHexString(next.fileSize())
                + " bytes at 0x" + Long.toHexString(next.physicalAddress()) : "";
    }

    private static String label(long mark, long offset) {
        if (mark == HEADERS) {
            return "headers";
        }
        return mark == NOTES ? "notes" : "memory at 0x" + Long.toHexString(offset + mark);
    }

    /** Says what is wrong, for a reader. */
    void report(FileBytes file, CappedFindings findings) {
        if (!sharing.isEmpty()) {
            findings.add(Finding.damage(file.name() + ": " + sharing + "; one p_offset or p_paddr is wrong, and both"
                    + " addresses show the same bytes"));
        }
        if (!lost.isEmpty()) {
            findings.add(Finding.damage(file.name() + ": " + lost + " follows those that e_phnum counts, and no other"
                    + " names the end of the file; that memory is not shown"));
        } else if (!unused.isEmpty()) {
            findings.add(Finding.note(file.name() + ": nothing refers to " + unused
                    + "; a segment may be missing or have another offset, or the writer left memory out that no page table"
                    + " maps"));
        }
    }
}
