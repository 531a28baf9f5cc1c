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
import dev.guestcore.internal.xen.ContextLayout;
import dev.guestcore.internal.xen.VcpuContext;
import dev.guestcore.report.Severity;
import java.lang.foreign.Arena;
import java.nio.ByteOrder;
import java.util.ArrayList;
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
    static final long MOST_PAGES = 1L << 32;
    /** Bytes of vcpu_guest_context of Arm. */
    private static final int ARM_ELEMENT = 352;
    /** No version's structure comes near this size. */
    private static final int LARGEST_ELEMENT = 64 << 10;
    private static final int LARGEST_SMALL_SECTION = 64 << 10;
    private static final int LARGEST_MAPPED_REGISTERS = 16 << 20;
    private static final int IA64_SLOT = 16384;

    private final DumpFile dump;
    private final FileBytes file;
    private final List<Finding> findings = new ArrayList<>();
    private final DumpFindings judge;
    private final Optional<XenNotes> notes;

    DumpReader(DumpFile dump) {
        this.dump = dump;
        this.file = dump.file();
        this.notes = dump.section(DumpFile.NOTES)
                .filter(section -> section.stored(file) > 0)
                .map(section -> XenNotes.read(file, dump.elf().order(), section.offset(), section.stored(file)));
        this.judge = new DumpFindings(this, dump, findings);
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
        judge.lookAtSections();
        judge.lookAtNotes();
        findings.addAll(judge.places());
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
        judge.lookAtFrames(index);
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
    long storedPages() {
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

    /** How many vCPUs the section should have. */
    long declaredVcpus() {
        int size = elementSize();
        return size == 0
                ? 0
                : Long.divideUnsigned(dump.section(DumpFile.PRSTATUS).map(Section::size).orElse(0L), size);
    }

    /** What is wrong with where the sections lie. */
    List<Finding> places() {
        return judge.places();
    }
}
