package dev.guestcore.format.xen;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.GuestMemory;
import dev.guestcore.Provenance;
import dev.guestcore.RawContext;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.facts.XenFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.xen.DumpFile.Section;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.elf.ElfClass;
import dev.guestcore.internal.file.Arenas;
import dev.guestcore.internal.keep.KeepRecord;
import dev.guestcore.internal.memory.FileMemory;
import dev.guestcore.internal.memory.LazyMemory;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.internal.xen.ContextLayout;
import dev.guestcore.internal.xen.VcpuContext;
import dev.guestcore.report.Severity;
import java.lang.foreign.Arena;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Reads a dump-core of any Xen since 3.1 (docs/formats/xen-dump-core.md). Sections go by name, vCPUs by the size of
 * their elements, counts by what is there; what the notes say otherwise is a finding.
 */
final class DumpReader {

    /** More than these many vCPUs no Xen has ever run. */
    static final int MOST_VCPUS = 4096;
    /** Readers count pages in 32 bits, and so do Xen's tools. */
    private static final long MOST_PAGES = 1L << 32;
    /** Bytes of vcpu_guest_context of Arm. */
    private static final int ARM_ELEMENT = 352;
    /** No version's structure comes near this size. */
    private static final int LARGEST_ELEMENT = 64 << 10;
    private static final int LARGEST_SMALL_SECTION = 64 << 10;
    private static final int LARGEST_MAPPED_REGISTERS = 16 << 20;
    private static final int IA64_SLOT = 16384;
    /** A longer gap is not looked into. */
    private static final long MOST_GAP = 1 << 20;
    /** Sorting so many entries takes a few hundredths of a second; verify sorts any number. */
    private static final long MOST_AT_OPENING = 1 << 18;

    private final DumpFile dump;
    private final FileBytes file;
    private final List<Finding> findings = new ArrayList<>();
    private final Optional<XenNotes> notes;

    DumpReader(DumpFile dump) {
        this.dump = dump;
        this.file = dump.file();
        this.notes = dump.section(DumpFile.NOTES)
                .filter(section -> section.stored(file) > 0)
                .map(section -> XenNotes.read(file, dump.elf().order(), section.offset(), section.stored(file)));
    }

    /** The notes, if any of them is in the file. */
    Optional<XenNotes> notes() {
        return notes;
    }

