package dev.guestcore.format.vbox;

import dev.guestcore.Finding;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.elf.ElfClass;
import dev.guestcore.internal.elf.ProgramHeader;
import dev.guestcore.internal.memory.FileMemory;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.internal.ranges.FileUse;
import dev.guestcore.internal.text.Amounts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongUnaryOperator;

/**
 * The ranges of guest-physical memory of a VMCore, with the faults of old writers put right
 * (docs/formats/vbox-vmcore.md, sections 3 and 6).
 *
 * <p>Where two ranges overlap the one that begins first has the shared addresses; of two that begin together, the one
 * whose header comes first.
 */
final class Ranges {

    static final long PAGE = 4096;

    /** Revisions between these had right offsets but still repeated the first page of a range. */
    private static final int FIRST_WITH_RIGHT_OFFSETS = 34134;

    private static final int FIRST_WITH_RIGHT_PAGES = 34197;
    private static final int RANGES_TO_SAMPLE = 256;
    private static final int PAGES_TO_SAMPLE = 16;

    // Marks of places in the file; of memory it is the distance of address and offset, which is none of these.
    private static final long HEADERS = Long.MIN_VALUE + 1;
    private static final long NOTES = Long.MIN_VALUE + 2;

    private final VmCoreFile core;
    private final Survey survey;
    private final List<Finding> findings = new ArrayList<>();
    private final Extents extents;
    private LongUnaryOperator storedBytes = index -> -1L;
    private boolean repeatsFirstPage;
    private long overlaps;
    private String firstOverlap = "";

    private Ranges(VmCoreFile core, Survey survey, Arena arena) {
        this.core = core;
        this.survey = survey;
        this.extents = collect(arena);
        setStoredBytes();
    }

    /** What one pass over the program headers tells. */
    static final class Survey implements HeaderTable.Visitor {

        private final FileBytes file;
        private final HeaderTable headers;
        private long loads;
        private long firstOffset;
        private long dataEnd;
        private long oddBytes;
        private long others;
        private boolean sorted = true;
        private long lastFirst;
        private final Tally wrapping = new Tally();
        private final Tally tooLong = new Tally();
        private final Tally shorter = new Tally();
        private final Tally shifted = new Tally();
        private final Tally insidePage = new Tally();

        Survey(FileBytes file, HeaderTable headers) {
            this.file = file;
            this.headers = headers;
        }

        @Override
        public boolean visit(long index, ProgramHeader header) {
            if (header.type() != Elf.PT_LOAD) {
                others += header.type() == Elf.PT_NOTE ? 0 : 1;
                return true;
            }
            if (loads == 0) {
                firstOffset = header.offset();
            } else if (Long.compareUnsigned(header.physicalAddress(), lastFirst) < 0) {
                sorted = false;
            }
            lastFirst = header.physicalAddress();
            loads++;
            if (!isUsable(header)) {
                wrapping.add(headers.offsetOf(index),
                        "p_paddr and p_memsz: expected a range within 2^64 bytes, found 0x"
                                + Long.toHexString(header.physicalAddress()) + " and 0x"
                                + Long.toHexString(header.memorySize()));
                return true;
            }
            if ((header.physicalAddress() & PAGE - 1) != 0) {
                (isShifted(header) ? shifted : insidePage)
                        .add(headers.offsetOf(index), "p_paddr: expected the start of a page, found 0x"
                                + Long.toHexString(header.physicalAddress()));
            }
            int compared = Long.compareUnsigned(header.fileSize(), header.memorySize());
            if (compared > 0) {
                tooLong.add(headers.offsetOf(index), sizes(header));
            } else if (compared < 0 && header.fileSize() != 0) {
                shorter.add(headers.offsetOf(index), sizes(header));
            }
            if (header.fileSize() != 0) {
                long end = header.offset() + header.fileSize();
                boolean overflow = header.offset() < 0 || header.fileSize() < 0 || end < 0;
                dataEnd = Math.max(dataEnd, overflow ? Long.MAX_VALUE : end);
                oddBytes += header.fileSize() & PAGE - 1;
            }
            return true;
        }

        private static String sizes(ProgramHeader header) {
            return "p_filesz: expected 0 or p_memsz 0x" + Long.toHexString(header.memorySize()) + ", found 0x"
                    + Long.toHexString(header.fileSize());
        }

        /** Whether the header describes a range at all. */
        private static boolean isUsable(ProgramHeader header) {
            return header.memorySize() != 0
                    && Long.compareUnsigned(header.physicalAddress(), -header.memorySize()) <= 0;
        }

