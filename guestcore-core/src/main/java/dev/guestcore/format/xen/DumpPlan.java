package dev.guestcore.format.xen;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.RawContext;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.facts.XenFacts;
import dev.guestcore.file.CoreSink;
import dev.guestcore.format.Loss;
import dev.guestcore.format.MemoryPlace;
import dev.guestcore.format.WritePlan;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.elf.ElfClass;
import dev.guestcore.internal.elf.ElfHeader;
import dev.guestcore.internal.elf.SectionHeader;
import dev.guestcore.internal.keep.KeepRecord;
import dev.guestcore.internal.writer.ImpliedRegisters;
import dev.guestcore.internal.writer.MemoryCopier;
import dev.guestcore.internal.xen.ContextLayout;
import dev.guestcore.internal.xen.VcpuContext;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.function.Supplier;

/** A dump-core laid out: blocks by offset, zeros between them. */
final class DumpPlan implements WritePlan {

    private static final String KIND_PREFIX = "xen.vcpu_guest_context.";
    private static final long MOST_PAGES = 1L << 32;

    private final String layout;
    private final Guest guest;
    private final List<Block> blocks;
    private final long memoryBytes;
    private final List<Loss> losses;
    private final Supplier<List<MemoryPlace>> places;

    private DumpPlan(
            String layout,
            Guest guest,
            List<Block> blocks,
            long memoryBytes,
            List<Loss> losses,
            Supplier<List<MemoryPlace>> places) {
        this.layout = layout;
        this.guest = guest;
        this.blocks = List.copyOf(blocks);
        this.memoryBytes = memoryBytes;
        this.losses = List.copyOf(losses);
        this.places = places;
    }

    /** Writes one part of the file. */
    @FunctionalInterface
    private interface Content {
        void write(CoreSink sink, MemoryCopier copier, Progress progress);
    }

    /** A part of the file. */
    private record Block(long offset, long size, Content content) {

        static Block of(long offset, byte[] bytes) {
            Content content = (sink, copier, progress) -> sink.write(MemorySegment.ofArray(bytes));
            return new Block(offset, bytes.length, content);
        }
    }

    /** A section of a file that is laid out anew. */
    private record NewSection(String name, int type, long size, long alignment, long entrySize, Content content) {

        static NewSection of(String name, int type, long alignment, long entrySize, byte[] bytes) {
            Content content = (sink, copier, progress) -> sink.write(MemorySegment.ofArray(bytes));
            return new NewSection(name, type, bytes.length, alignment, entrySize, content);
        }
    }

    static DumpPlan of(Guest guest, XenDumpCoreWriter.Flavour flavour, boolean keeps) {
        if (guest.vcpus().isEmpty()) {
            throw new UnsupportedRequestException("a Xen dump-core needs at least one vCPU, and this guest has none"
                    + " (Xen itself refuses to dump it); choose another format, or give it a vCPU");
        }
        Optional<XenFacts> facts = guest.facts(XenFacts.class);
        if (flavour == XenDumpCoreWriter.Flavour.SOURCE && facts.isPresent()) {
            Optional<DumpPlan> same = asItWas(guest, facts.get());
            if (same.isPresent() && (!keeps || same.get().losses().isEmpty())) {
                return same.get();
            }
        }
        boolean machineFrames =
                facts.flatMap(XenFacts::frames).filter(FrameTable::hasMachineFrames).isPresent();
        if (flavour == XenDumpCoreWriter.Flavour.PV && !machineFrames) {
            throw new UnsupportedRequestException("a PV dump-core needs the machine frame of every page, and this"
                    + " source does not tell them; write flavour hvm instead");
        }
        boolean pv = switch (flavour) {
            case PV -> true;
            case HVM -> false;
            case SOURCE -> machineFrames && facts.orElseThrow().paravirtualized();
        };
        return anew(guest, pv, facts, keeps);
    }

    // --- as it was ---

