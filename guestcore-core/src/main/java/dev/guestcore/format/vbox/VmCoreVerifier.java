package dev.guestcore.format.vbox;

import dev.guestcore.AddressRange;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.Check.Result;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.elf.ElfClass;
import dev.guestcore.internal.elf.ElfHeader;
import dev.guestcore.internal.elf.ElfNote;
import dev.guestcore.internal.elf.ProgramHeader;
import dev.guestcore.internal.memory.FileMemory;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.internal.text.Amounts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;

/** Tries all rules of {@link Rule} on a file. */
final class VmCoreVerifier {

    private static final String VOLATILITY_2 = "Volatility 2 (vboxelf) accepts no such file";
    private static final long LEECHCORE_HEADERS = 0x2000;
    private static final int CHUNK = 1 << 20;

    private final FileBytes file;
    private final Progress progress;
    private final List<Check> checks = new ArrayList<>();
    private final Set<Rule> tried = EnumSet.noneOf(Rule.class);

    private VmCoreVerifier(FileBytes file, Progress progress) {
        this.file = file;
        this.progress = progress;
    }

    static List<Check> verify(FileBytes file, boolean deep, Progress progress) {
        VmCoreVerifier verifier = new VmCoreVerifier(file, progress);
        verifier.run(deep);
        return List.copyOf(verifier.checks);
    }

    private void run(boolean deep) {
        String untried = "needs a deep check";
        try {
            verifyElfHeader();
            verifyIdentity();
            VmCoreFile core = read();
            verifyProgramHeaders(core);
            verifyNotes(core);
            verifyCpuStates(core);
            verifyMemory(core, deep);
        } catch (MalformedDumpException e) {
            untried = e.getMessage();
        }
        for (Rule rule : Rule.values()) {
            if (!tried.contains(rule)) {
                checks.add(rule.check(Result.SKIPPED, OptionalLong.empty(), "", untried, ""));
            }
        }
        checks.sort(Comparator.comparing(Check::id));
    }

    /** What must hold before the rest of the file means anything. */
    private void verifyIdentity() {
        ElfNote descriptor;
        try {
            descriptor = VmCoreFile.probe(file);
        } catch (MalformedDumpException e) {
            add(Rule.DESCRIPTOR_FIRST, Result.FAIL, e.offset(), "VBCORE or VBOXCORE of type 0xb00", e.getMessage(),
                    VOLATILITY_2);
            throw e;
        }
        expect(Rule.DESCRIPTOR_SIZE, descriptor.offset() + 4, Notes.DESCRIPTOR_SIZE, descriptor.descriptorSize(),
                Result.FAIL, "");
        long magic = Descriptor.read(file, descriptor).magic();
        expect(Rule.DESCRIPTOR_MAGIC, descriptor.descriptorOffset(), magic == Notes.MAGIC, "0xc01ac0de",
                "0x" + Long.toHexString(magic), Result.FAIL, VOLATILITY_2);
    }

    private VmCoreFile read() {
        try {
            return VmCoreFile.read(file);
        } catch (MalformedDumpException e) {
            if (e.field().startsWith("format version")) {
                add(Rule.FORMAT_VERSION, Result.FAIL, e.offset(), "a known version with its size of the CPU state",
                        e.getMessage(), "");
            }
            throw e;
        }
    }

    private void add(Rule rule, Result result, long offset, String expected, String found, String readers) {
        tried.add(rule);
        checks.add(rule.check(result, OptionalLong.of(offset), expected, found, readers));
    }

    private void expect(Rule rule, long offset, long expected, long found, Result otherwise, String readers) {
        boolean holds = expected == found;
        add(rule, holds ? Result.PASS : otherwise, offset, Long.toString(expected), Long.toUnsignedString(found),
                holds ? "" : readers);
    }

    private void expect(Rule rule, long offset, boolean holds, String expected, String found, Result otherwise,
            String readers) {
        add(rule, holds ? Result.PASS : otherwise, offset, expected, found, holds ? "" : readers);
    }

