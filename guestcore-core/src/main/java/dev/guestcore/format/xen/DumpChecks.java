package dev.guestcore.format.xen;

import dev.guestcore.Finding;
import dev.guestcore.Progress;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.Check.Result;
import dev.guestcore.format.xen.DumpFile.Section;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.elf.ElfClass;
import dev.guestcore.internal.elf.ElfHeader;
import dev.guestcore.internal.elf.ElfNote;
import dev.guestcore.internal.elf.SectionHeader;
import dev.guestcore.internal.xen.ContextLayout;
import dev.guestcore.internal.xen.VcpuContext;
import dev.guestcore.report.Severity;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Collectors;

/** The rules of docs/formats/xen-dump-core.md, numbered, tried on one file. */
final class DumpChecks {

    private static final long PG_AND_PE = 1L << 31 | 1;
    private static final int CHUNK = 1 << 20;
    private static final long CRASH_BLOCK = 8192;
    private static final String DEEP = "checked only when all pages are read";
    private static final String MACHINE_RULE = "no machine frame appears twice";
    private static final String PAGES_RULE = "pages of invalid entries are zero, and every page can be read";
    private static final List<Long> NOTE_ORDER =
            List.of(XenNotes.TYPE_NONE, XenNotes.TYPE_HEADER, XenNotes.TYPE_VERSION, XenNotes.TYPE_FORMAT);

    private final DumpFile dump;
    private final FileBytes file;
    private final ElfHeader elf;
    private final DumpReader reader;
    private final List<Check> checks = new ArrayList<>();

    DumpChecks(DumpFile dump) {
        this.dump = dump;
        this.file = dump.file();
        this.elf = dump.elf();
        this.reader = new DumpReader(dump);
    }

    List<Check> run(boolean deep, Progress progress) {
        checkElf();
        checkSections();
        checkNotes();
        checkVcpus();
        checkPlaces();
        checkTable(deep, progress);
        return List.copyOf(checks);
    }

    // --- ELF header ---

    private void checkElf() {
        add(1, "e_version and EI_VERSION are 1", 1, elf.version() == 1 && elf.identVersion() == 1, Result.FAIL,
                20, "1 and 1", elf.version() + " and " + elf.identVersion(), "crash and libkdumpfile refuse the file");
        add(2, "there are no program headers", 1, elf.programHeaderCount() == 0, Result.FAIL,
                DumpFile.fieldOffset(elf, 8), "e_phnum 0", "e_phnum " + elf.programHeaderCount(),
                "crash takes a file with two or more for a netdump");
        add(3, "the file is ELF64", 1, elf.elfClass() == ElfClass.ELF64, Result.NOTE,
                4, "ELF64, as since 7 March 2007", elf.elfClass().name(),
                "crash accepts ELF32 for 32-bit x86 only; volatility3 refuses it");
        boolean big = elf.order() == ByteOrder.BIG_ENDIAN;
        add(4, "the byte order is that of the machine", 1, big == (elf.machine() == Elf.EM_PPC64), Result.FAIL,
                5, elf.machine() == Elf.EM_PPC64 ? "big-endian" : "little-endian",
                big ? "big-endian" : "little-endian", "");
        checkMachine();
        boolean asWritten = elf.abiVersion() == 1 && elf.osAbi() == 0 && elf.flags() == 0 && elf.entry() == 0
                && elf.sectionHeaderOffset() == elf.elfClass().headerSize()
                && elf.headerSize() == elf.elfClass().headerSize();
        add(6, "the other fields of the ELF header are those that Xen writes", 1, asWritten, Result.NOTE,
                7, "EI_ABIVERSION 1, EI_OSABI 0, e_entry 0, e_flags 0, section headers right after it",
                "EI_ABIVERSION " + elf.abiVersion() + ", EI_OSABI " + elf.osAbi() + ", e_entry "
                        + hex(elf.entry()) + ", e_flags " + hex(elf.flags()) + ", e_shoff "
                        + hex(elf.sectionHeaderOffset()),
                "");
    }

