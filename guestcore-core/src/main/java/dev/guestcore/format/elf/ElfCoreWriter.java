package dev.guestcore.format.elf;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.arch.x86.X86Mode;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.ElfMachine;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.file.CoreSink;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.Loss;
import dev.guestcore.format.MemoryPlace;
import dev.guestcore.format.WritePlan;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.elf.CoreNotes;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.elf.ElfClass;
import dev.guestcore.internal.elf.ElfHeader;
import dev.guestcore.internal.elf.NoteList;
import dev.guestcore.internal.elf.ProgramHeader;
import dev.guestcore.internal.elf.SectionHeader;
import dev.guestcore.internal.keep.KeepRecord;
import dev.guestcore.internal.kernel.KernelImage;
import dev.guestcore.internal.kernel.LinuxMemory;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.internal.writer.CommonLosses;
import dev.guestcore.internal.writer.ContentMap;
import dev.guestcore.internal.writer.MemoryCopier;
import dev.guestcore.internal.writer.NamedProcessor;
import dev.guestcore.kernel.VmcoreInfo;
import dev.guestcore.kernel.VmcoreInfoChoice;
import dev.guestcore.kernel.VmcoreInfoMaker;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Writes the ELF core that all readers take: header, program headers at 64 with PT_NOTE first, notes, memory from a page
 * boundary on; no section headers, unless more than 65534 program headers need one to say how many they are.
 *
 * <pre>
 *  0                 ELF header, 64 bytes
 *  64                program headers, 56 bytes each: PT_NOTE, then PT_LOAD by ascending physical address; the kernel's
 *                    image has one of its own with the virtual address, if VMCOREINFO names it
 *  behind them       with PN_XNUM only: section header 0
 *  behind that       notes, then zeros up to a multiple of 4096
 *  behind that       the stored part of each segment, without gaps
 * </pre>
 *
 * <p>Where nobody has noted VMCOREINFO it is looked for in memory as that passes, and what stands before memory is written
 * last: there is room for the longest, and what is left of it is zero. Memory is searched before only for a
 * pipe, and where a record of our own follows the notes.
 *
 * <p>Immutable and thread-safe; the {@code with} methods return a changed copy.
 */
public final class ElfCoreWriter implements CoreWriter {

    private static final long PAGE = Architecture.SMALLEST_PAGE;

    private static final long CR0_PG = 1L << 31;

    /** The kernel has a page for it (VMCOREINFO_BYTES), of 4 KiB on most machines. */
    private static final int LONGEST_VMCOREINFO = 2 * (int) PAGE;

    /** Headers that the kernel's image takes at most: one of its own, and one more for what lies behind it. */
    private static final long IMAGE_HEADERS = 2;

    private final Optional<ElfMachine> machine;
    private final boolean keep;
    private final boolean makes;

    private ElfCoreWriter(Optional<ElfMachine> machine, boolean keep, boolean makes) {
        this.machine = machine;
        this.keep = keep;
        this.makes = makes;
    }

    /** A core that names the guest's own processor; of an x86 guest, as its first vCPU runs: x86-64 or 386. */
    public static ElfCoreWriter standard() {
        return new ElfCoreWriter(Optional.empty(), false, true);
    }

    /** The same that names another processor (e_machine). */
    public ElfCoreWriter withMachine(ElfMachine other) {
        return new ElfCoreWriter(Optional.of(other), keep, makes);
    }

    /** Adds what the format cannot carry in a note of Guestcore's own, for conversion back. Other readers skip it. */
    public ElfCoreWriter withKeep() {
        return new ElfCoreWriter(machine, true, makes);
    }

    /** The same without a VMCOREINFO note that Guestcore makes itself where the guest's memory holds none. */
    public ElfCoreWriter withoutMadeVmcoreInfo() {
        return new ElfCoreWriter(machine, keep, false);
    }