    private void verifyElfHeader() {
        boolean elf64 = ElfHeader.isElf(file) && file.u8(4, "EI_CLASS") == 2 && file.u8(5, "EI_DATA") == 1;
        String found = VmCoreFile.firstBytes(file);
        expect(Rule.ELF_IDENT, 0, elf64, "7f 45 4c 46 02 01", found, Result.FAIL, "every reader refuses it");
        if (!elf64) {
            throw file.malformed(0, "ELF header", "7f 45 4c 46 02 01", found, "");
        }
        ElfHeader elf = ElfHeader.read(file);
        add(Rule.IDENT_VERSION, elf.identVersion() == 0 ? Result.PASS : Result.NOTE, 6, "0",
                Integer.toString(elf.identVersion()),
                elf.identVersion() == 0 ? "drgn (libelf) and crash refuse 0 and want 1" : "");
        long padding = 0;
        for (int i = 7; i < 16; i++) {
            padding |= file.u8(i, "e_ident");
        }
        expect(Rule.IDENT_PADDING, 7, 0, padding, Result.FAIL, "");
        expect(Rule.TYPE, 16, Elf.ET_CORE, elf.type(), Result.FAIL,
                "Volatility 2, Rekall, LeechCore, gdb take cores only");
        boolean machine = elf.machine() == Elf.EM_X86_64 || elf.machine() == Elf.EM_386;
        add(Rule.MACHINE, machine ? Result.PASS : Result.FAIL, 18, "62 or 3", Integer.toString(elf.machine()),
                elf.machine() == Elf.EM_386 ? "objdump shows an unknown architecture for 3 in a 64-bit file" : "");
        expect(Rule.VERSION, 20, 1, elf.version(), Result.FAIL, "LeechCore refuses it");
        expect(Rule.ENTRY_AND_FLAGS, 24, 0, elf.entry() | elf.flags(), Result.NOTE, "");
        expect(Rule.HEADER_OFFSET, 32, 64, elf.programHeaderOffset(), Result.NOTE, "");
        String sizes = elf.headerSize() + ", " + elf.programHeaderSize() + ", " + elf.sectionHeaderSize();
        expect(Rule.HEADER_SIZES, 52, sizes.equals("64, 56, 64"), "64, 56, 64", sizes, Result.FAIL,
                "LeechCore and libelf refuse another e_phentsize");
    }

    private void verifyProgramHeaders(VmCoreFile core) {
        ElfHeader elf = core.elf();
        HeaderTable headers = core.headers();
        boolean countInSection = elf.programHeaderCount() == Elf.PN_XNUM && elf.sectionHeaderOffset() != 0;
        expect(Rule.HEADER_COUNT, 56, elf.programHeaderCount() < Elf.PN_XNUM, "at most 65534",
                elf.programHeaderCount() + (countInSection ? " with the number in section header 0" : ""), Result.NOTE,
                countInSection
                        ? "readers that do not know PN_XNUM see 65535 program headers"
                        : "readers that know PN_XNUM find no section header 0;"
                                + " VirtualBox drops further ranges");
        boolean sections = elf.sectionHeaderOffset() != 0 || elf.sectionHeaderCount() != 0
                || elf.sectionNamesIndex() != 0;
        expect(Rule.NO_SECTIONS, 40, !sections, "0, 0, 0",
                "0x" + Long.toHexString(elf.sectionHeaderOffset()) + ", " + elf.sectionHeaderCount() + ", "
                        + elf.sectionNamesIndex(),
                countInSection ? Result.NOTE : Result.FAIL, "");
        long stored = elf.programHeaderCount();
        boolean inFile = countInSection || headers.count() >= stored;
        expect(Rule.HEADERS_IN_FILE, headers.offsetOf(0), inFile, stored + " program headers",
                Long.toString(headers.count()), Result.FAIL, "gdb and readelf refuse the file");
        long tableEnd = headers.offsetOf(headers.count());
        expect(Rule.HEADERS_EARLY, headers.offsetOf(0), tableEnd <= LEECHCORE_HEADERS, "an end at most at 8192",
                Long.toString(tableEnd), Result.NOTE, "LeechCore and MemProcFS refuse more than 145 program headers");
        HeaderCheck check = new HeaderCheck(core);
        headers.visit(check);
        check.report();
        ProgramHeader note = core.noteSegment();
        long at = headers.offsetOf(core.noteSegmentIndex());
        boolean plain = note.flags() == Elf.PF_R && note.virtualAddress() == 0 && note.physicalAddress() == 0
                && note.alignment() == 0 && note.fileSize() == note.memorySize();
        expect(Rule.NOTE_FIELDS, at, plain, "p_flags 4, others 0, equal sizes", note.toString(), Result.NOTE, "");
        long place = tableEnd + (countInSection && elf.sectionHeaderOffset() == tableEnd ? 64 : 0);
        expect(Rule.NOTE_PLACE, at + 8, place, note.offset(), Result.NOTE, "");
        expect(Rule.NOTE_IN_FILE, at + 32, file.holds(note.offset(), note.fileSize()),
                "within " + file.size() + " bytes",
                "offset " + Long.toUnsignedString(note.offset()) + ", size " + Long.toUnsignedString(note.fileSize()),
                Result.FAIL, "readelf and gdb complain");
    }