    private void checkMachine() {
        int machine = elf.machine();
        boolean known = machine == Elf.EM_X86_64 || machine == Elf.EM_386 || machine == Elf.EM_ARM
                || machine == Elf.EM_IA_64 || machine == Elf.EM_PPC64;
        Result broken = machine == Elf.EM_AARCH64 ? Result.NOTE : Result.FAIL;
        Result result = !known ? broken : machine == Elf.EM_X86_64 ? Result.PASS : Result.NOTE;
        boolean crashes = machine == Elf.EM_386 || machine == Elf.EM_ARM || machine == Elf.EM_AARCH64;
        String readers = crashes && dump.section(DumpFile.PRSTATUS).isPresent()
                ? "libkdumpfile 0.5 crashes on e_machine " + machine + " with .xen_prstatus;"
                        + " crash for x86-64 refuses it"
                : "crash accepts a file of its own machine only";
        add(5, "e_machine is one that Xen writes", "section 1", result, OptionalLong.of(18),
                "62 (x86-64), 3 (32-bit PV guest), 40 (ARM), 50 (ia64), 21 (PowerPC)", Integer.toString(machine),
                result == Result.PASS ? "" : readers);
    }

    // --- sections ---

    private void checkSections() {
        List<Section> sections = dump.sections();
        boolean plain = elf.sectionHeaderCount() != 0 && elf.sectionNamesIndex() == 1
                && elf.sectionHeaderSize() == elf.elfClass().sectionHeaderSize();
        add(7, "section headers are numbered plainly and the string table is number 1", 1, plain, Result.FAIL,
                DumpFile.fieldOffset(elf, 12), "e_shnum 6 to 8, e_shstrndx 1",
                "e_shnum " + elf.sectionHeaderCount() + ", e_shstrndx " + elf.sectionNamesIndex(),
                "crash refuses e_shnum 0");
        add(8, "the string table is in the file", 7, dump.isNamed(), Result.FAIL,
                dump.section(DumpFile.NAMES).map(Section::offset).orElse(elf.sectionHeaderOffset()),
                "the last thing written", dump.isNamed() ? "there" : "past the end of the file",
                "every reader refuses the file");
        checkNameOrder();
        List<String> needed = List.of(DumpFile.NOTES, DumpFile.PRSTATUS, DumpFile.PAGES);
        String missing = needed.stream().filter(name -> dump.section(name).isEmpty()).collect(Collectors.joining(" "));
        add(10, "notes, contexts and pages have sections", 2, missing.isEmpty(), Result.FAIL,
                elf.sectionHeaderOffset(), String.join(" ", needed), missing.isEmpty() ? "all" : "no " + missing,
                "libkdumpfile needs .xen_pages, crash and rekall .note.Xen");
        long tables = sections.stream()
                .filter(section -> section.name().equals(DumpFile.P2M) || section.name().equals(DumpFile.PFN))
                .count();
        add(11, "there is exactly one frame table", 6, tables == 1, Result.FAIL, elf.sectionHeaderOffset(),
                "one of .xen_p2m and .xen_pfn", Long.toString(tables), "libkdumpfile: \"Missing Xen P2M mapping\"");
        String strange = sections.stream()
                .map(Section::name)
                .filter(name -> !name.isEmpty() && !DumpFile.KNOWN.contains(name))
                .collect(Collectors.joining(" "));
        boolean prefix = sections.stream()
                .map(Section::name)
                .anyMatch(name -> DumpFile.KNOWN.stream()
                        .anyMatch(known -> !name.equals(known) && name.startsWith(known)));
        boolean twice = sections.stream().map(Section::name).filter(name -> !name.isEmpty()).distinct()
                .count() != sections.stream().filter(section -> !section.name().isEmpty()).count();
        add(12, "no section appears twice, and no other name begins with one of the format's", "section 9",
                twice || prefix ? Result.FAIL : strange.isEmpty() ? Result.PASS : Result.NOTE,
                OptionalLong.of(elf.sectionHeaderOffset()), "only the format's own sections",
                twice ? "a name twice" : strange.isEmpty() ? "only those" : strange,
                twice || prefix ? "gdbserver-xen compares prefixes and takes the first" : "");
        Optional<Section> unusual = sections.stream().filter(section -> !isPlain(section)).findFirst();
        add(13, "section types are NOTE, STRTAB and PROGBITS; flags, address, link and info are 0", 2,
                unusual.isEmpty(), Result.NOTE,
                unusual.map(Section::headerOffset).orElse(elf.sectionHeaderOffset()), "as said",
                unusual.map(section -> "section " + section.index() + " differs").orElse("as said"), "");
        Optional<Section> cut = sections.stream()
                .filter(section -> section.header().type() != Elf.SHT_NULL && !section.isWhole(file))
                .findFirst();
        add(14, "all sections lie in the file", 7, cut.isEmpty(), Result.FAIL,
                cut.map(Section::offset).orElse(0L), "a file of all sections",
                cut.map(section -> "section " + section.index() + " ends at "
                        + hex(section.end()) + ", the file at " + hex(file.size()))
                        .orElse("a file of all sections"),
                "no reader says so; they fail on the first read past the end");
        checkOverlap();
        add(16, "pages come before their table, as since Xen 3.2", 2, !reader.isTableFirst(), Result.NOTE,
                dump.table().map(Section::offset).orElse(0L), "pages, then table",
                reader.isTableFirst() ? "table, then pages (Xen 3.1)" : "pages, then table", "");
    }