    private static Optional<DumpPlan> asItWas(Guest guest, XenFacts facts) {
        if (facts.fileParts().isEmpty() || facts.frames().isEmpty()) {
            return Optional.empty();
        }
        XenFacts.FileParts parts = facts.fileParts().get();
        FrameTable frames = facts.frames().get();
        Optional<FileFrame> parsed = FileFrame.parse(parts);
        if (parsed.isEmpty()) {
            return Optional.empty();
        }
        FileFrame frame = parsed.get();
        int pageShift = Long.numberOfTrailingZeros(parts.pageSize());
        String table = frames.hasMachineFrames() ? DumpFile.P2M : DumpFile.PFN;
        int entry = frames.hasMachineFrames() ? FileFrameTable.P2M_ENTRY : FileFrameTable.PFN_ENTRY;
        List<byte[]> contexts = new ArrayList<>();
        long element = frame.part(DumpFile.PRSTATUS).map(FileFrame.Part::entrySize).orElse(0L);
        for (Vcpu vcpu : guest.vcpus()) {
            xenContext(vcpu).filter(raw -> raw.bytes().length == element)
                    .ifPresent(raw -> contexts.add(rewritten(vcpu, raw, facts.paravirtualized())));
        }
        boolean fits = contexts.size() == guest.vcpus().size()
                && hasSize(frame, DumpFile.PRSTATUS, contexts.size() * element)
                && hasSize(frame, table, frames.size() * entry)
                && hasSize(frame, DumpFile.PAGES, frames.size() << pageShift)
                && hasSize(frame, DumpFile.NAMES, parts.names().length)
                && hasSize(frame, DumpFile.NOTES, parts.notes().length)
                && hasSizeOrIsAbsent(frame, DumpFile.SHARED_INFO, facts.sharedInfo().orElse(new byte[0]))
                && hasSizeOrIsAbsent(frame, DumpFile.MAPPED_REGISTERS, parts.mappedRegisters());
        if (!fits) {
            return Optional.empty();
        }
        FrameIndex index = FrameIndex.build(frames, false, pageShift, 0, Arena.ofAuto());
        if (new PageSelection(guest.memory()).missingFrom(index.runs()).bytes() > 0) {
            return Optional.empty();
        }
        List<Block> blocks = new ArrayList<>();
        blocks.add(Block.of(0, parts.elfHeader()));
        for (FileFrame.Part part : frame.parts()) {
            blocks.add(switch (part.name()) {
                case "" -> Block.of(part.offset(), parts.sectionHeaders());
                case DumpFile.NAMES -> Block.of(part.offset(), parts.names());
                case DumpFile.NOTES -> Block.of(part.offset(), parts.notes());
                case DumpFile.PRSTATUS -> Block.of(part.offset(), joined(contexts));
                case DumpFile.SHARED_INFO -> Block.of(part.offset(), facts.sharedInfo().orElseThrow());
                case DumpFile.MAPPED_REGISTERS -> Block.of(part.offset(), parts.mappedRegisters());
                case DumpFile.PAGES -> new Block(
                        part.offset(),
                        part.size(),
                        (sink, copier, progress) -> TablePages.writePages(frames, pageShift, sink, copier, progress));
                default -> new Block(
                        part.offset(),
                        part.size(),
                        (sink, copier, progress) -> TablePages.writeTable(frames, frame.order(), sink));
            });
        }
        List<Loss> losses = Losses.of(guest, vcpu -> xenContext(vcpu).flatMap(DumpPlan::layoutOf), KIND_PREFIX);
        return Optional.of(new DumpPlan(
                (frames.hasMachineFrames() ? "pv" : "hvm") + ", as the source",
                guest,
                blocks,
                frames.size() << pageShift,
                losses,
                List::of));
    }

    private static boolean hasSize(FileFrame frame, String name, long size) {
        return frame.part(name).map(FileFrame.Part::size).orElse(-1L) == size;
    }

    private static boolean hasSizeOrIsAbsent(FileFrame frame, String name, byte[] content) {
        return frame.part(name).map(FileFrame.Part::size).orElse(0L) == content.length;
    }

    private static Optional<RawContext> xenContext(Vcpu vcpu) {
        return vcpu.rawContexts().stream().filter(raw -> raw.kind().startsWith(KIND_PREFIX)).findFirst();
    }

    private static Optional<ContextLayout> layoutOf(RawContext raw) {
        return Arrays.stream(ContextLayout.values())
                .filter(layout -> layout.kind().equals(raw.kind()))
                .findFirst();
    }