    @Override
    public WritePlan plan(Guest guest) {
        ContentMap content = ContentMap.of(guest.memory());
        Extents segments = segments(content);
        if (segments.count() == 0) {
            throw new UnsupportedRequestException(
                    "this guest has no memory, and no program opens an ELF core without memory; nothing is written");
        }
        int chosen = machineOf(guest);
        Optional<ElfFacts> facts = guest.facts(ElfFacts.class);
        ByteOrder order = facts.map(ElfFacts::order)
                .or(() -> Architectures.ofElf(chosen, Long.SIZE).byteOrder())
                .orElse(guest.memory().byteOrder());
        List<ElfFacts.Note> others = facts.map(ElfFacts::notes).orElse(List.of());
        Optional<KeepRecord> record = keep ? Optional.of(KeepRecord.of(guest)) : Optional.empty();
        Optional<byte[]> vmcoreInfo = guest.facts(VmcoreInfoFacts.class).map(VmcoreInfoFacts::vmcoreInfo);
        Optional<VmcoreInfoChoice> search = Optional.empty();
        Notes wanted = new Notes(guest, chosen, machine.isEmpty(), order, others, makes);
        boolean isMade = false;
        if (record.isPresent() && vmcoreInfo.isEmpty()) {
            // The record comes behind the other notes, and may be long.
            search = VmcoreInfoChoice.search(guest, LONGEST_VMCOREINFO, Progress.none());
            vmcoreInfo = search.map(found -> found.chosen().bytes());
            if (vmcoreInfo.isEmpty()) {
                vmcoreInfo = wanted.made(Progress.none());
                isMade = vmcoreInfo.isPresent();
            }
        }
        boolean isOpen = record.isEmpty() && vmcoreInfo.isEmpty();
        if (isNarrow(guest, chosen) && segments.last(segments.count() - 1) >>> Integer.SIZE == 0) {
            Plan narrow = new Plan(guest, ElfClass.ELF32, content, segments, wanted, vmcoreInfo, isMade, isOpen, search,
                    record);
            if (narrow.size() >>> Integer.SIZE == 0) {
                return narrow;
            }
        }
        return new Plan(guest, ElfClass.ELF64, content, segments, wanted, vmcoreInfo, isMade, isOpen, search, record);
    }

    /** What the notes will be made of, but for VMCOREINFO. */
    private record Notes(
            Guest guest, int machine, boolean isByGuest, ByteOrder order, List<ElfFacts.Note> others, boolean makes) {

        /** Whether VMCOREINFO of this processor tells where the kernel's image is mapped. */
        boolean mayHaveImage() {
            return machine == Elf.EM_X86_64 || machine == Elf.EM_AARCH64;
        }

        /** VMCOREINFO for a guest whose memory holds none. */
        Optional<byte[]> made(Progress progress) {
            return makes ? VmcoreInfoMaker.makeFor(guest, LONGEST_VMCOREINFO, progress) : Optional.empty();
        }

        /** A Xen PV guest's page tables hold machine addresses, so they do not show where its own memory is mapped. */
        VirtualAddresses virtualAddresses(Optional<byte[]> vmcoreInfo) {
            if (guest.machineMemory().isPresent() || machine != Elf.EM_X86_64 && machine != Elf.EM_386) {
                return VirtualAddresses.physical();
            }
            OptionalLong directMap = machine == Elf.EM_X86_64
                    ? vmcoreInfo
                            .flatMap(text -> LinuxMemory.of(guest.memory(), text))
                            .map(LinuxMemory::directMap)
                            .orElse(OptionalLong.empty())
                    : OptionalLong.empty();
            return directMap.isPresent()
                    ? VirtualAddresses.directMap(directMap.getAsLong())
                    : VirtualAddresses.seen(guest);
        }

        NoteList with(Optional<byte[]> vmcoreInfo) {
            return CoreNotes.write(guest, machine, order, vmcoreInfo, others);
        }
    }

    /**
     * What stands before memory.
     *
     * @param segments as {@link #segments} gives them, and the kernel's image as one of its own
     * @param addresses virtual ones of all memory but the image
     * @param notes all but the record of our own
     */
    private record Head(Extents segments, Optional<KernelImage> image, VirtualAddresses addresses, NoteList notes) {