    /** Opens the guest; its file is closed with it. */
    Guest open() {
        refuseNewerMajor();
        if (notes.isEmpty() && vcpuCount() == 0 && storedPages() == 0) {
            long end = dump.elf().sectionHeaderOffset()
                    + (long) dump.sections().size() * dump.elf().sectionHeaderSize();
            throw file.malformed(
                    end,
                    "sections",
                    "notes, vCPUs and memory after the section headers",
                    "the end of the file at 0x" + Long.toHexString(file.size()),
                    "nothing of the guest is in this file; dump it again");
        }
        lookAtSections();
        lookAtNotes();
        findings.addAll(places());
        Arena arena = Arena.ofShared();
        try {
            return build(arena);
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    private Guest build(Arena arena) {
        boolean paravirtualized = isParavirtualized();
        XenFacts.Version version = notes.flatMap(XenNotes::version)
                .map(XenNotes.VersionNote::version)
                .orElseGet(() -> XenFacts.Version.builder(0, 0).build());
        GuestBuilder guest = Guest.builder()
                .architecture(architecture())
                .laterFindings(file::readFailures)
                .onClose(() -> {
                    file.close();
                    Arenas.close(arena);
                });
        addVcpus(guest, paravirtualized);
        Optional<FrameTable> frames = Optional.of(frameTable()).filter(table -> table.size() > 0);
        int pageShift = Long.numberOfTrailingZeros(pageSize());
        long base = pagesOffset();
        FrameIndex index = FrameIndex.build(frameTable(), false, pageShift, base, arena);
        lookAtFrames(index);
        if (frames.isPresent() && frames.get().hasMachineFrames()) {
            FrameTable table = frames.get();
            guest.machineMemory(new LazyMemory(() -> new FileMemory(
                    file, FrameIndex.build(table, true, pageShift, base, arena).runs())));
        }
        Optional<XenFacts.FileParts> parts = fileParts();
        guest.facts(new XenFacts(
                paravirtualized, paravirtualized ? guestWidth() : 8, version, sharedInfo(), frames, parts));
        boolean known = version.major() != 0;
        // Guestcore names itself where it wrote a guest that Xen never ran.
        boolean foreign = version.extra().equals(XenFacts.Version.GUESTCORE);
        guest.provenance(new Provenance(
                file.name(),
                "xen",
                variant(paravirtualized),
                foreign ? Optional.empty() : Optional.of("Xen"),
                known && !foreign ? Optional.of(version.text()) : Optional.empty(),
                Optional.empty()));
        guest.findings(findings);
        return restored(guest, new FileMemory(file, index.runs()));
    }

    /** With Guestcore's own record, if the file has one, the guest is what it was before it became a dump-core. */
    private Guest restored(GuestBuilder builder, GuestMemory memory) {
        Guest guest = builder.build(memory);
        Optional<Section> record = dump.section(DumpFile.KEEP);
        if (record.isEmpty()) {
            return guest;
        }
        try {
            return KeepRecord.restore(guest, file, record.get().offset(), record.get().size());
        } catch (MalformedDumpException e) {
            return builder.findings(List.of(Finding.damage(e))).build(memory);
        }
    }

    private String variant(boolean paravirtualized) {
        StringBuilder text = new StringBuilder(paravirtualized ? "pv" : "hvm");
        if (dump.elf().elfClass() == ElfClass.ELF32) {
            text.append(", ELF32");
        }
        if (dump.elf().order() == ByteOrder.BIG_ENDIAN) {
            text.append(", big-endian");
        }
        if (isTableFirst()) {
            text.append(", table before pages");
        }
        return text.toString();
    }

    /** Whether the table stands before the pages, as Xen 3.1 had it. */
    boolean isTableFirst() {
        Optional<Section> pages = dump.section(DumpFile.PAGES);
        Optional<Section> table = dump.table();
        return pages.isPresent() && table.isPresent() && table.get().offset() < pages.get().offset();
    }

    private void refuseNewerMajor() {
        long format = notes.flatMap(XenNotes::formatVersion).orElse(XenNotes.FORMAT);
        if (format >>> 32 != 0) {
            throw file.malformed(
                    notes.flatMap(all -> all.ofType(XenNotes.TYPE_FORMAT)).orElseThrow().descriptorOffset(),
                    "format version",
                    "major version 0 (this program knows 0.1)",
                    "major version " + (format >>> 32) + " (" + (format >>> 32) + "." + (format & 0xffff_ffffL) + ")",
                    "its layout is unknown; a newer Guestcore may read it");
        }
        long minor = format & 0xffff_ffffL;
        if (minor != 1) {
            findings.add(Finding.note("format version: expected 0.1, found 0." + minor
                    + "; what version 0.1 has is read, what is new is not"));
        }
    }

    // --- what kind of guest ---

    /** Whether it is a PV guest: the table decides, because the magic of ARM and ia64 dumps does not tell. */
    boolean isParavirtualized() {
        Optional<Section> table = dump.table();
        if (table.isPresent()) {
            return table.get().name().equals(DumpFile.P2M);
        }
        return isX86() && magic() == XenNotes.MAGIC_PV;
    }

    /** Magic of the HEADER note, 0 if there is none. */
    long magic() {
        return notes.flatMap(XenNotes::header).map(XenNotes.Header::magic).orElse(0L);
    }

    boolean isX86() {
        return architecture() == Architectures.X86;
    }

    Architecture architecture() {
        // Xen writes the machine of 32-bit Arm for both widths.
        return dump.elf().machine() == Elf.EM_ARM
                ? Architectures.ARM
                : Architectures.ofElf(dump.elf().machine(), dump.elf().elfClass().addressBits());
    }

    /** Both widths of Arm and of PowerPC have one context each. */
    private String familyName() {
        return isArm() ? "arm" : architecture() == Architectures.POWERPC64 ? "powerpc" : architecture().name();
    }

    boolean isArm() {
        return architecture() == Architectures.ARM || architecture() == Architectures.ARM64;
    }

    private int guestWidth() {
        return dump.elf().machine() == Elf.EM_386 ? 4 : 8;
    }

    /** Page size in bytes: the note's, else that of the section, else the processor's. */
    long pageSize() {
        long noted = notes.flatMap(XenNotes::header).map(XenNotes.Header::pageSize).orElse(0L);
        if (XenNotes.isPageSize(noted)) {
            return noted;
        }
        long entry = dump.section(DumpFile.PAGES).map(pages -> pages.header().entrySize()).orElse(0L);
        if (XenNotes.isPageSize(entry)) {
            return entry;
        }
        return architecture().pageSize();
    }

    // --- vCPUs ---

    /** Bytes of one vCPU's element; 0 if it makes no sense. Without a sh_entsize the section is shared out. */
    int elementSize() {
        long stated = dump.section(DumpFile.PRSTATUS).map(section -> section.header().entrySize()).orElse(0L);
        long size = stated == 0 ? sharedOutSize() : stated;
        return size > 0 && size <= LARGEST_ELEMENT ? (int) size : 0;
    }

    /** By their number, if that makes contexts of a known size; else by a known size, by their number, or all for one. */
    private long sharedOutSize() {
        long section = dump.section(DumpFile.PRSTATUS).map(Section::size).orElse(0L);
        if (section == 0) {
            return 0;
        }
        long vcpus = notes.flatMap(XenNotes::header).map(XenNotes.Header::vcpus).orElse(0L);
        boolean divides = vcpus > 0 && Long.remainderUnsigned(section, vcpus) == 0;
        long share = divides ? Long.divideUnsigned(section, vcpus) : section;
        List<Integer> known = isArm()
                ? List.of(ARM_ELEMENT)
                : Stream.of(ContextLayout.values()).map(ContextLayout::size).toList();
        return known.stream().anyMatch(size -> size == share)
                ? share
                : known.stream()
                        .mapToLong(Integer::longValue)
                        .filter(size -> Long.remainderUnsigned(section, size) == 0)
                        .findFirst()
                        .orElse(share);
    }

    /** How many whole elements are in the file. */
    long vcpuCount() {
        int size = elementSize();
        return size == 0 ? 0 : dump.section(DumpFile.PRSTATUS).orElseThrow().stored(file) / size;
    }

    /** The structure that x86 elements hold. */
    ContextLayout contextLayout() {
        if (dump.elf().machine() != Elf.EM_386) {
            return ContextLayout.X86_64;
        }
        // A 64-bit hypervisor describes HVM guests in its own words, whatever the tools' width.
        String capabilities = notes.flatMap(XenNotes::version)
                .map(note -> note.version().capabilities())
                .orElse("");
        boolean wide = !isParavirtualized()
                && elementSize() >= ContextLayout.X86_64.size()
                && capabilities.contains("x86_64");
        return wide ? ContextLayout.X86_64 : ContextLayout.X86_32;
    }

    private void addVcpus(GuestBuilder guest, boolean paravirtualized) {
        Optional<Section> section = dump.section(DumpFile.PRSTATUS);
        if (section.isEmpty()) {
            findings.add(Finding.damage("section .xen_prstatus: expected one, found none; there are no vCPUs"));
            return;
        }
        int size = elementSize();
        long count = vcpuCount();
        if (count == 0) {
            findings.add(Finding.damage("at offset 0x" + Long.toHexString(section.get().offset())
                    + ": .xen_prstatus: expected at least one vCPU, found " + section.get().stored(file)
                    + " bytes in elements of " + Long.toUnsignedString(section.get().header().entrySize())));
            return;
        }
        if (count > MOST_VCPUS) {
            findings.add(Finding.damage("at offset 0x" + Long.toHexString(section.get().offset())
                    + ": .xen_prstatus: expected at most " + MOST_VCPUS + " vCPUs, found " + count
                    + "; only the first " + MOST_VCPUS + " are read"));
        }
        if (section.get().header().entrySize() == 0) {
            findings.add(Finding.note(".xen_prstatus: sh_entsize: expected the size of a vCPU's context, found 0; "
                    + section.get().size() + " bytes are taken for " + count + " of " + size + " bytes"));
        }
        ContextLayout layout = contextLayout();
        boolean decodable = isX86() && size >= layout.fields().getLast().offset();
        if (isX86() && !decodable) {
            boolean general = size >= 720;
            findings.add(Finding.note(".xen_prstatus: expected elements of " + layout.size() + " bytes, found " + size
                    + (general ? "; the registers that lie in them are read" : "; no register can be read")));
            decodable = general;
        }
        String kind = isX86() ? layout.kind() : "xen.vcpu_guest_context." + familyName();
        for (int i = 0; i < Math.min(count, MOST_VCPUS); i++) {
            byte[] element = file.bytes(section.get().offset() + (long) i * size, size, "vCPU " + i);
            RegisterState registers = decodable
                    ? VcpuContext.decode(layout, element, paravirtualized)
                    : RegisterState.unknown();
            guest.vcpu(registers, List.of(new RawContext(kind, element)));
        }
    }

    // --- memory ---

    /** Where the pages begin; the end of the file if the header says nothing sensible. */
    long pagesOffset() {
        long offset = dump.section(DumpFile.PAGES).map(Section::offset).orElse(file.size());
        return offset < 0 || offset > file.size() ? file.size() : offset;
    }

    /** How many whole pages are in the file. */
    private long storedPages() {
        return dump.section(DumpFile.PAGES).map(pages -> pages.stored(file)).orElse(0L) / pageSize();
    }

    /** How many pages the section should have. */
    long pageCount() {
        return Long.divideUnsigned(
                dump.section(DumpFile.PAGES).map(Section::size).orElse(0L), pageSize());
    }

    /** Bytes of an entry of the table. */
    long tableEntry() {
        return dump.section(DumpFile.P2M).isPresent() ? FileFrameTable.P2M_ENTRY : FileFrameTable.PFN_ENTRY;
    }

    /** How many entries the table should have. */
    long tableCount() {
        return Long.divideUnsigned(dump.table().map(Section::size).orElse(0L), tableEntry());
    }

    /** The entries that are in the file and have a page. */
    FrameTable frameTable() {
        Optional<Section> table = dump.table();
        long entries = table.map(section -> section.stored(file)).orElse(0L) / tableEntry();
        if (Long.compareUnsigned(pageCount(), entries) < 0) {
            entries = pageCount();
        }
        entries = Math.min(Math.min(entries, MOST_PAGES), (Long.MAX_VALUE - pagesOffset()) / pageSize());
        return new FileFrameTable(
                file,
                dump.elf().order(),
                table.map(Section::offset).orElse(0L),
                entries,
                dump.section(DumpFile.P2M).isPresent());
    }

    /** The table turned round, for the checks. */
    FrameIndex frameIndex(boolean machine, Arena arena) {
        return FrameIndex.build(
                frameTable(), machine, Long.numberOfTrailingZeros(pageSize()), pagesOffset(), arena);
    }

    // --- small parts ---

    /** The two parts of an ia64 PV dump have each other's offset: shared_info is what lies first. */
    private boolean isSwapped() {
        Optional<Section> mapped = dump.section(DumpFile.MAPPED_REGISTERS);
        Optional<Section> shared = dump.section(DumpFile.SHARED_INFO);
        return mapped.isPresent()
                && shared.isPresent()
                && mapped.get().end() == shared.get().offset()
                && mapped.get().header().entrySize() == IA64_SLOT;
    }

    private Optional<byte[]> sharedInfo() {
        Optional<Section> section = dump.section(DumpFile.SHARED_INFO);
        if (section.isEmpty()) {
            return Optional.empty();
        }
        long offset = isSwapped()
                ? dump.section(DumpFile.MAPPED_REGISTERS).orElseThrow().offset()
                : section.get().offset();
        long size = section.get().size();
        if (Long.compareUnsigned(size, pageSize()) > 0) {
            size = pageSize();
        }
        if (!file.holds(offset, size)) {
            return Optional.empty();
        }
        return Optional.of(file.bytes(offset, (int) size, DumpFile.SHARED_INFO));
    }

    private byte[] mappedRegisters() {
        Optional<Section> section = dump.section(DumpFile.MAPPED_REGISTERS);
        if (section.isEmpty()) {
            return new byte[0];
        }
        long offset = section.get().offset();
        if (isSwapped()) {
            offset += dump.section(DumpFile.SHARED_INFO).orElseThrow().size();
        }
        return file.bytes(offset, (int) section.get().size(), DumpFile.MAPPED_REGISTERS);
    }

    /** The frame of the file, if it is whole, holds nothing that is foreign to us, and can be put together again. */
    private Optional<XenFacts.FileParts> fileParts() {
        boolean damaged = findings.stream().anyMatch(finding -> finding.severity() == Severity.DAMAGE);
        Optional<Section> names = dump.section(DumpFile.NAMES);
        Optional<Section> noteSection = dump.section(DumpFile.NOTES);
        int stride = dump.elf().sectionHeaderSize();
        if (damaged
                || !dump.isNamed()
                || names.isEmpty()
                || noteSection.isEmpty()
                || dump.section(DumpFile.PAGES).isEmpty()
                || dump.table().isEmpty()
                || stride != dump.elf().elfClass().sectionHeaderSize()
                || names.get().size() > LARGEST_SMALL_SECTION
                || noteSection.get().size() > LARGEST_SMALL_SECTION
                || dump.section(DumpFile.MAPPED_REGISTERS).map(Section::size).orElse(0L) > LARGEST_MAPPED_REGISTERS
                || dump.section(DumpFile.SHARED_INFO).isPresent() && sharedInfo().isEmpty()
                || dump.section(DumpFile.PRSTATUS).map(Section::size).orElse(-1L) != vcpuCount() * elementSize()
                || vcpuCount() > MOST_VCPUS) {
            return Optional.empty();
        }
        XenFacts.FileParts parts = new XenFacts.FileParts(
                file.bytes(0, dump.elf().elfClass().headerSize(), "ELF header"),
                file.bytes(dump.elf().sectionHeaderOffset(), dump.sections().size() * stride, "section headers"),
                file.bytes(names.get().offset(), (int) names.get().size(), DumpFile.NAMES),
                file.bytes(noteSection.get().offset(), (int) noteSection.get().size(), DumpFile.NOTES),
                mappedRegisters(),
                pageSize());
        return FileFrame.parse(parts).isPresent() ? Optional.of(parts) : Optional.empty();
    }

    // --- findings ---

    private void lookAtSections() {
        if (!dump.isNamed()) {
            findings.add(Finding.damage("at offset 0x" + Long.toHexString(dump.elf().sectionHeaderOffset())
                    + ": the string table, the last thing written, is not in the file of " + file.size()
                    + " bytes: the dump was not finished; sections are told apart by order, size and type"));
        }
        for (Section section : dump.sections()) {
            boolean first = dump.section(section.name()).orElseThrow().equals(section);
            if (!first && !section.name().isEmpty()) {
                findings.add(Finding.omitted("section " + section.index() + " is a second " + section.name()
                        + " and is not read"));
            }
            if (!section.name().isEmpty()
                    && !DumpFile.KNOWN.contains(section.name())
                    && !section.name().equals(DumpFile.KEEP)) {
                findings.add(Finding.omitted("section " + section.index() + " '" + section.name()
                        + "' is none of the format's and is not read"));
            }
            boolean reported = section.name().equals(DumpFile.NAMES) && !dump.isNamed();
            if (first && section.header().type() != Elf.SHT_NULL && !section.isWhole(file) && !reported) {
                findings.add(Finding.damage("at offset 0x" + Long.toHexString(section.offset()) + ": " + label(section)
                        + ": expected " + Long.toUnsignedString(section.size()) + " bytes, found "
                        + section.stored(file) + " before the end of the file" + consequence(section)));
            }
        }
        if (dump.section(DumpFile.P2M).isPresent() && dump.section(DumpFile.PFN).isPresent()) {
            findings.add(Finding.damage(
                    "expected one frame table, found both .xen_p2m and .xen_pfn; .xen_p2m is used"));
        }
        if (dump.section(DumpFile.PAGES).isEmpty()) {
            findings.add(Finding.damage("section .xen_pages: expected one, found none; there is no memory"));
        } else if (dump.table().isEmpty()) {
            findings.add(Finding.damage("frame table .xen_p2m or .xen_pfn: expected one, found none; "
                    + storedPages() + " pages are there without addresses"));
        }
        Optional<Section> shared = dump.section(DumpFile.SHARED_INFO);
        if (shared.isPresent() && shared.get().size() != pageSize()) {
            findings.add(Finding.damage("at offset 0x" + Long.toHexString(shared.get().headerOffset())
                    + ": .xen_shared_info: expected one page of " + pageSize() + " bytes, found "
                    + Long.toUnsignedString(shared.get().size()) + "; no more than a page is read"));
        }
        checkTail();
    }

    /**
     * What is wrong with where the sections lie. Xen writes them one behind the other; before the pages, and behind the
     * frame table of a dump that has it first, it leaves zeros up to the next page.
     */
    List<Finding> places() {
        List<Section> byOffset = dump.sections().stream()
                .filter(section -> section.header().type() != Elf.SHT_NULL && section.size() > 0
                        && section.isWhole(file))
                .sorted(Comparator.comparingLong(Section::offset))
                .toList();
        List<Finding> wrong = new ArrayList<>();
        long end = dump.elf().sectionHeaderOffset() + (long) dump.sections().size() * dump.elf().sectionHeaderSize();
        String before = "the section headers";
        for (Section section : byOffset) {
            long gap = section.offset() - end;
            if (gap < 0) {
                wrong.add(Finding.damage("at offset 0x" + Long.toHexString(section.offset()) + ": " + label(section)
                        + ": begins within " + before + ", which ends at 0x" + Long.toHexString(end)
                        + "; one of the two has the wrong place, and its content is wrong"));
            } else if (gap > 0 && !isPadding(end, gap, section.offset())) {
                boolean zero = gap <= MOST_GAP && isZero(end, gap);
                String message =
                        "at offset 0x" + Long.toHexString(end) + ": a gap of " + gap + " bytes between " + before
                                + " and " + label(section) + ", which Xen never leaves";
                wrong.add(zero
                        ? Finding.note(message)
                        : Finding.damage(message + "; nothing refers to what lies there, and the content of "
                                + label(section) + " may be shifted"));
            }
            if (section.end() > end) {
                end = section.end();
                before = label(section);
            }
        }
        return wrong;
    }

    private boolean isPadding(long offset, long size, long next) {
        return next % pageSize() == 0 && size < pageSize() && isZero(offset, size);
    }

    private boolean isZero(long offset, long size) {
        int length = (int) size;
        return Arrays.mismatch(file.bytes(offset, length, "bytes between sections"), new byte[length]) < 0;
    }

    private static String label(Section section) {
        return section.name().isEmpty() ? "section " + section.index() : section.name();
    }

    private String consequence(Section section) {
        return switch (section.name()) {
            case DumpFile.PAGES -> "; " + (pageCount() - storedPages()) + " of " + pageCount() + " pages are missing";
            case DumpFile.P2M, DumpFile.PFN -> section.stored(file) / tableEntry() == 0
                    ? "; " + storedPages() + " pages are there without addresses, so there is no memory"
                    : "; the pages after entry " + section.stored(file) / tableEntry() + " have no addresses";
            case DumpFile.PRSTATUS -> "; vCPUs are missing";
            case DumpFile.SHARED_INFO -> "; it is lost";
            default -> "";
        };
    }

    private void checkTail() {
        long end = dump.sections().stream()
                .filter(section -> section.isWhole(file))
                .max(Comparator.comparingLong(Section::end))
                .map(Section::end)
                .orElse(file.size());
        if (dump.isNamed() && end < file.size()) {
            findings.add(Finding.note("at offset 0x" + Long.toHexString(end) + ": " + (file.size() - end)
                    + " bytes after the last section belong to nothing (tools before Xen 3.4 did not cut off an"
                    + " older file)"));
        }
    }

    private void lookAtNotes() {
        if (notes.isEmpty()) {
            findings.add(Finding.damage("section .note.Xen: expected four notes, found none; version and counts are"
                    + " unknown"));
            return;
        }
        XenNotes all = notes.get();
        all.problem().ifPresent(problem -> findings.add(Finding.damage(problem)));
        if (all.header().isEmpty()) {
            findings.add(Finding.damage("note HEADER of .note.Xen: expected one of 32 bytes, found none; counts are"
                    + " taken from the sections"));
        } else {
            lookAtHeader(all.header().get());
        }
        if (all.version().isEmpty()) {
            findings.add(Finding.note("note XEN_VERSION of .note.Xen: expected one of 1276 or 1280 bytes, found none;"
                    + " the hypervisor's version is unknown"));
        }
        if (all.formatVersion().isEmpty()) {
            findings.add(Finding.note("note FORMAT_VERSION of .note.Xen: expected one, found none; 0.1 is assumed"));
        }
    }

    private void lookAtHeader(XenNotes.Header header) {
        String at = "at offset 0x" + Long.toHexString(header.offset()) + ": ";
        if (header.magic() != XenNotes.MAGIC_PV && header.magic() != XenNotes.MAGIC_HVM) {
            findings.add(Finding.damage(at + "xch_magic: expected 0xf00febed or 0xf00febee, found 0x"
                    + Long.toHexString(header.magic()) + "; the frame table tells what kind of guest it is"));
        } else if (isX86() && dump.table().isPresent() && (magic() == XenNotes.MAGIC_PV) != isParavirtualized()) {
            findings.add(Finding.note(at + "xch_magic 0x" + Long.toHexString(magic()) + " does not fit the table "
                    + dump.table().get().name() + "; the table is used"));
        }
        if (!XenNotes.isPageSize(header.pageSize())) {
            findings.add(Finding.damage(at + "xch_page_size: expected 4096 or another page size, found "
                    + Long.toUnsignedString(header.pageSize()) + "; " + pageSize() + " is assumed"));
        }
        compare(at + "xch_nr_vcpus", header.vcpus(), DumpFile.PRSTATUS, declaredVcpus());
        compare(at + "xch_nr_pages", header.pages(), DumpFile.PAGES, pageCount());
        if (Long.compareUnsigned(tableCount(), MOST_PAGES) > 0) {
            findings.add(Finding.damage("expected at most 2^32 entries of the frame table, found "
                    + Long.toUnsignedString(tableCount()) + "; the rest is not read"));
        }
        dump.table().ifPresent(table -> {
            if (tableCount() != pageCount()) {
                findings.add(Finding.damage("at offset 0x" + Long.toHexString(table.headerOffset()) + ": "
                        + table.name() + ": expected " + Long.toUnsignedString(pageCount())
                        + " entries, one a page, found " + Long.toUnsignedString(tableCount())
                        + "; the smaller number is read"));
            }
        });
    }

    /** How many vCPUs the section should have. */
    long declaredVcpus() {
        int size = elementSize();
        return size == 0
                ? 0
                : Long.divideUnsigned(dump.section(DumpFile.PRSTATUS).map(Section::size).orElse(0L), size);
    }

    private void compare(String field, long noted, String section, long counted) {
        if (noted != counted && dump.section(section).isPresent()) {
            findings.add(Finding.damage(field + ": expected " + Long.toUnsignedString(counted) + " as in " + section
                    + ", found " + Long.toUnsignedString(noted) + "; the section is used"));
        }
    }

    private void lookAtFrames(FrameIndex index) {
        if (index.firstDescent() >= 0) {
            findings.add(Finding.note("entry " + index.firstDescent() + " of the frame table is lower than the one"
                    + " before it (so were dumps before 9 March 2007); crash needs them ascending"));
        }
        if (index.invalidInside()) {
            findings.add(Finding.omitted("entry " + index.firstInvalid()
                    + " of the frame table is invalid though valid ones follow; it is left out"));
        }
        if (index.duplicates() > 0) {
            findings.add(Finding.damage(entries(index.duplicates(), index.firstDuplicate())
                    + " a frame that has an earlier entry; the first is used"));
        }
        if (index.outOfRange() > 0) {
            findings.add(Finding.damage(entries(index.outOfRange(), index.firstOutOfRange())
                    + " a frame beyond 64-bit addresses; "
                    + (index.outOfRange() == 1 ? "its page is left out" : "their pages are left out")));
        }
        lookAtOutliers();
    }

    private static String entries(long count, long first) {
        return count == 1
                ? "entry " + first + " of the frame table names"
                : Amounts.count(count) + " entries of the frame table, the first of them entry " + first + ", name";
    }

    /** Single entries that are damaged, and machine frames that two entries name. */
    private void lookAtOutliers() {
        FrameTable table = frameTable();
        FrameOutliers outliers = FrameOutliers.of(table, Long.numberOfTrailingZeros(pageSize()));
        if (outliers.strangers() > 0) {
            findings.add(Finding.damage(entries(outliers.strangers(), outliers.firstStranger())
                    + " a frame that is not between those of the neighbouring entries: expected 0x"
                    + Long.toHexString(outliers.expected()) + ", found 0x" + Long.toHexString(outliers.found())
                    + "; the table is damaged, and memory is shown at wrong addresses"));
        }
        if (outliers.beyond() > 0) {
            findings.add(Finding.damage(entries(outliers.beyond(), outliers.firstBeyond())
                    + " a machine frame beyond 2^52 bytes, which no processor addresses"));
        }
        if (table.hasMachineFrames() && table.size() <= MOST_AT_OPENING) {
            try (Arena scratch = Arena.ofConfined()) {
                FrameIndex machine = frameIndex(true, scratch);
                if (machine.duplicates() > 0) {
                    findings.add(Finding.damage(entries(machine.duplicates(), machine.firstDuplicate())
                            + " a machine frame that has another entry; the first is used"));
                }
            }
        }
    }
}