    private void checkNameOrder() {
        if (!dump.isNamed()) {
            skip(9, "the string table has one name for each section, in header order", 2);
            return;
        }
        Section names = dump.sections().get(Math.min(elf.sectionNamesIndex(), dump.sections().size() - 1));
        long expected = 0;
        boolean inOrder = true;
        for (Section section : dump.sections()) {
            inOrder &= section.header().nameOffset() == expected;
            expected += section.name().length() + 1;
        }
        inOrder &= expected == names.size();
        add(9, "the string table has one name for each section, in header order", 2, inOrder, Result.NOTE,
                names.offset(),
                "the names and nothing else", inOrder ? "the names and nothing else" : "another order or more",
                "volatility3 takes the position of a name for the number of its section");
    }

    private static boolean isPlain(Section section) {
        SectionHeader header = section.header();
        long type = switch (section.name()) {
            case "" -> Elf.SHT_NULL;
            case DumpFile.NAMES -> Elf.SHT_STRTAB;
            case DumpFile.NOTES -> Elf.SHT_NOTE;
            default -> Elf.SHT_PROGBITS;
        };
        return header.type() == type && header.flags() == 0 && header.address() == 0 && header.link() == 0
                && header.info() == 0;
    }

    private void checkOverlap() {
        List<Section> byOffset = dump.sections().stream()
                .filter(section -> section.header().type() != Elf.SHT_NULL && section.size() > 0)
                .sorted(Comparator.comparing(Section::offset, Long::compareUnsigned))
                .toList();
        long end = elf.sectionHeaderOffset() + (long) dump.sections().size() * elf.sectionHeaderSize();
        for (Section section : byOffset) {
            if (Long.compareUnsigned(section.offset(), end) < 0) {
                add(15, "sections do not overlap", 2, false, Result.FAIL, section.offset(),
                        "section " + section.index() + " at or after " + hex(end), hex(section.offset()), "");
                return;
            }
            end = section.end();
        }
        add(15, "sections do not overlap", 2, true, Result.FAIL, 0, "no overlap", "no overlap", "");
    }

    // --- notes ---