        static Head of(Notes notes, Extents segments, Optional<byte[]> vmcoreInfo) {
            Optional<KernelImage> image = notes.mayHaveImage()
                    ? vmcoreInfo.flatMap(KernelImage::of).filter(found -> isStored(found.range(), segments))
                    : Optional.empty();
            Extents laidOut = image.map(found -> split(segments, found.range())).orElse(segments);
            return new Head(laidOut, image, notes.virtualAddresses(vmcoreInfo), notes.with(vmcoreInfo));
        }

        long headerCount() {
            return segments.count() + 1;
        }

        boolean isLarge() {
            return headerCount() >= Elf.PN_XNUM;
        }

    }

    /** Behind the program headers. */
    private static long headersEnd(ElfClass elfClass, long headerCount) {
        return elfClass.headerSize() + headerCount * elfClass.programHeaderSize();
    }

    /** Stored ranges, each with the pages behind it that are not; beside a range, how many of its bytes are stored. */
    private static Extents segments(ContentMap content) {
        Extents.Builder segments = new Extents.Builder(Arena.ofAuto());
        long first = 0;
        long stored = 0;
        boolean open = false;
        for (long i = 0; i < content.count(); i++) {
            PageState state = content.state(i);
            boolean continues = open && content.continues(i) && state != PageState.ABSENT;
            boolean joins = continues && (!state.isReadable() || stored == content.first(i) - first);
            if (open && !joins) {
                segments.add(first, content.last(i - 1), stored);
                open = false;
            }
            if (state == PageState.ABSENT) {
                continue;
            }
            if (!open) {
                first = content.first(i);
                stored = 0;
                open = true;
            }
            if (state.isReadable()) {
                stored = content.last(i) - first + 1;
            }
        }
        if (open) {
            segments.add(first, content.last(content.count() - 1), stored);
        }
        return segments.build();
    }

    private static boolean isStored(AddressRange range, Extents segments) {
        long index = segments.floor(range.first());
        return segments.contains(index, range.last()) && range.last() - segments.first(index) < segments.value(index);
    }

    /** The same segments, but the one around a stored range cut in up to three, so that the range is one of its own. */
    private static Extents split(Extents segments, AddressRange range) {
        Extents.Builder cut = new Extents.Builder(Arena.ofAuto());
        for (long i = 0; i < segments.count(); i++) {
            long first = segments.first(i);
            long last = segments.last(i);
            long stored = segments.value(i);
            if (Long.compareUnsigned(first, range.first()) <= 0 && Long.compareUnsigned(range.last(), last) <= 0) {
                if (first != range.first()) {
                    cut.add(first, range.first() - 1, range.first() - first);
                }
                cut.add(range.first(), range.last(), range.size());
                if (last != range.last()) {
                    cut.add(range.last() + 1, last, stored - (range.last() + 1 - first));
                }
            } else {
                cut.add(first, last, stored);
            }
        }
        return cut.build();
    }

    private int machineOf(Guest guest) {
        Optional<Integer> own = guest.facts(ElfFacts.class).map(ElfFacts::machine).filter(code -> code != 0);
        Architecture family = NamedProcessor.of(guest);
        if (machine.isPresent()) {
            int wanted = machine.get().code();
            boolean isOfFamily = guest.architecture() == Architecture.UNKNOWN
                    || family.machines().contains(machine.get());
            if (!isOfFamily || family != Architectures.X86 && own.isPresent() && own.get() != wanted) {
                throw new UnsupportedRequestException("this guest is " + (family == Architectures.X86
                        ? family.title()
                        : own.flatMap(Architectures::machine).map(ElfMachine::label).orElse(family.title()))
                        + ", and a core of it that says " + machine.get().label()
                        + " would show wrong registers; write without the option machine");
            }
            return wanted;
        }
        if (family == Architectures.X86) {
            return machineByMode(guest, own);
        }
        return own.or(() -> family.machines().stream().map(ElfMachine::code).findFirst())
                .orElseThrow(
                        () -> new UnsupportedRequestException("this guest's processor is not known, and an ELF core"
                                + " must name it; say which it is by the option machine: "
                                + String.join("|", ElfCoreFormat.MACHINES)));
    }

