package dev.guestcore.format.vbox;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.Architectures;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.VirtualBoxFacts;
import dev.guestcore.file.CoreSink;
import dev.guestcore.format.Loss;
import dev.guestcore.format.MemoryPlace;
import dev.guestcore.format.WritePlan;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.elf.ElfClass;
import dev.guestcore.internal.elf.ElfHeader;
import dev.guestcore.internal.elf.ProgramHeader;
import dev.guestcore.internal.elf.SectionHeader;
import dev.guestcore.internal.keep.KeepRecord;
import dev.guestcore.internal.writer.CommonLosses;
import dev.guestcore.internal.writer.ImpliedRegisters;
import dev.guestcore.internal.writer.MemoryCopier;
import dev.guestcore.internal.writer.NamedProcessor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A VMCore laid out: ELF header, program headers, notes, memory, back to back (docs/formats/vbox-vmcore.md, section 1).
 */
final class VmCorePlan implements WritePlan {

    private static final int BATCH = 1024;

    private final Guest guest;
    private final VmCoreLayout layout;
    private final int elfMachine;
    private final WrittenRanges ranges;
    private final boolean countInSection;
    private final NoteList notes;
    private final Optional<KeepRecord> keep;
    private final List<Loss> losses;
    private final long memorySize;
    private final long size;

    private VmCorePlan(
            Guest guest,
            VmCoreLayout layout,
            int elfMachine,
            WrittenRanges ranges,
            boolean countInSection,
            NoteList notes,
            Optional<KeepRecord> keep,
            List<Loss> losses) {
        this.guest = guest;
        this.layout = layout;
        this.elfMachine = elfMachine;
        this.ranges = ranges;
        this.countInSection = countInSection;
        this.notes = notes;
        this.keep = keep;
        this.losses = losses;
        this.memorySize = memorySize(ranges);
        this.size = checkedSum(memoryOffset(), memorySize);
    }

    static VmCorePlan of(
            Guest guest, Optional<VmCoreLayout> wanted, boolean largePhnum, boolean analystNotes, boolean keeps) {
        if (NamedProcessor.of(guest) != Architectures.X86) {
            throw new UnsupportedRequestException(
                    "a VMCore holds x86 guests only; this one is " + guest.architecture().title()
                            + "; choose elf, kdump, raw or lime");
        }
        if (guest.vcpus().size() > Notes.MOST_VCPUS) {
            throw new UnsupportedRequestException("a VMCore is written with at most " + Notes.MOST_VCPUS
                    + " vCPUs; this guest has " + guest.vcpus().size() + "; choose another format");
        }
        Optional<VirtualBoxFacts> known = guest.facts(VirtualBoxFacts.class);
        VmCoreLayout layout = wanted.orElseGet(() -> known.map(VmCorePlan::layoutOf).orElse(VmCoreLayout.newest()));
        VirtualBoxFacts facts = known.orElseGet(() -> new VirtualBoxFacts(
                layout.defaultVersion(),
                layout.defaultRevision() | VirtualBoxFacts.FOREIGN,
                layout.label(), Elf.EM_X86_64, List.of()));
        WrittenRanges ranges = new WrittenRanges(guest.memory().regions());
        if (ranges.count() > WrittenRanges.MOST && !largePhnum) {
            throw new UnsupportedRequestException("this guest has " + ranges.count() + " memory ranges that cannot be"
                    + " merged, and a VMCore holds " + WrittenRanges.MOST
                    + "; allow a larger number with the option large-phnum, which VirtualBox never writes, or choose another"
                    + " format");
        }
        CpuLayout cpu = CpuLayout.of(layout, facts.version());
        List<byte[]> payloads = new ArrayList<>();
        ImpliedRegisters implied = ImpliedRegisters.of(guest, cpu.registers());
        for (Vcpu vcpu : guest.vcpus()) {
            payloads.add(cpu.encode(cpu.isRewritten(vcpu) ? vcpu : implied.complete(vcpu)));
        }
        Descriptor descriptor = new Descriptor(
                Notes.MAGIC,
                layout.formatVersion(),
                Notes.DESCRIPTOR_SIZE,
                facts.version(),
                facts.revision(),
                guest.vcpus().size());
        NoteList notes = new NoteList(layout, descriptor, payloads, facts, analystNotes);
        if (analystNotes) {
            notes.addAnalystNotes(guest);
        }
        Optional<KeepRecord> keep = keeps ? Optional.of(KeepRecord.of(guest)) : Optional.empty();
        keep.ifPresent(record -> notes.addKeepHeader(record.size()));
        List<Loss> losses = new ArrayList<>(Losses.of(guest, layout, cpu, implied, ranges, descriptor, keeps));
        losses.addAll(CommonLosses.ofDoubt(notes.vmcoreInfo()));
        losses.addAll(NamedProcessor.losses(
                guest, "a VMCore", "an ELF core can name another", notes.vmcoreInfo()));
        return new VmCorePlan(
                guest,
                layout,
                facts.elfMachine(),
                ranges,
                largePhnum && ranges.count() >= WrittenRanges.MOST,
                notes,
                keep,
                List.copyOf(losses));
    }

    private static VmCoreLayout layoutOf(VirtualBoxFacts facts) {
        if (facts.layout().isEmpty()) {
            return VmCoreLayout.newest();
        }
        return VmCoreLayout.ofLabel(facts.layout())
                .orElseThrow(() -> new UnsupportedRequestException("the guest asks for the VMCore layout '"
                        + facts.layout() + "', which does not exist; choose one with the option layout"));
    }