    private void checkNotes() {
        long at = dump.section(DumpFile.NOTES).map(Section::offset).orElse(0L);
        List<ElfNote> notes = reader.notes().map(XenNotes::notes).orElse(List.of());
        List<Long> types = notes.stream().map(ElfNote::type).toList();
        boolean named = notes.stream().allMatch(note -> note.name().equals("Xen"));
        Optional<String> problem = reader.notes().flatMap(XenNotes::problem);
        add(17, "the notes are NONE, HEADER, XEN_VERSION, FORMAT_VERSION, each named Xen", 3,
                types.equals(NOTE_ORDER) && named && problem.isEmpty(), Result.FAIL, at, "those four in that order",
                problem.orElse(notes.size() + " notes of type "
                        + types.stream().map(Long::toHexString).collect(Collectors.joining(" "))),
                "gdbserver-xen needs all four");
        Optional<ElfNote> headerNote = reader.notes().flatMap(all -> all.ofType(XenNotes.TYPE_HEADER));
        add(18, "the HEADER note has 32 bytes", 3,
                headerNote.map(note -> note.descriptorSize() == XenNotes.HEADER_SIZE).orElse(false), Result.FAIL,
                headerNote.map(ElfNote::offset).orElse(at), "32",
                headerNote.map(note -> Long.toString(note.descriptorSize())).orElse("no such note"),
                "mdb needs exactly 32; crash needs the note");
        Optional<XenNotes.Header> header = reader.notes().flatMap(XenNotes::header);
        if (header.isEmpty()) {
            skip(19, "the magic is that of the kind of guest", 3);
            skip(20, "the number of vCPUs is that of .xen_prstatus", 4);
            skip(21, "the number of pages is that of .xen_pages and of the table", 6);
            skip(22, "the page size is that of .xen_pages", 3);
        } else {
            checkHeader(header.get());
        }
        checkVersion(at);
        Optional<Long> format = reader.notes().flatMap(XenNotes::formatVersion);
        long value = format.orElse(0L);
        add(25, "the format version is 0.1", "section 3",
                format.isEmpty() || value >>> 32 != 0 ? Result.FAIL : value == 1 ? Result.PASS : Result.NOTE,
                reader.notes().flatMap(all -> all.ofType(XenNotes.TYPE_FORMAT)).stream()
                        .mapToLong(ElfNote::descriptorOffset)
                        .findFirst(),
                "0.1", format.isEmpty() ? "none" : (value >>> 32) + "." + (value & 0xffff_ffffL),
                value == 1 ? "" : "crash and mdb warn; mdb refuses another major version");
    }

    private void checkHeader(XenNotes.Header header) {
        boolean pv = header.magic() == XenNotes.MAGIC_PV;
        boolean hvm = header.magic() == XenNotes.MAGIC_HVM;
        boolean fits = !reader.isX86() || dump.table().isEmpty() || pv == reader.isParavirtualized();
        add(19, "the magic is that of the kind of guest", "section 3",
                !pv && !hvm ? Result.FAIL : fits ? Result.PASS : Result.NOTE, OptionalLong.of(header.offset()),
                reader.isParavirtualized() ? "0xf00febed" : "0xf00febee", hex(header.magic()),
                fits ? "" : "gdbserver-xen chooses the table by the magic");
        add(20, "the number of vCPUs is that of .xen_prstatus, and not 0", 4,
                header.vcpus() != 0 && header.vcpus() == reader.declaredVcpus(), Result.FAIL, header.offset() + 8,
                Long.toUnsignedString(reader.declaredVcpus()), Long.toUnsignedString(header.vcpus()), "");
        boolean same = header.pages() == reader.pageCount() && header.pages() == reader.tableCount();
        boolean countable = header.pages() > 0 && header.pages() >>> 32 == 0;
        add(21, "the number of pages is that of .xen_pages and of the table, and fits 32 bits", 6, same && countable,
                Result.FAIL, header.offset() + 16,
                reader.pageCount() + " pages and " + reader.tableCount() + " entries, below 2^32",
                Long.toUnsignedString(header.pages()), "crash takes the note's number, in 32 bits");
        long entry = dump.section(DumpFile.PAGES).map(pages -> pages.header().entrySize()).orElse(0L);
        long usual = reader.architecture().pageSize();
        boolean consistent = XenNotes.isPageSize(header.pageSize()) && entry == header.pageSize();
        add(22, "the page size is that of .xen_pages", "section 3",
                !consistent ? Result.FAIL : header.pageSize() == usual ? Result.PASS : Result.NOTE,
                OptionalLong.of(header.offset() + 24), Long.toString(usual),
                Long.toUnsignedString(header.pageSize()) + ", pages of " + Long.toUnsignedString(entry),
                header.pageSize() == 4096 ? "" : "libkdumpfile and volatility3 expect 4096");
    }