    private static byte[] rewritten(Vcpu vcpu, RawContext raw, boolean paravirtualized) {
        Optional<ContextLayout> layout = layoutOf(raw).filter(known -> raw.bytes().length >= 720);
        return layout.map(known -> VcpuContext.encode(
                known, vcpu.registers(), paravirtualized, raw.bytes(), raw.bytes().length))
                .orElse(raw.bytes());
    }

    private static byte[] joined(List<byte[]> parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        parts.forEach(all::writeBytes);
        return all.toByteArray();
    }

    // --- anew ---

    private static DumpPlan anew(Guest guest, boolean pv, Optional<XenFacts> facts, boolean keeps) {
        boolean x86 = guest.architecture() == Architectures.X86;
        boolean samePlace = facts.map(known -> known.paravirtualized() == pv).orElse(true);
        int width = pv ? facts.orElseThrow().guestWidth() : 8;
        ContextLayout contextLayout = width == 4 ? ContextLayout.X86_32 : ContextLayout.X86_64;
        List<byte[]> contexts = new ArrayList<>();
        ImpliedRegisters implied = ImpliedRegisters.of(guest, VcpuContext.alwaysHeld(contextLayout));
        Predicate<Vcpu> isKept = vcpu -> samePlace && keptContext(vcpu, contextLayout).isPresent();
        for (Vcpu vcpu : guest.vcpus()) {
            contexts.add(
                    x86
                            ? newContext(isKept.test(vcpu) ? vcpu : implied.complete(vcpu), contextLayout, pv,
                                    samePlace)
                            : foreignContext(guest, vcpu));
        }
        int element = contexts.getFirst().length;
        if (contexts.stream().anyMatch(context -> context.length != element)) {
            throw new UnsupportedRequestException(
                    "the vCPUs' raw contexts differ in size, which a Xen dump-core cannot hold; choose another format");
        }
        long pageSize = guest.architecture().pageSize();
        int pageShift = Long.numberOfTrailingZeros(pageSize);
        XenFacts.Version version = facts.map(XenFacts::version)
                .filter(known -> known.major() != 0 || !known.capabilities().isEmpty())
                .orElse(XenFacts.Version.ours());
        byte[] sharedInfo = sharedInfo(facts, (int) pageSize);

        PageSelection selection = new PageSelection(guest.memory());
        List<Loss> gone = new ArrayList<>();
        List<Loss> losses = new ArrayList<>();
        long pages;
        Content pageContent;
        Content tableContent;
        if (pv) {
            FrameTable frames = facts.orElseThrow().frames().orElseThrow();
            FrameIndex index = FrameIndex.build(frames, false, pageShift, 0, Arena.ofAuto());
            PageSelection.Missing missing = selection.missingFrom(index.runs());
            if (missing.bytes() > 0) {
                gone.add(new Loss(
                        missing.bytes() + " bytes of memory, the first at " + missing.firstRange(),
                        "the frame table gives no machine frame for them",
                        false));
            }
            pages = index.valid();
            pageContent = (sink, copier, progress) -> TablePages.writePages(index.runs(), sink, copier);
            tableContent = (sink, copier, progress) -> TablePages.writeTable(index.runs(), frames, pageShift, sink);
        } else {
            pages = selection.countPages(pageShift, MOST_PAGES);
            pageContent = (sink, copier, progress) -> selection.writePages(pageShift, sink, copier, progress);
            tableContent = (sink, copier, progress) -> selection.writeTable(pageShift, sink);
        }
        if (pages == 0) {
            throw new UnsupportedRequestException(
                    "a Xen dump-core needs at least one page of memory, and this guest has none");
        }
        if (pages >= MOST_PAGES) {
            throw new UnsupportedRequestException("a Xen dump-core holds less than 2^32 pages of " + pageSize
                    + " bytes, because readers count them in 32 bits; this guest has more; choose another format");
        }
        if (!pv && selection.hasPartialPages(pageShift)) {
            losses.add(new Loss(
                    "where memory begins and ends within a page",
                    "a dump-core has whole pages of " + pageSize + " bytes; the rest of them is zero",
                    false));
        }
        losses.addAll(Losses.of(
                guest,
                vcpu -> x86 ? Optional.of(contextLayout) : Optional.empty(),
                samePlace ? (x86 ? contextLayout.kind() : KIND_PREFIX) : ""));
        losses.addAll(implied.losses(isKept.negate(), "vcpu_guest_context", false));
        if (!pv && facts.flatMap(XenFacts::frames).filter(FrameTable::hasMachineFrames).isPresent()) {
            losses.add(new Loss(
                    "machine frame numbers of the pages",
                    "an HVM dump has page frames only, so the guest's page tables cannot be walked",
                    false));
        }
        if (facts.flatMap(XenFacts::fileParts).filter(old -> old.mappedRegisters().length > 0).isPresent()) {
            losses.add(new Loss("mapped registers of ia64", "they are written only as part of the same file", false));
        }

        XenNotes.Header header = new XenNotes.Header(
                0, pv ? XenNotes.MAGIC_PV : XenNotes.MAGIC_HVM, contexts.size(), pages, pageSize);
        long alignment = guest.architecture() == Architectures.IA64 ? 16 : 8;
        int entry = pv ? FileFrameTable.P2M_ENTRY : FileFrameTable.PFN_ENTRY;
        List<NewSection> sections = new ArrayList<>();
        sections.add(NewSection.of(
                DumpFile.NOTES, Elf.SHT_NOTE, 0, 0, XenNotes.write(header, version, pv && width == 4)));
        sections.add(NewSection.of(DumpFile.PRSTATUS, Elf.SHT_PROGBITS, alignment, element, joined(contexts)));
        sections.add(NewSection.of(DumpFile.SHARED_INFO, Elf.SHT_PROGBITS, 8, pageSize, sharedInfo));
        sections.add(new NewSection(
                DumpFile.PAGES, Elf.SHT_PROGBITS, pages * pageSize, pageSize, pageSize, pageContent));
        sections.add(new NewSection(
                pv ? DumpFile.P2M : DumpFile.PFN, Elf.SHT_PROGBITS, pages * entry, 8, entry, tableContent));
        if (keeps) {
            KeepRecord record = KeepRecord.of(guest);
            sections.add(new NewSection(
                    DumpFile.KEEP,
                    Elf.SHT_PROGBITS,
                    record.size(),
                    8,
                    0,
                    (sink, copier, progress) -> record.write(sink)));
            losses.replaceAll(loss -> new Loss(loss.what(), loss.why(), true));
        }
        losses.addAll(0, gone);
        int machine = machine(guest.architecture(), pv && width == 4);
        List<Block> blocks = layOut(machine, sections);
        // The ELF header comes before the sections.
        long pagesOffset = blocks.get(1 + indexOfPages(sections)).offset();
        return new DumpPlan(
                pv ? "pv" : "hvm",
                guest,
                blocks,
                pages * pageSize,
                losses,
                () -> pv ? List.of() : selection.places(pageShift, pagesOffset));
    }