        /** Whether a range of whole pages begins inside a page: then its address is wrong, and not its length. */
        static boolean isShifted(ProgramHeader header) {
            return (header.physicalAddress() & PAGE - 1) != 0 && (header.memorySize() & PAGE - 1) == 0;
        }

        /** How many bytes all p_offset are too small, by the fault of the first revisions; 0 if they are not. */
        long offsetFault(ProgramHeader notes) {
            long missing = loads * HeaderTable.ENTRY;
            return loads > 0 && firstOffset + missing == notes.offset() + notes.fileSize() ? missing : 0;
        }

        /** Whether ranges of an odd length were written without their last, incomplete page. */
        boolean dropsOddBytes(ProgramHeader notes) {
            return oddBytes > 0 && dataEnd + offsetFault(notes) - file.size() == oddBytes;
        }

        /** File offset at which the memory should end. */
        long expectedEnd(ProgramHeader notes) {
            long end = Math.max(dataEnd, Math.max(0, notes.offset()) + Math.max(0, notes.fileSize()));
            if (end < 0 || dataEnd == Long.MAX_VALUE) {
                return Long.MAX_VALUE;
            }
            return end + (dataEnd == 0 ? 0 : offsetFault(notes)) - (dropsOddBytes(notes) ? oddBytes : 0);
        }

        /** Number of PT_LOAD headers. */
        long loads() {
            return loads;
        }
    }

    /** Counts something and remembers the first. */
    static final class Tally {
        private long count;
        private long offset;
        private String first = "";

        void add(long at, String what) {
            if (count == 0) {
                offset = at;
                first = what;
            }
            count++;
        }

        String text(FileBytes file) {
            return file.name() + ": at offset 0x" + Long.toHexString(offset) + ": " + first
                    + (count > 1 ? ", and " + (count - 1) + " more such program headers" : "");
        }
    }

    /** Reads all ranges; the table lives as long as {@code arena}. */
    static Ranges read(VmCoreFile core, Arena arena) {
        Survey survey = survey(core);
        Ranges ranges = new Ranges(core, survey, arena);
        ranges.judge();
        return ranges;
    }

    static Survey survey(VmCoreFile core) {
        Survey survey = new Survey(core.file(), core.headers());
        core.headers().visit(survey);
        return survey;
    }

    private Extents collect(Arena arena) {
        Extents.Builder table = new Extents.Builder(arena);
        RangeSorter.Target target = (first, last, value) -> addWithoutOverlap(table, first, last, value);
        if (survey.sorted) {
            core.headers().visit(collector(target));
        } else {
            try (Arena scratch = Arena.ofConfined()) {
                // Two entries a header: one whose file part is shorter than its memory is cut in two.
                RangeSorter sorter = new RangeSorter(scratch, 2 * survey.loads);
                core.headers().visit(collector(sorter::add));
                sorter.drainTo(target);
            }
        }
        return table.build();
    }

    private void setStoredBytes() {
        if (survey.dropsOddBytes(core.noteSegment())) {
            storedBytes = index -> extents.last(index) - extents.first(index) + 1 & -PAGE;
        }
        repeatsFirstPage = repeatsFirstPage(new FileMemory(core.file(), extents));
        if (repeatsFirstPage) {
            LongUnaryOperator whole = storedBytes;
            storedBytes = index -> {
                long stored = whole.applyAsLong(index);
                return Long.compareUnsigned(stored, PAGE) < 0 ? stored : PAGE;
            };
        }
    }