    /** Tries the rules of single program headers on all of them and remembers the first that breaks each. */
    private final class HeaderCheck implements HeaderTable.Visitor {

        private final VmCoreFile core;
        private final Ranges.Survey survey;
        private final long shift;
        private final Broken noteFirst = new Broken();
        private final Broken onlyLoads = new Broken();
        private final Broken loadFields = new Broken();
        private final Broken loadSizes = new Broken();
        private final Broken loadRange = new Broken();
        private final Broken ascending = new Broken();
        private final Broken wholePages = new Broken();
        private final Broken offsets = new Broken();
        private long lastAddress;
        private long expectedOffset;
        private boolean any;
        private boolean shifted;

        HeaderCheck(VmCoreFile core) {
            this.core = core;
            this.survey = Ranges.survey(core);
            this.shift = survey.offsetFault(core.noteSegment());
            this.expectedOffset = core.noteSegment().offset() + core.noteSegment().fileSize();
        }

        @Override
        public boolean visit(long index, ProgramHeader header) {
            long at = core.headers().offsetOf(index);
            if ((header.type() == Elf.PT_NOTE) != (index == 0)) {
                noteFirst.at(at, "p_type " + header.type() + " in program header " + index);
            }
            if (header.type() == Elf.PT_LOAD) {
                visitLoad(at, header);
            } else if (header.type() != Elf.PT_NOTE) {
                onlyLoads.at(at, "p_type " + header.type());
            }
            return true;
        }

        private void visitLoad(long at, ProgramHeader header) {
            if (header.flags() != Elf.PF_R || header.virtualAddress() != 0 || header.alignment() != 0) {
                loadFields.at(at, "p_flags " + header.flags() + ", p_vaddr 0x"
                        + Long.toHexString(header.virtualAddress()) + ", p_align " + header.alignment());
            }
            if (header.fileSize() != 0 && header.fileSize() != header.memorySize()) {
                loadSizes.at(at + 32, "p_filesz 0x" + Long.toHexString(header.fileSize()) + ", p_memsz 0x"
                        + Long.toHexString(header.memorySize()));
            }
            long last = header.physicalAddress() + header.memorySize() - 1;
            if (header.memorySize() == 0 || Long.compareUnsigned(last, header.physicalAddress()) < 0) {
                loadRange.at(at + 24, "p_paddr 0x" + Long.toHexString(header.physicalAddress()) + ", p_memsz 0x"
                        + Long.toHexString(header.memorySize()));
            }
            if (any && Long.compareUnsigned(header.physicalAddress(), lastAddress) < 0) {
                ascending.at(at + 24, "0x" + Long.toHexString(header.physicalAddress()) + " after 0x"
                        + Long.toHexString(lastAddress));
            }
            if (header.memorySize() != 0 && Ranges.Survey.isShifted(header)) {
                shifted = true;
            }
            if (((header.physicalAddress() | header.memorySize()) & Ranges.PAGE - 1) != 0) {
                wholePages.at(at + 24, "0x" + Long.toHexString(header.physicalAddress()) + " with length 0x"
                        + Long.toHexString(header.memorySize()));
            }
            if (header.offset() != expectedOffset) {
                offsets.at(at + 8, "0x" + Long.toHexString(header.offset()) + " in place of 0x"
                        + Long.toHexString(expectedOffset));
            }
            expectedOffset += header.fileSize();
            lastAddress = header.physicalAddress();
            any = true;
        }

        void report() {
            noteFirst.report(Rule.NOTE_FIRST, Result.FAIL, "");
            onlyLoads.report(Rule.ONLY_LOADS, Result.NOTE, "");
            loadFields.report(Rule.LOAD_FIELDS, Result.NOTE, "");
            loadSizes.report(Rule.LOAD_SIZES, Result.FAIL,
                    "Volatility 2 and 3, Rekall and LeechCore leave the range out");
            loadRange.report(Rule.LOAD_RANGE, Result.FAIL, "");
            ascending.report(Rule.ASCENDING, Result.NOTE, "");
            wholePages.report(Rule.WHOLE_PAGES, shifted ? Result.FAIL : Result.NOTE,
                    "LeechCore leaves the range out; VirtualBox itself loses the incomplete page");
            if (shift == 0) {
                offsets.report(Rule.OFFSETS, Result.FAIL, "");
            } else {
                offsets.report(Rule.OFFSETS, Result.FAIL,
                        "all are " + shift + " bytes too small, a fault of VirtualBox before r34134: readers other than"
                                + " Guestcore take headers and notes for memory");
            }
            long end = survey.expectedEnd(core.noteSegment());
            expect(Rule.FILE_END, file.size(), end == file.size(), Long.toString(end) + " bytes",
                    Long.toString(file.size()), Result.FAIL,
                    end > file.size() ? "readelf and gdb warn; LeechCore refuses ranges past the end" : "");
        }
    }