    private static int indexOfPages(List<NewSection> sections) {
        return sections.stream().map(NewSection::name).toList().indexOf(DumpFile.PAGES);
    }

    private static int machine(Architecture architecture, boolean narrow) {
        if (architecture == Architectures.X86) {
            return narrow ? Elf.EM_386 : Elf.EM_X86_64;
        }
        if (architecture == Architectures.IA64) {
            return Elf.EM_IA_64;
        }
        if (Architectures.ARM.machines().containsAll(architecture.machines()) && !architecture.machines().isEmpty()) {
            return Elf.EM_ARM;
        }
        throw new UnsupportedRequestException(
                "a dump-core of this processor can only be written as it was read, and this one was damaged or changed");
    }

    private static byte[] newContext(Vcpu vcpu, ContextLayout layout, boolean pv, boolean sameFlavour) {
        Optional<byte[]> raw = sameFlavour ? keptContext(vcpu, layout) : Optional.empty();
        byte[] source = raw.map(bytes -> Arrays.copyOf(bytes, ContextLayout.ELEMENT)).orElse(null);
        return VcpuContext.encode(layout, vcpu.registers(), pv, source, ContextLayout.ELEMENT);
    }

    private static Optional<byte[]> keptContext(Vcpu vcpu, ContextLayout layout) {
        return vcpu.rawContext(layout.kind())
                .map(RawContext::bytes)
                .filter(bytes -> bytes.length >= layout.size() && bytes.length <= ContextLayout.ELEMENT);
    }