    /** No byte of the file is two things at once, and none but those at its end is nothing. */
    private void judgePlaces(FileBytes file) {
        ProgramHeader notes = core.noteSegment();
        long offsetFault = survey.offsetFault(notes);
        boolean dropsOddBytes = survey.dropsOddBytes(notes);
        long[] dropped = {0};
        try (Arena scratch = Arena.ofConfined()) {
            FileUse use = new FileUse(scratch);
            use.add(0, ElfClass.ELF64.headerSize(), HEADERS);
            use.add(core.headers().offsetOf(0), core.headers().count() * HeaderTable.ENTRY, HEADERS);
            if (core.elf().sectionHeaderOffset() != 0) {
                use.add(core.elf().sectionHeaderOffset(), ElfClass.ELF64.sectionHeaderSize(), HEADERS);
            }
            use.add(notes.offset(), notes.fileSize(), NOTES);
            core.headers().visit((index, header) -> {
                if (header.type() == Elf.PT_LOAD && Survey.isUsable(header)) {
                    long odd = dropsOddBytes ? header.fileSize() & PAGE - 1 : 0;
                    long offset = header.offset() + offsetFault - dropped[0];
                    use.add(header.offset() < 0 ? -1 : offset, header.fileSize() - odd,
                            header.physicalAddress() - offset);
                    dropped[0] += odd;
                }
                return true;
            });
            FileUse.Result result = use.result(file.size(), (offset, size, next) -> false);
            if (result.overlaps() > 0) {
                findings.add(Finding.damage(file.name() + ": the bytes at offset 0x"
                        + Long.toHexString(result.overlapAt()) + " are "
                        + label(result.overlappedMark(), result.overlapAt())
                        + " and " + label(result.overlapMark(), result.overlapAt()) + " at once"
                        + (result.overlaps() > 1 ? ", the first of " + result.overlaps() + " such places" : "")
                        + "; a p_offset is wrong, and what it gives is not the memory of its range"));
            }
            if (result.gapBytes() > result.tail()) {
                findings.add(Finding.note(file.name() + ": at offset 0x" + Long.toHexString(result.gapAt())
                        + ": nothing refers to " + (result.gapBytes() - result.tail())
                        + " bytes between headers, notes and ranges, which VirtualBox writes without gaps"));
            }
        }
    }

    private static String label(long mark, long offset) {
        return mark == HEADERS ? "headers" : mark == NOTES ? "notes" : "memory at 0x" + Long.toHexString(mark + offset);
    }

    private HeaderTable.Visitor collector(RangeSorter.Target target) {
        long offsetFault = survey.offsetFault(core.noteSegment());
        boolean dropsOddBytes = survey.dropsOddBytes(core.noteSegment());
        long[] dropped = {0};
        return (index, header) -> {
            if (header.type() != Elf.PT_LOAD || !Survey.isUsable(header)) {
                return true;
            }
            long first = header.physicalAddress();
            long last = first + header.memorySize() - 1;
            if (header.fileSize() == 0) {
                target.add(first, last, FileMemory.DEVICE);
                return true;
            }
            long offset = header.offset() + offsetFault - dropped[0];
            if (header.offset() < 0 || offset < 0 || offset > core.file().size()) {
                offset = core.file().size();
            }
            if (dropsOddBytes) {
                dropped[0] += header.fileSize() & PAGE - 1;
            }
            if (Long.compareUnsigned(header.fileSize(), header.memorySize()) < 0) {
                target.add(first, first + header.fileSize() - 1, offset);
                target.add(first + header.fileSize(), last, core.file().size());
            } else {
                target.add(first, last, offset);
            }
            return true;
        };
    }

    private void addWithoutOverlap(Extents.Builder table, long first, long last, long value) {
        if (table.add(first, last, value)) {
            return;
        }
        long taken = table.last(table.count() - 1);
        if (overlaps++ == 0) {
            firstOverlap = "0x" + Long.toHexString(first) + "-0x" + Long.toHexString(last) + " begins before 0x"
                    + Long.toHexString(taken) + ", where the range before it ends";
        }
        if (Long.compareUnsigned(last, taken) > 0) {
            long offset = value;
            if (value != FileMemory.DEVICE) {
                long skipped = value + (taken + 1 - first);
                offset = skipped < 0 || skipped > core.file().size() ? core.file().size() : skipped;
            }
            table.add(taken + 1, last, offset);
        }
    }

    /**
     * The content decides: a file of the right age in which every page that is looked at equals the first of its
     * range.
     */
    private boolean repeatsFirstPage(FileMemory memory) {
        boolean offsetFault = survey.offsetFault(core.noteSegment()) != 0;
        int revision = core.descriptor().revision();
        boolean rightAge = core.layout() == VmCoreLayout.V4_0
                && revision >= FIRST_WITH_RIGHT_OFFSETS
                && revision < FIRST_WITH_RIGHT_PAGES;
        if (!offsetFault && !rightAge) {
            return false;
        }
        MemorySegment first = MemorySegment.ofArray(new byte[(int) PAGE]);
        MemorySegment other = MemorySegment.ofArray(new byte[(int) PAGE]);
        MemorySegment zero = MemorySegment.ofArray(new byte[(int) PAGE]);
        boolean evidence = false;
        for (long i = 0; i < Math.min(extents.count(), RANGES_TO_SAMPLE); i++) {
            long pages = pages(i);
            if (pages < 2 || memory.readAvailable(extents.first(i), first) < PAGE) {
                continue;
            }
            for (long page = 1; page < Math.min(pages, PAGES_TO_SAMPLE); page++) {
                if (memory.readAvailable(extents.first(i) + page * PAGE, other) < PAGE) {
                    break;
                }
                if (first.mismatch(other) >= 0) {
                    return false;
                }
                evidence |= first.mismatch(zero) >= 0;
            }
        }
        return evidence || offsetFault;
    }