    /** The first place where a rule is broken, and how often it is. */
    private final class Broken {

        private long count;
        private long offset = ElfClass.ELF64.headerSize();
        private String found = "";

        void at(long place, String what) {
            if (count++ == 0) {
                offset = place;
                found = what;
            }
        }

        void report(Rule rule, Result otherwise, String readers) {
            report(rule, "in all program headers", "in all", otherwise, readers);
        }

        void reportCpu(Rule rule, String expected, Result otherwise) {
            report(rule, expected, "in all CPU states", otherwise, "");
        }

        private void report(Rule rule, String expected, String good, Result otherwise, String readers) {
            expect(rule, offset, count == 0, expected,
                    count == 0 ? good : found + (count > 1 ? ", and " + (count - 1) + " more" : ""), otherwise,
                    readers);
        }
    }

    private void verifyNotes(VmCoreFile core) {
        Notes notes = core.notes();
        ElfNote descriptor = notes.descriptor().orElseThrow();
        ElfNote first = notes.all().getFirst();
        long noteEnd = core.noteSegment().offset() + core.noteSegment().fileSize();
        long lastEnd = notes.all().getLast().end();
        expect(Rule.NOTES_WHOLE, lastEnd, notes.findings().isEmpty() && lastEnd == noteEnd,
                "an end at 0x" + Long.toHexString(noteEnd),
                notes.findings().isEmpty()
                        ? "0x" + Long.toHexString(lastEnd)
                        : notes.findings().getFirst().message(),
                Result.FAIL, "");
        boolean founding = descriptor.name().equals("VBOXCORE");
        add(Rule.DESCRIPTOR_FIRST, first == descriptor ? Result.PASS : Result.NOTE, first.offset(), "VBCORE",
                Notes.printable(first.name()), first != descriptor || founding ? VOLATILITY_2 : "");
        Set<ElfNote> cpus = new HashSet<>(notes.cpus());
        boolean form = true;
        boolean onlyCpus = true;
        String other = "";
        long otherAt = first.offset();
        long formAt = first.offset();
        for (ElfNote note : notes.all()) {
            boolean cpu = cpus.contains(note);
            if (!cpu && note != descriptor) {
                if (onlyCpus) {
                    other = Notes.printable(note.name()) + " of type 0x" + Long.toHexString(note.type());
                    otherAt = note.offset();
                }
                onlyCpus = false;
                continue;
            }
            boolean oldName = note.name().startsWith("VBOX");
            long nameSize = file.u32(note.offset(), ByteOrder.LITTLE_ENDIAN, "n_namesz");
            if (form && (oldName != founding || nameSize != note.name().length() + (oldName ? 1 : 0))) {
                form = false;
                formAt = note.offset();
            }
        }
        expect(Rule.NAME_FORM, formAt, form, "sizes of one generation", form ? "as expected" : "another size or name",
                Result.FAIL, VOLATILITY_2);
        expect(Rule.CPU_NOTES, otherAt, onlyCpus, "no other note", onlyCpus ? "none" : other, Result.NOTE, "");
        long at = descriptor.descriptorOffset();
        Descriptor content = core.descriptor();
        boolean version = content.formatVersion() == core.layout().formatVersion();
        add(Rule.FORMAT_VERSION, version ? Result.PASS : Result.FAIL, at + 4,
                "0x" + Integer.toHexString(core.layout().formatVersion()),
                "0x" + Long.toHexString(content.formatVersion()),
                content.formatVersion() == 0x00010000 ? "" : "Volatility 2 (vboxelf) accepts 0x10000 only");
        expect(Rule.SELF_SIZE, at + 8, Notes.DESCRIPTOR_SIZE, content.size(), Result.FAIL, "");
        expect(Rule.BUILD_NUMBER, at + 12, !content.buildIsDoubtful(), "major, minor, build",
                content.buildIsDoubtful() ? "the minor version again (0x" + Integer.toHexString(content.version()) + ")"
                        : content.versionText(),
                Result.NOTE, "");
        expect(Rule.CPU_COUNT, at + 20, notes.cpus().size(), content.cpuCount(), Result.FAIL, "");
    }