    private void checkVersion(long at) {
        Optional<XenNotes.VersionNote> version = reader.notes().flatMap(XenNotes::version);
        if (version.isEmpty()) {
            add(23, "the XEN_VERSION note has a known form", 3, false, Result.FAIL, at, "1280 or 1276 bytes",
                    "no such note", "");
            skip(24, "capabilities name the word size, and the page size is one", 3);
            return;
        }
        XenNotes.VersionNote note = version.get();
        boolean wide = note.shape() == XenNotes.Shape.WIDE && note.size() == XenNotes.VERSION_SIZE;
        boolean shifted = note.shape() == XenNotes.Shape.SHIFTED && reader.isParavirtualized()
                && elf.machine() == Elf.EM_386;
        String readers = switch (note.shape()) {
            case WIDE -> "";
            case NARROW -> "libkdumpfile loses the version and mdb refuses the file";
            case SHIFTED -> "the page size is stored four bytes too low, as 64-bit tools leave it for 32-bit guests";
        };
        add(23, "the XEN_VERSION note has a known form", "section 3", wide ? Result.PASS : Result.NOTE,
                OptionalLong.of(note.offset()), "1280 bytes" + (shifted ? ", page size shifted" : ""),
                note.size() + " bytes, " + note.shape().name().toLowerCase(Locale.ROOT), readers);
        String capabilities = note.version().capabilities();
        boolean useful = !reader.isX86()
                || (capabilities.contains("x86_64") || capabilities.contains("x86_32"))
                        && XenNotes.isPageSize(note.version().pageSize());
        add(24, "capabilities name the word size, and the page size is one", 3, useful, Result.NOTE, note.offset(),
                "x86_64 or x86_32, 4096", "'" + capabilities.strip() + "', " + note.version().pageSize(),
                "mdb takes the word size from capabilities, gdbserver-xen checks the page size");
    }

    // --- vCPUs ---

    private void checkVcpus() {
        Optional<Section> section = dump.section(DumpFile.PRSTATUS);
        if (section.isEmpty()) {
            skip(26, "contexts have the size of vcpu_guest_context", 4);
            skip(27, "all vCPUs are online", 4);
            return;
        }
        long size = section.get().header().entrySize();
        boolean whole = size > 0 && Long.remainderUnsigned(section.get().size(), size) == 0;
        boolean known = reader.isX86() ? size == ContextLayout.ELEMENT : !reader.isArm() || size == 352;
        add(26, "contexts have the size of vcpu_guest_context", "section 4",
                !whole ? Result.FAIL : known ? Result.PASS : Result.NOTE,
                OptionalLong.of(section.get().headerOffset()), "elements of 5168 bytes (x86) or 352 (ARM)",
                Long.toUnsignedString(section.get().size()) + " bytes in elements of " + Long.toUnsignedString(size),
                known ? "" : "libkdumpfile expects 5168 whatever the header says");
        if (!reader.isX86() || reader.elementSize() < ContextLayout.FLAGS + 8) {
            skip(27, "all vCPUs are online", 4);
            return;
        }
        List<String> offline = new ArrayList<>();
        for (int i = 0; i < Math.min(reader.vcpuCount(), DumpReader.MOST_VCPUS); i++) {
            if (!VcpuContext.isOnline(element(section.get(), i))) {
                offline.add(Integer.toString(i));
            }
        }
        add(27, "all vCPUs are online", 4, offline.isEmpty(), Result.NOTE, section.get().offset(), "all",
                offline.isEmpty() ? "all" : "offline: " + String.join(" ", offline), "");
    }