    /** A core is of the class of the dump that it comes from, as its readers expect registers by class and machine. */
    private static boolean isNarrow(Guest guest, int machine) {
        int bits = guest.facts(ElfFacts.class)
                .map(ElfFacts::addressBits)
                .orElse(guest.architecture().addressBits().orElse(Long.SIZE));
        return bits == Integer.SIZE && machine != Elf.EM_X86_64;
    }

    private static boolean isX86(int machine) {
        return machine == Elf.EM_X86_64 || machine == Elf.EM_386;
    }

    /**
     * What a vCPU needs that runs 64-bit code, since the notes of a 386 cannot hold its instruction pointer. Else as the
     * source has it, or as QEMU decides it: by whether the first vCPU is in long mode. What is not known counts as long mode.
     */
    private static int machineByMode(Guest guest, Optional<Integer> stated) {
        if (guest.vcpus().stream().anyMatch(vcpu -> vcpu.registers().getOrElse(X86.RIP, 0) >>> Integer.SIZE != 0)) {
            return Elf.EM_X86_64;
        }
        return stated.filter(ElfCoreWriter::isX86).orElseGet(() -> {
            if (guest.vcpus().isEmpty()) {
                return Elf.EM_X86_64;
            }
            Vcpu first = guest.vcpus().getFirst();
            // Without paging, EFER and attributes of CS it may be a 64-bit processor that is starting, and 64-bit notes hold all it has.
            RegisterState registers = first.registers();
            boolean isTold = registers.knows(X86.EFER) || registers.knows(X86.CS_ATTRIBUTES);
            if (!isTold && (registers.getOrElse(X86.CR0, 0) & CR0_PG) == 0) {
                return Elf.EM_X86_64;
            }
            X86Mode mode = X86Mode.of(first, guest.vcpus());
            return mode.width() == X86Mode.Width.LEGACY ? Elf.EM_386 : Elf.EM_X86_64;
        });
    }

    /** A core laid out. */
    private static final class Plan implements WritePlan {

        private static final int BUFFER = 1 << 16;

        private final Guest guest;
        private final ElfClass elfClass;
        private final ContentMap content;
        private final Extents segments;
        private final Notes notes;
        private final Optional<byte[]> vmcoreInfo;

        /** Whether VMCOREINFO is still to be found. */
        private final boolean isOpen;

        /** What was found in memory, as soon as it is. */
        private Optional<VmcoreInfoChoice> search;

        /** What was made, as soon as nothing was found. */
        private Optional<byte[]> made = Optional.empty();

        private boolean isMade;
        private final Optional<KeepRecord> keep;
        private final byte[] keepHeader;
        private final long notesOffset;
        private final long memoryOffset;
        private final long size;

        Plan(
                Guest guest,
                ElfClass elfClass,
                ContentMap content,
                Extents segments,
                Notes notes,
                Optional<byte[]> vmcoreInfo,
                boolean isMade,
                boolean isOpen,
                Optional<VmcoreInfoChoice> search,
                Optional<KeepRecord> keep) {
            this.guest = guest;
            this.elfClass = elfClass;
            this.content = content;
            this.segments = segments;
            this.notes = notes;
            this.vmcoreInfo = vmcoreInfo;
            this.isMade = isMade;
            this.isOpen = isOpen;
            this.search = search;
            this.keep = keep;
            this.keepHeader =
                    keep.map(record -> CoreNotes.keepHeader(record.size(), notes.order())).orElse(new byte[0]);
            Optional<byte[]> longest = isOpen ? Optional.of(new byte[LONGEST_VMCOREINFO]) : vmcoreInfo;
            Head most = Head.of(notes, segments, longest);
            long headers = most.headerCount() + (isOpen && notes.mayHaveImage() ? IMAGE_HEADERS : 0);
            this.notesOffset =
                    headersEnd(elfClass, headers) + (headers >= Elf.PN_XNUM ? elfClass.sectionHeaderSize() : 0);
            this.memoryOffset = notesOffset + notesSize(most) + PAGE - 1 & -PAGE;
            long stored = content.bytes(PageState.PRESENT) + content.bytes(PageState.ZERO);
            if (stored < 0 || stored > Long.MAX_VALUE - memoryOffset) {
                throw new UnsupportedRequestException("a file cannot hold this guest's memory of "
                        + Long.toUnsignedString(stored) + " bytes; nothing is written");
            }
            this.size = memoryOffset + stored;
        }