    private long pages(long index) {
        return extents.value(index) == FileMemory.DEVICE
                ? 0
                : extents.last(index) - extents.first(index) + 1 >>> 12;
    }

    private void judge() {
        FileBytes file = core.file();
        if (survey.others > 0) {
            findings.add(Finding.omitted(file.name() + ": " + Amounts.counted(survey.others,
                    "program header is neither PT_LOAD nor PT_NOTE; it is ignored",
                    "program headers are neither PT_LOAD nor PT_NOTE; they are ignored")));
        }
        judgeSizes(file);
        long fault = survey.offsetFault(core.noteSegment());
        if (fault != 0) {
            findings.add(Finding.note(file.name() + ": p_offset of all " + survey.loads + " ranges is " + fault
                    + " bytes too small, a fault of VirtualBox before r34134; corrected on reading"));
        }
        if (repeatsFirstPage) {
            long lost = 0;
            for (long i = 0; i < extents.count(); i++) {
                lost += Math.max(0, pages(i) - 1);
            }
            findings.add(Finding.damage(file.name() + ": VirtualBox before r34197 wrote the first page of each range"
                    + " again for every other page of it: the other " + Amounts.counted(lost, "page is", "pages are")
                    + " lost and cannot be read"));
        }
        if (survey.dropsOddBytes(core.noteSegment())) {
            findings.add(Finding.damage(file.name() + ": ranges whose length is not a multiple of 4096 were written"
                    + " without their last, incomplete page; " + survey.oddBytes + " bytes are lost, the offsets after"
                    + " them are corrected"));
        }
        if (overlaps > 0) {
            findings.add(Finding.damage(file.name() + ": "
                    + Amounts.counted(overlaps, "range overlaps another: ", "ranges overlap: ")
                    + firstOverlap
                    + "; the range that begins first has the shared addresses"));
        }
        judgePlaces(file);
        if (!survey.sorted) {
            // PGM lists its ranges by address, so a core in another order was changed since.
            findings.add(
                    Finding.damage(file.name() + ": the ranges are not in ascending order, in which VirtualBox writes"
                            + " them; a p_paddr may be wrong, and its memory shown at another address"));
        }
        long expected = survey.expectedEnd(core.noteSegment());
        if (expected > file.size()) {
            findings.add(Finding.damage(file.name() + ": at offset 0x" + Long.toHexString(file.size())
                    + ": end of file: expected "
                    + (expected == Long.MAX_VALUE ? "more than 2^63" : Long.toString(expected))
                    + " bytes, found " + file.size()
                    + "; the file is cut short, and memory that should lie past its end cannot be read"));
        } else if (expected < file.size()) {
            findings.add(Finding.note(file.name() + ": at offset 0x" + Long.toHexString(expected)
                    + ": end of file: expected " + expected + " bytes, found " + file.size()
                    + "; nothing refers to the bytes after that"));
        }
    }

    private void judgeSizes(FileBytes file) {
        if (survey.wrapping.count > 0) {
            findings.add(Finding.damage(survey.wrapping.text(file) + "; ignored"));
        }
        if (survey.tooLong.count > 0) {
            findings.add(Finding.damage(survey.tooLong.text(file) + "; p_memsz is used"));
        }
        if (survey.shifted.count > 0) {
            findings.add(Finding.damage(survey.shifted.text(file)
                    + "; the range is of whole pages, and its memory may belong to another address"));
        }
        if (survey.insidePage.count > 0) {
            findings.add(Finding.note(survey.insidePage.text(file)
                    + "; VirtualBox writes no such ranges, and some readers leave them out"));
        }
        if (survey.shorter.count > 0) {
            findings.add(Finding.damage(survey.shorter.text(file) + "; the memory past p_filesz cannot be read"));
        }
    }

    /** The ranges; beside each its file offset or {@link FileMemory#DEVICE}. */
    Extents extents() {
        return extents;
    }

    /** How much of each range the file really holds. */
    LongUnaryOperator storedBytes() {
        return storedBytes;
    }

    /** Whether only the first page of each range is true. */
    boolean repeatsFirstPage() {
        return repeatsFirstPage;
    }

    /** How many ranges overlap the one before. */
    long overlaps() {
        return overlaps;
    }

    /** Damage and notes. */
    List<Finding> findings() {
        return findings;
    }
}