    private byte[] element(Section section, int index) {
        int size = reader.elementSize();
        return file.bytes(section.offset() + (long) index * size, size, "vCPU " + index);
    }

    // --- places ---

    private void checkPlaces() {
        Optional<Section> shared = dump.section(DumpFile.SHARED_INFO);
        boolean onePage = shared.map(section -> section.size() == reader.pageSize()).orElse(false);
        boolean needed = reader.isParavirtualized();
        add(28, "shared_info is one page; a PV guest has it", "section 5",
                onePage ? Result.PASS : shared.isPresent() || needed ? Result.FAIL : Result.NOTE,
                shared.map(section -> OptionalLong.of(section.offset())).orElse(OptionalLong.empty()),
                Long.toString(reader.pageSize()),
                shared.map(section -> Long.toUnsignedString(section.size())).orElse("no .xen_shared_info"),
                onePage ? "" : "readers that count sections take the wrong ones");
        Optional<Section> pages = dump.section(DumpFile.PAGES);
        boolean aligned = pages.map(section -> section.offset() % reader.pageSize() == 0
                && section.header().alignment() % 4096 == 0
                && section.header().alignment() > 0)
                .orElse(false);
        add(29, "pages begin on a page boundary", 2, aligned, Result.FAIL, pages.map(Section::offset).orElse(0L),
                "a multiple of " + reader.pageSize(), pages.map(section -> hex(section.offset())).orElse("no pages"),
                "mdb and gdbserver-xen refuse the file");
        Optional<Section> table = dump.table();
        long entry = table.map(section -> section.header().entrySize()).orElse(0L);
        add(30, "the table says the size of its entries", 2, entry == reader.tableEntry(), Result.FAIL,
                table.map(Section::headerOffset).orElse(0L), Long.toString(reader.tableEntry()),
                Long.toUnsignedString(entry), "gdbserver-xen refuses the file");
        Optional<Section> mapped = dump.section(DumpFile.MAPPED_REGISTERS);
        boolean fits = mapped.isEmpty() || reader.architecture() == Architectures.IA64
                && mapped.get().size() == mapped.get().header().entrySize() * reader.declaredVcpus();
        add(31, "mapped registers are there for ia64 only, one slot a vCPU", 2, fits, Result.FAIL,
                mapped.map(Section::offset).orElse(0L), "one slot a vCPU, or none",
                mapped.map(section -> Long.toUnsignedString(section.size()) + " bytes").orElse("none"), "");
        long end = dump.sections().stream()
                .filter(section -> section.isWhole(file))
                .mapToLong(Section::end)
                .max()
                .orElse(0);
        boolean ends = dump.isNamed() && end == file.size()
                && dump.section(DumpFile.NAMES).map(names -> names.end() == end).orElse(false);
        add(32, "the file ends with the string table", 2, ends || !dump.isNamed(), Result.NOTE, end, hex(file.size()),
                hex(end), "");
        List<Finding> gaps = reader.places();
        add(41, "there are no gaps between sections, except up to the next page", "section 2",
                gaps.stream().anyMatch(gap -> gap.severity() == Severity.DAMAGE) ? Result.FAIL
                        : gaps.isEmpty() ? Result.PASS : Result.NOTE,
                OptionalLong.empty(), "none", gaps.isEmpty() ? "none" : gaps.getFirst().message(), "");
    }

    // --- frame table ---