        private long notesSize(Head head) {
            return head.notes().size() + keepHeader.length + keep.map(KeepRecord::size).orElse(0L);
        }

        @Override
        public String layout() {
            return elfClass + (notes.order() == ByteOrder.BIG_ENDIAN ? " big-endian" : "");
        }

        @Override
        public long size() {
            return size;
        }

        @Override
        public List<Loss> losses() {
            List<Loss> losses = new ArrayList<>(CommonLosses.ofRegions(guest.memory()));
            losses.addAll(content.stateLoss(
                    PageState.UNREADABLE, "the file has only 'left out', so they come back as excluded"));
            losses.addAll(content.stateLoss(PageState.ZERO, "they are stored as zeros, and come back as present"));
            losses.addAll(CoreNotes.registerLosses(guest, notes.machine()));
            if (elfClass == ElfClass.ELF64 && isNarrow(guest, notes.machine())) {
                losses.add(new Loss(
                        "ELF class 32-bit",
                        "memory or file beyond 4 GiB take ELF64, in which debuggers may not find the registers of this"
                                + " processor",
                        false));
            }
            losses.addAll(CommonLosses.ofFacts(guest, Set.of(ElfFacts.class, VmcoreInfoFacts.class)));
            losses.addAll(CommonLosses.ofTime(guest));
            List<Loss> doubt = CommonLosses.ofDoubt(search);
            if (keep.isPresent()) {
                losses.replaceAll(loss -> new Loss(loss.what(), loss.why(), true));
            }
            losses.addAll(doubt);
            if (notes.isByGuest()) {
                losses.addAll(NamedProcessor.losses(
                        guest, "an ELF core", "the option machine can name another", search));
            }
            return losses;
        }

        /** A record of our own stands before memory, and may be long. */
        @Override
        public List<MemoryPlace> memoryPlaces() {
            List<MemoryPlace> places = new ArrayList<>();
            long offset = memoryOffset;
            for (long i = 0; keep.isEmpty() && i < segments.count(); i++) {
                if (segments.value(i) != 0) {
                    places.add(new MemoryPlace(AddressRange.ofSize(segments.first(i), segments.value(i)), offset));
                    offset += segments.value(i);
                }
            }
            return places;
        }

        @Override
        public WriteReport write(CoreSink sink, Progress progress) {
            if (isOpen && sink.canPatch()) {
                sink.writeZeros(memoryOffset);
                VmcoreInfo.Collector finds = new VmcoreInfo.Collector(LONGEST_VMCOREINFO);
                MemoryCopier copier = writeMemory(sink, progress, finds);
                search = VmcoreInfoChoice.among(guest, finds.all());
                makeUnlessFound(progress);
                patchHead(sink, Head.of(notes, segments, found()));
                return report(copier);
            }
            if (isOpen) {
                progress.begin("looking for VMCOREINFO", content.bytes(PageState.PRESENT));
                search = VmcoreInfoChoice.search(guest, LONGEST_VMCOREINFO, progress);
                makeUnlessFound(progress);
            }
            writeHead(sink, Head.of(notes, segments, isOpen ? found() : vmcoreInfo));
            return report(writeMemory(sink, progress, null));
        }

        private void makeUnlessFound(Progress progress) {
            if (search.isEmpty()) {
                made = notes.made(progress);
                isMade = made.isPresent();
            }
        }

        private Optional<byte[]> found() {
            return search.map(found -> found.chosen().bytes()).or(() -> made);
        }

        private MemoryCopier writeMemory(CoreSink sink, Progress progress, VmcoreInfo.@Nullable Collector finds) {
            progress.begin("writing memory", size - memoryOffset);
            MemoryCopier copier = new MemoryCopier(guest.memory(), sink, progress, finds);
            for (long i = 0; i < segments.count(); i++) {
                if (segments.value(i) != 0) {
                    copier.copy(AddressRange.ofSize(segments.first(i), segments.value(i)));
                }
            }
            return copier;
        }