    private static byte[] foreignContext(Guest guest, Vcpu vcpu) {
        return xenContext(vcpu)
                .map(RawContext::bytes)
                .orElseThrow(() -> new UnsupportedRequestException("vCPU " + vcpu.index() + " is of processor family "
                        + guest.architecture().title()
                        + ", whose registers Guestcore writes into a Xen dump-core only from one"
                        + " that it has read; choose elf, kdump, raw or lime"));
    }

    private static byte[] sharedInfo(Optional<XenFacts> facts, int pageSize) {
        byte[] known = facts.flatMap(XenFacts::sharedInfo).orElse(new byte[0]);
        if (known.length > pageSize) {
            throw new UnsupportedRequestException(
                    "shared_info of a Xen dump-core is one page of " + pageSize + " bytes, found " + known.length
                            + " bytes; shorten it");
        }
        return Arrays.copyOf(known, pageSize);
    }

    /**
     * Puts sections behind one another as Xen does: only those that ask for a page are aligned, and the string table
     * comes last in the file though first among the headers. Names stand in header order, because volatility3 counts on
     * it.
     */
    private static List<Block> layOut(int machine, List<NewSection> sections) {
        ByteArrayOutputStream names = new ByteArrayOutputStream();
        names.write(0);
        putName(names, DumpFile.NAMES);
        int count = sections.size() + 2;
        int headerSize = ElfClass.ELF64.headerSize();
        int stride = ElfClass.ELF64.sectionHeaderSize();
        List<SectionHeader> headers = new ArrayList<>();
        List<Block> blocks = new ArrayList<>();
        long offset = headerSize + (long) count * stride;
        for (NewSection section : sections) {
            if (section.alignment() >= 4096) {
                offset = offset + section.alignment() - 1 & -section.alignment();
            }
            headers.add(new SectionHeader(
                    names.size(),
                    section.type(),
                    0,
                    0,
                    offset,
                    section.size(),
                    0,
                    0,
                    section.alignment(),
                    section.entrySize()));
            putName(names, section.name());
            blocks.add(new Block(offset, section.size(), section.content()));
            offset += section.size();
        }
        byte[] nameTable = names.toByteArray();
        blocks.add(Block.of(offset, nameTable));
        headers.addFirst(new SectionHeader(1, Elf.SHT_STRTAB, 0, 0, offset, nameTable.length, 0, 0, 0, 0));
        headers.addFirst(SectionHeader.none());

        ByteBuffer head = ByteBuffer.allocate(headerSize + count * stride);
        new ElfHeader(
                ElfClass.ELF64,
                ByteOrder.LITTLE_ENDIAN,
                1,
                0,
                1,
                Elf.ET_CORE,
                machine,
                1,
                0,
                0,
                headerSize,
                0,
                headerSize,
                ElfClass.ELF64.programHeaderSize(),
                0,
                stride,
                count,
                1)
                .write(head);
        headers.forEach(header -> header.write(head, ElfClass.ELF64));
        blocks.addFirst(Block.of(0, head.array()));
        return blocks;
    }

    private static void putName(ByteArrayOutputStream names, String name) {
        names.writeBytes(name.getBytes(StandardCharsets.US_ASCII));
        names.write(0);
    }

    // --- writing ---

    @Override
    public String layout() {
        return layout;
    }

    @Override
    public long size() {
        Block last = blocks.getLast();
        return last.offset() + last.size();
    }

    @Override
    public List<Loss> losses() {
        return losses;
    }

    @Override
    public List<MemoryPlace> memoryPlaces() {
        return places.get();
    }

    @Override
    public WriteReport write(CoreSink sink, Progress progress) {
        long start = sink.position();
        MemoryCopier copier = new MemoryCopier(guest.memory(), sink, progress);
        progress.begin("writing memory", memoryBytes);
        for (Block block : blocks) {
            long gap = block.offset() - (sink.position() - start);
            if (gap > 0) {
                sink.writeZeros(gap);
            }
            block.content().write(sink, copier, progress);
            long written = sink.position() - start;
            if (written != block.offset() + block.size()) {
                throw new IllegalStateException(
                        "laid out " + (block.offset() + block.size()) + " bytes, wrote " + written);
            }
        }
        return new WriteReport(
                "xen",
                layout,
                size(),
                copier.memoryBytes(),
                copier.zeroBytes(),
                losses,
                copier.unreadable(),
                copier.unreadableBytes());
    }
}