    private void verifyCpuStates(VmCoreFile core) {
        CpuLayout layout = CpuLayout.of(core.layout(), core.descriptor().version());
        Broken sizes = new Broken();
        Broken extended = new Broken();
        Broken reserved = new Broken();
        Broken compacted = new Broken();
        for (ElfNote note : core.notes().cpus()) {
            if (note.descriptorSize() != layout.size()) {
                sizes.at(note.offset() + 4, Long.toString(note.descriptorSize()));
                continue;
            }
            long at = note.descriptorOffset();
            MemorySegment payload = MemorySegment.ofArray(file.bytes(at, layout.size(), note.name()));
            for (CpuLayout.Padding padding : layout.paddings()) {
                if (!isZero(payload, padding.offset(), padding.offset() + padding.size())) {
                    reserved.at(at + padding.offset(), "other bytes");
                }
            }
            if (layout.extendedSizeField() >= 0) {
                long valid = layout.extendedSize(payload);
                if (valid > CpuLayout.EXTENDED_SIZE) {
                    extended.at(at + layout.extendedSizeField(), "cbExt " + valid);
                } else if (!isZero(payload, layout.extendedOffset() + valid, layout.size())) {
                    extended.at(at + layout.extendedOffset() + valid, "bytes other than 0 after " + valid);
                }
                long compactedField = layout.extendedOffset() + 520L;
                if (valid >= 528 && payload.get(
                        ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), compactedField) != 0) {
                    compacted.at(at + compactedField, "another value");
                }
            }
        }
        sizes.reportCpu(Rule.CPU_SIZES, Integer.toString(layout.size()), Result.FAIL);
        extended.reportCpu(Rule.EXTENDED_SIZE, "at most 8192, then zeros", Result.FAIL);
        reserved.reportCpu(Rule.RESERVED, "0", Result.NOTE);
        compacted.reportCpu(Rule.STANDARD_XSAVE, "0", Result.NOTE);
    }

    private static boolean isZero(MemorySegment bytes, long from, long to) {
        for (long i = from; i < to; i++) {
            if (bytes.get(ValueLayout.JAVA_BYTE, i) != 0) {
                return false;
            }
        }
        return true;
    }

    private void verifyMemory(VmCoreFile core, boolean deep) {
        try (Arena arena = Arena.ofShared()) {
            Ranges ranges = Ranges.read(core, arena);
            expect(Rule.NO_OVERLAP, core.headers().offsetOf(0), ranges.overlaps() == 0, "no overlap",
                    ranges.overlaps() + " overlaps", Result.FAIL, "readers differ in which range they use");
            expect(Rule.OWN_PAGES, 0, !ranges.repeatsFirstPage(), "pages of their own",
                    ranges.repeatsFirstPage() ? "the first page of each range again" : "as far as checked",
                    Result.FAIL, "other readers take the repeated page for memory");
            if (deep) {
                readAll(ranges);
            }
        }
    }

    private void readAll(Ranges ranges) {
        Extents extents = ranges.extents();
        FileMemory memory = new FileMemory(file, extents, ranges.storedBytes());
        MemorySegment buffer = Arena.ofAuto().allocate(CHUNK);
        long total = 0;
        for (long i = 0; i < extents.count(); i++) {
            total += extents.value(i) == FileMemory.DEVICE ? 0 : extents.last(i) - extents.first(i) + 1;
        }
        progress.begin("reading memory", Math.max(0, total));
        long unreadableRanges = 0;
        String first = "";
        for (long i = 0; i < extents.count(); i++) {
            if (extents.value(i) == FileMemory.DEVICE) {
                continue;
            }
            AddressRange range = new AddressRange(extents.first(i), extents.last(i));
            long address = range.first();
            while (range.contains(address)) {
                PageRun run = memory.contentRunAt(address);
                long lessOne = run.range().last() - address;
                boolean hole = run.state() == PageState.ZERO;
                long wanted = hole || Long.compareUnsigned(lessOne, CHUNK - 1) < 0 ? lessOne + 1 : CHUNK;
                long read = hole ? wanted : memory.readAvailable(address, buffer.asSlice(0, wanted));
                progress.advance(read);
                if (read < wanted) {
                    first = unreadableRanges++ == 0 ? "0x" + Long.toHexString(address + read) : first;
                    break;
                }
                if (address + (wanted - 1) == range.last()) {
                    break;
                }
                address += wanted;
            }
        }
        expect(Rule.ALL_READABLE, 0, unreadableRanges == 0, "every byte of every range",
                unreadableRanges == 0
                        ? "all of it"
                        : Amounts.counted(unreadableRanges, "range", "ranges")
                                + " cannot be read to the end, the first from guest-physical "
                                + first + " on",
                Result.FAIL, "");
    }
}