        private WriteReport report(MemoryCopier copier) {
            List<AddressRange> unreadable = new ArrayList<>(content.ranges(PageState.UNREADABLE));
            unreadable.addAll(copier.unreadable());
            unreadable.sort(null);
            return new WriteReport(
                    ElfCoreFormat.NAME,
                    layout(),
                    size,
                    copier.memoryBytes(),
                    copier.zeroBytes(),
                    losses(),
                    unreadable.subList(0, Math.min(unreadable.size(), WriteReport.MOST_RANGES)),
                    content.bytes(PageState.UNREADABLE) + copier.unreadableBytes(),
                    isMade ? List.of(VmcoreInfoMaker.NOTE) : List.of());
        }

        private void writeHead(CoreSink sink, Head head) {
            writeHeaders(head, sink::write);
            sink.writeZeros(notesOffset - sink.position());
            head.notes().write(sink::write);
            sink.write(MemorySegment.ofArray(keepHeader));
            keep.ifPresent(record -> record.write(sink));
            sink.writeZeros(memoryOffset - sink.position());
        }

        private void patchHead(CoreSink sink, Head head) {
            long[] at = {0};
            writeHeaders(head, bytes -> {
                sink.patch(at[0], bytes);
                at[0] += bytes.byteSize();
            });
            at[0] = notesOffset;
            head.notes().write(bytes -> {
                sink.patch(at[0], bytes);
                at[0] += bytes.byteSize();
            });
        }

        private void writeHeaders(Head head, Consumer<MemorySegment> output) {
            ByteBuffer buffer = ByteBuffer.allocate(BUFFER).order(notes.order());
            header(head).write(buffer);
            new ProgramHeader(Elf.PT_NOTE, 0, notesOffset, 0, 0, notesSize(head), notesSize(head), 0).write(buffer,
                    elfClass);
            long offset = memoryOffset;
            for (long i = 0; i < head.segments().count(); i++) {
                if (buffer.remaining() < elfClass.programHeaderSize()) {
                    drain(buffer, output);
                }
                long address = head.segments().first(i);
                long stored = head.segments().value(i);
                AddressRange segment = new AddressRange(address, head.segments().last(i));
                long memorySize = segment.size();
                long virtual = head.image()
                        .filter(found -> found.range().first() == address)
                        .map(KernelImage::virtualFirst)
                        .orElseGet(() -> head.addresses().of(segment));
                new ProgramHeader(Elf.PT_LOAD, 0, offset, virtual, address, stored, memorySize, 0)
                        .write(buffer, elfClass);
                offset += stored;
            }
            drain(buffer, output);
            if (head.isLarge()) {
                new SectionHeader(0, Elf.SHT_NULL, 0, 0, 0, 0, 0, head.headerCount(), 0, 0)
                        .write(buffer, elfClass);
                drain(buffer, output);
            }
        }

        private ElfHeader header(Head head) {
            return new ElfHeader(
                    elfClass,
                    notes.order(),
                    1,
                    0,
                    0,
                    Elf.ET_CORE,
                    notes.machine(),
                    1,
                    0,
                    elfClass.headerSize(),
                    head.isLarge() ? headersEnd(elfClass, head.headerCount()) : 0,
                    flags(),
                    elfClass.headerSize(),
                    elfClass.programHeaderSize(),
                    head.isLarge() ? Elf.PN_XNUM : (int) head.headerCount(),
                    head.isLarge() ? elfClass.sectionHeaderSize() : 0,
                    head.isLarge() ? 1 : 0,
                    0);
        }

        /** e_flags mean something to one machine only. */
        private long flags() {
            return guest.facts(ElfFacts.class)
                    .filter(facts -> facts.machine() == notes.machine())
                    .map(ElfFacts::flags)
                    .orElse(0L);
        }

        private static void drain(ByteBuffer buffer, Consumer<MemorySegment> output) {
            output.accept(MemorySegment.ofBuffer(buffer.flip()));
            buffer.clear();
        }
    }
}