    private void checkTable(boolean deep, Progress progress) {
        FrameTable frames = reader.frameTable();
        if (frames.size() == 0) {
            skip(33, "entries are in ascending order of page frames", 6);
            skip(34, "no page frame appears twice, and all are below 2^64", 6);
            skip(35, "there are no invalid entries", 6);
            skip(36, "entry k of a PV table is page frame k", 6);
            skip(37, "a PV table ends with a block of 512 entries, or 8 KiB follow it", 9);
            skip(38, "the root page table of every vCPU is in the dump", 6);
            skip(39, MACHINE_RULE, 6);
            skip(40, PAGES_RULE, 6);
            skip(42, "every entry fits between its neighbours, and machine frames lie below 2^52 bytes", 6);
            return;
        }
        long table = dump.table().orElseThrow().offset();
        long width = reader.tableEntry();
        try (Arena arena = Arena.ofConfined()) {
            FrameIndex index = reader.frameIndex(false, arena);
            add(33, "entries are in ascending order of page frames", 6, index.firstDescent() < 0, Result.FAIL,
                    table + Math.max(0, index.firstDescent()) * width, "ascending",
                    index.firstDescent() < 0 ? "ascending" : "entry " + index.firstDescent() + " is lower",
                    "crash and volatility3 search it as sorted");
            boolean unique = index.duplicates() == 0 && index.outOfRange() == 0;
            add(34, "no page frame appears twice, and all are below 2^64", 6, unique, Result.FAIL,
                    table + Math.max(0, Math.max(index.firstDuplicate(), index.firstOutOfRange())) * width,
                    "each once", index.duplicates() + " twice, " + index.outOfRange() + " too high", "");
            checkInvalid(index, table, width);
            checkDense(index, frames, table);
            checkRoots(index);
            FrameIndex machine = frames.hasMachineFrames() ? reader.frameIndex(true, arena) : index;
            add(39, MACHINE_RULE, 6, machine.duplicates() == 0, Result.FAIL,
                    table + Math.max(0, machine.firstDuplicate()) * width, "each once",
                    machine.duplicates() + " twice", "");
            FrameOutliers outliers = FrameOutliers.of(frames, Long.numberOfTrailingZeros(reader.pageSize()));
            boolean fits = outliers.strangers() == 0 && outliers.beyond() == 0;
            add(42, "every entry fits between its neighbours, and machine frames lie below 2^52 bytes", 6, fits,
                    Result.FAIL,
                    table + Math.max(0, Math.max(outliers.firstStranger(), outliers.firstBeyond())) * width,
                    "all", fits ? "all" : outliers.strangers() + " do not fit, " + outliers.beyond() + " too high", "");
        }
        if (!deep) {
            skip(40, PAGES_RULE, 6, DEEP);
            return;
        }
        checkPages(frames, progress);
    }

    private void checkInvalid(FrameIndex index, long table, long width) {
        boolean inside = index.invalidInside();
        add(35, "there are no invalid entries", "section 6",
                inside ? Result.FAIL : index.invalid() > 0 ? Result.NOTE : Result.PASS,
                OptionalLong.of(table + Math.max(0, index.firstInvalid()) * width), "none, or only at the end",
                index.invalid() + (inside ? ", before valid ones" : index.invalid() > 0 ? " at the end" : ""),
                index.invalid() == 0
                        ? ""
                        : "libkdumpfile and rekall compute a wrong highest frame; volatility3 makes layers of them;"
                                + " mdb fails on them in .xen_p2m");
    }

    private void checkDense(FrameIndex index, FrameTable frames, long table) {
        if (!frames.hasMachineFrames()) {
            skip(36, "entry k of a PV table is page frame k", 6, "not a PV table");
            skip(37, "a PV table ends with a block of 512 entries, or 8 KiB follow it", 9, "not a PV table");
            return;
        }
        boolean dense = index.runs().count() == 1 && index.runs().first(0) == 0;
        add(36, "entry k of a PV table is page frame k", 6, dense, Result.NOTE, table, "one run from frame 0",
                index.runs().count() + " runs", "crash takes the entry's number for the frame and reads wrong pages");
        long behind = file.size() - (table + frames.size() * FileFrameTable.P2M_ENTRY);
        boolean safe = frames.size() % 512 == 0 || behind >= CRASH_BLOCK;
        add(37, "a PV table ends with a block of 512 entries, or 8 KiB follow it", 9, safe, Result.NOTE, table,
                "a multiple of 512 entries", frames.size() + " entries, " + behind + " bytes after them",
                "crash reads 8 KiB at a time and fails at the end of the file");
    }