    private static long memorySize(WrittenRanges ranges) {
        long[] sum = {0};
        ranges.visit((range, isDevice) -> {
            if (!isDevice) {
                sum[0] = checkedSum(sum[0], sizeOf(range));
            } else if (range.last() - range.first() == -1L) {
                throw tooLarge();
            }
        });
        return sum[0];
    }

    private static long sizeOf(AddressRange range) {
        try {
            return range.size();
        } catch (ArithmeticException e) {
            throw tooLarge();
        }
    }

    private static long checkedSum(long left, long right) {
        long sum = left + right;
        if (sum < 0) {
            throw tooLarge();
        }
        return sum;
    }

    private static UnsupportedRequestException tooLarge() {
        return new UnsupportedRequestException("the memory of this guest is larger than a file can be (2^63 - 1 bytes);"
                + " write only part of it");
    }

    @Override
    public String layout() {
        return layout.label();
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public List<Loss> losses() {
        return losses;
    }

    private long headerCount() {
        return ranges.count() + 1;
    }

    private long sectionOffset() {
        return ElfClass.ELF64.headerSize() + HeaderTable.ENTRY * headerCount();
    }

    private long noteOffset() {
        return sectionOffset() + (countInSection ? ElfClass.ELF64.sectionHeaderSize() : 0);
    }

    private long memoryOffset() {
        return noteOffset() + notes.size();
    }

    /** Notes for analysts, and a record of our own, depend on what is in memory. */
    @Override
    public List<MemoryPlace> memoryPlaces() {
        List<MemoryPlace> places = new ArrayList<>();
        if (!notes.hasAnalystNotes() && keep.isEmpty()) {
            long[] offset = {memoryOffset()};
            ranges.visit((range, isDevice) -> {
                if (!isDevice) {
                    places.add(new MemoryPlace(range, offset[0]));
                    offset[0] += range.size();
                }
            });
        }
        return places;
    }

    @Override
    public WriteReport write(CoreSink sink, Progress progress) {
        writeElfHeader(sink);
        writeProgramHeaders(sink);
        if (countInSection) {
            writeSectionHeader(sink);
        }
        notes.segments().forEach(sink::write);
        keep.ifPresent(record -> record.write(sink));
        progress.begin("writing memory", memorySize);
        MemoryCopier copier = new MemoryCopier(guest.memory(), sink, progress);
        ranges.visit((range, isDevice) -> {
            if (!isDevice) {
                copier.copy(range);
            }
        });
        return new WriteReport(
                VmCoreFormat.NAME,
                layout.label(),
                size,
                copier.memoryBytes(),
                copier.zeroBytes(),
                losses,
                copier.unreadable(),
                copier.unreadableBytes());
    }

    /** Section 2. */
    private void writeElfHeader(CoreSink sink) {
        ByteBuffer bytes = ByteBuffer.allocate(ElfClass.ELF64.headerSize());
        new ElfHeader(
                ElfClass.ELF64,
                ByteOrder.LITTLE_ENDIAN,
                // VirtualBox never sets EI_VERSION, and tools that know no VirtualBox note refuse that.
                notes.hasAnalystNotes() ? 1 : 0,
                0,
                0,
                Elf.ET_CORE,
                elfMachine,
                1,
                0,
                ElfClass.ELF64.headerSize(),
                countInSection ? sectionOffset() : 0,
                0,
                ElfClass.ELF64.headerSize(),
                ElfClass.ELF64.programHeaderSize(),
                countInSection ? Elf.PN_XNUM : (int) headerCount(),
                ElfClass.ELF64.sectionHeaderSize(),
                countInSection ? 1 : 0,
                0)
                .write(bytes);
        sink.write(MemorySegment.ofArray(bytes.array()));
    }

    /** Section 3. */
    private void writeProgramHeaders(CoreSink sink) {
        ByteBuffer batch = ByteBuffer.allocate(BATCH * HeaderTable.ENTRY).order(ByteOrder.LITTLE_ENDIAN);
        new ProgramHeader(Elf.PT_NOTE, Elf.PF_R, noteOffset(), 0, 0, notes.size(), notes.size(), 0).write(batch);
        long[] offset = {memoryOffset()};
        ranges.visit((range, isDevice) -> {
            if (!batch.hasRemaining()) {
                flush(batch, sink);
            }
            long memorySizeOfRange = range.last() - range.first() + 1;
            long fileSize = isDevice ? 0 : memorySizeOfRange;
            new ProgramHeader(Elf.PT_LOAD, Elf.PF_R, offset[0], 0, range.first(), fileSize, memorySizeOfRange, 0)
                    .write(batch);
            offset[0] += fileSize;
        });
        flush(batch, sink);
    }

    private static void flush(ByteBuffer batch, CoreSink sink) {
        sink.write(MemorySegment.ofArray(batch.array()).asSlice(0, batch.position()));
        batch.clear();
    }

    /** Holds nothing but the number of program headers. */
    private void writeSectionHeader(CoreSink sink) {
        ByteBuffer bytes =
                ByteBuffer.allocate(ElfClass.ELF64.sectionHeaderSize()).order(ByteOrder.LITTLE_ENDIAN);
        new SectionHeader(0, Elf.SHT_NULL, 0, 0, 0, 0, 0, headerCount(), 0, 0).write(bytes, ElfClass.ELF64);
        sink.write(MemorySegment.ofArray(bytes.array()));
    }
}