    private void checkRoots(FrameIndex index) {
        Optional<Section> section = dump.section(DumpFile.PRSTATUS);
        if (!reader.isX86() || section.isEmpty() || reader.elementSize() < reader.contextLayout().size()) {
            skip(38, "the root page table of every vCPU is in the dump", 6);
            return;
        }
        boolean pv = reader.isParavirtualized();
        List<String> missing = new ArrayList<>();
        try (Arena arena = Arena.ofConfined()) {
            FrameIndex frames = pv ? reader.frameIndex(true, arena) : index;
            for (int i = 0; i < Math.min(reader.vcpuCount(), DumpReader.MOST_VCPUS); i++) {
                RegisterState registers = VcpuContext.decode(reader.contextLayout(), element(section.get(), i), pv);
                boolean paging = pv || (registers.get(X86.CR0) & PG_AND_PE) == PG_AND_PE;
                long root = registers.get(X86.CR3) & 0xf_ffff_ffff_f000L;
                if (paging && !frames.runs().contains(frames.runs().floor(root), root)) {
                    missing.add("vCPU " + i + " has " + hex(root));
                }
            }
        }
        add(38, "the root page table of every vCPU is in the dump", 6, missing.isEmpty(), Result.FAIL,
                section.get().offset(), "cr3 of each in the table",
                missing.isEmpty() ? "all" : String.join(", ", missing), "crash before 7.1.5 refuses the file");
    }

    private void checkPages(FrameTable frames, Progress progress) {
        long pageSize = reader.pageSize();
        long pages = reader.pagesOffset();
        progress.begin("reading pages", frames.size() * pageSize);
        int chunk = (int) (CHUNK / pageSize);
        long[] pfns = new long[chunk];
        long[] mfns = new long[chunk];
        byte[] bytes = new byte[CHUNK];
        byte[] zeros = new byte[(int) pageSize];
        long dirty = -1;
        long unread = -1;
        for (long index = 0; index < frames.size() && unread < 0; index += chunk) {
            int count = (int) Math.min(chunk, frames.size() - index);
            frames.read(index, pfns, mfns, count);
            MemorySegment target = MemorySegment.ofArray(bytes).asSlice(0, count * pageSize);
            long read = file.read(pages + index * pageSize, target);
            unread = read < count * pageSize ? index + read / pageSize : -1;
            for (int i = 0; i < read / pageSize && dirty < 0; i++) {
                boolean zero = MemorySegment.mismatch(
                        target, i * pageSize, (i + 1) * pageSize, MemorySegment.ofArray(zeros), 0, pageSize) < 0;
                dirty = pfns[i] == FrameTable.INVALID && !zero ? index + i : dirty;
            }
            progress.advance(read);
        }
        boolean good = dirty < 0 && unread < 0;
        add(40, PAGES_RULE, 6, good, Result.FAIL,
                pages + Math.max(0, Math.max(dirty, unread)) * pageSize, "all",
                good ? "all" : unread >= 0 ? "page " + unread + " is past the end" : "page " + dirty + " is not zero",
                "");
    }

    // --- making checks ---

    private void add(
            int number,
            String rule,
            int section,
            boolean kept,
            Result broken,
            long offset,
            String expected,
            String found,
            String readers) {
        Result result = kept ? Result.PASS : broken;
        add(number, rule, "section " + section, result, OptionalLong.of(offset), expected, found,
                kept ? "" : readers);
    }

    private void add(
            int number,
            String rule,
            String section,
            Result result,
            OptionalLong offset,
            String expected,
            String found,
            String readers) {
        String source = "docs/formats/xen-dump-core.md, " + section;
        checks.add(new Check(id(number), rule, source, result, offset, expected, found, readers));
    }

    private void skip(int number, String rule, int section) {
        skip(number, rule, section, "what it needs is missing");
    }

    private void skip(int number, String rule, int section, String why) {
        add(number, rule, "section " + section, Result.SKIPPED, OptionalLong.empty(), "", why, "");
    }

    private static String id(int number) {
        return (number < 10 ? "xen-0" : "xen-") + number;
    }

    private static String hex(long value) {
        return "0x" + Long.toHexString(value);
    }
}
