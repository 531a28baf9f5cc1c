package dev.guestcore.format.kdump;

import dev.guestcore.AddressRange;
import dev.guestcore.Architecture;
import dev.guestcore.Guest;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.UnsupportedRequestException;
import dev.guestcore.format.CoreSink;
import dev.guestcore.format.Loss;
import dev.guestcore.format.WritePlan;
import dev.guestcore.format.WriteReport;
import dev.guestcore.hypervisor.ElfFacts;
import dev.guestcore.hypervisor.VmcoreInfoFacts;
import dev.guestcore.inspect.VmcoreInfo;
import dev.guestcore.internal.elf.CoreNotes;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.keep.KeepRecord;
import dev.guestcore.internal.memory.Extents;
import dev.guestcore.internal.output.CommonLosses;
import dev.guestcore.internal.output.ContentMap;
import dev.guestcore.internal.output.FlattenedSink;
import dev.guestcore.internal.output.MemoryCopier;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A kdump laid out:
 *
 * <pre>
 * block 0        header
 * block 1 …      sub-header, list of erased data, notes with VMCOREINFO among them
 *                bitmap of pages that exist, bitmap of pages that are stored
 *                room for a descriptor for each page that may be stored
 *                memory beside the bitmaps, Guestcore's own record
 *                one zero page, shared by all; then the pages, compressed one by one
 * </pre>
 */
final class KdumpPlan implements WritePlan {

    private static final int PAGE = 4096;
    private static final int PAGE_SHIFT = 12;
    private static final int DUMP_LEVEL_EXCLUDE_ZERO = 1;
    private static final int SUB_HEADER = 104;
    private static final long MOST_PAGES = 1L << 35;
    private static final long NANOS_PER_MICRO = 1_000;
    private static final KdumpLayout LAYOUT = KdumpLayout.BITS_64;
    private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

    /** Firmware that makedumpfile stumbles over lies in the last 32 MiB below 4 GiB, in a guest with no more than that. */
    private static final long FIRMWARE_FROM = 0xfe000;

    private static final long FIRMWARE_END = 0x100000;
    private static final long USUAL_SECTION_BITS = 27;
    private static final long LARGEST_PATCH = 1 << 20;

    private final Guest guest;
    private final PageCodec codec;
    private final boolean excludeZero;
    private final ContentMap content;
    private final Extents pages;
    private final long pageCount;
    private final long candidates;
    private final Optional<MemorySurvey> survey;
    private final byte[] vmcoreInfo;
    private final byte[] eraseInfo;
    private final byte[] notes;
    private final List<AddressRange> beside;
    private final byte[] besideHeader;
    private final Optional<KeepRecord> record;
    private final long subHeaderBlocks;
    private final long bitmapBlocks;
    private final long bitmapOffset;
    private final long descriptorsOffset;
    private final long besideOffset;
    private final long recordOffset;
    private final long dataOffset;

    KdumpPlan(Guest guest, PageCodec codec, boolean excludeZero, boolean keeps) {
        if (guest.architecture() != Architecture.X86) {
            throw new UnsupportedRequestException("a kdump is written for x86 guests only, and this one is "
                    + guest.architecture() + "; write an ELF core instead (--to elf)");
        }
        this.guest = guest;
        this.codec = codec;
        this.excludeZero = excludeZero;
        this.content = ContentMap.of(guest.memory());
        Extents all = pages(content, Long.MAX_VALUE);
        if (all.count() == 0) {
            throw new UnsupportedRequestException(
                    "this guest has no memory, and a kdump without pages opens nowhere; nothing is written");
        }
        if (all.first(0) < 0 || all.last(all.count() - 1) >= MOST_PAGES) {
            throw new UnsupportedRequestException("this guest has memory above 128 TiB, for which the bitmaps of a kdump"
                    + " would be larger than it; write an ELF core instead (--to elf)");
        }
        Optional<byte[]> noted = guest.facts(VmcoreInfoFacts.class).map(VmcoreInfoFacts::vmcoreInfo);
        this.survey = noted.isPresent() ? Optional.empty() : Optional.of(MemorySurvey.of(guest.memory()));
        this.vmcoreInfo = noted.or(() -> survey.flatMap(MemorySurvey::vmcoreInfo).map(VmcoreInfo::bytes))
                .orElse(new byte[0]);
        long firmware = firmware(all, vmcoreInfo);
        this.pages = firmware < 0 ? all : pages(content, all.first(firmware));
        this.beside = firmware < 0 ? List.of() : readable(content, all.first(firmware) << PAGE_SHIFT);
        this.besideHeader = beside.isEmpty() ? new byte[0] : BesideMemory.header(beside);
        this.pageCount = pages.last(pages.count() - 1) + 1;
        long existing = 0;
        for (long i = 0; i < pages.count(); i++) {
            existing += pages.last(i) - pages.first(i) + 1;
        }
        this.candidates = existing;
        this.record = keeps ? Optional.of(KeepRecord.of(guest)) : Optional.empty();
        List<ElfFacts.Note> foreign =
                guest.facts(ElfFacts.class).map(ElfFacts::notes).orElse(List.of());
        this.eraseInfo = foreign.stream()
                .filter(note -> note.name().equals(KdumpNotes.ERASE_INFO))
                .map(ElfFacts.Note::descriptor)
                .findFirst()
                .orElse(new byte[0]);
        // Notes that name places come out as long as they will be, so that the places can be reckoned.
        byte[] draft = notes(foreign, 0, 0);
        this.subHeaderBlocks = blocks(SUB_HEADER + (long) draft.length + eraseInfo.length);
        this.bitmapBlocks = 2 * blocks((pageCount + Byte.SIZE - 1) / Byte.SIZE);
        this.bitmapOffset = (1 + subHeaderBlocks) * PAGE;
        this.descriptorsOffset = bitmapOffset + bitmapBlocks * PAGE;
        this.besideOffset = descriptorsOffset + candidates * KdumpLayout.DESCRIPTOR;
        this.recordOffset = besideOffset
                + besideHeader.length
                + beside.stream().mapToLong(KdumpPlan::size).sum();
        this.dataOffset = recordOffset + record.map(KeepRecord::size).orElse(0L);
        this.notes = notes(foreign, besideOffset, recordOffset);
    }

    private byte[] notes(List<ElfFacts.Note> foreign, long besideAt, long recordAt) {
        List<ElfFacts.Note> others = new ArrayList<>(foreign);
        others.removeIf(note -> note.name().equals(KdumpNotes.ERASE_INFO) || note.name().equals(KdumpNotes.OWN));
        if (!beside.isEmpty()) {
            others.add(new ElfFacts.Note(
                    KdumpNotes.OWN, BesideMemory.NOTE_TYPE, KdumpNotes.placeNote(besideAt, recordAt - besideAt)));
        }
        record.ifPresent(kept -> others.add(
                new ElfFacts.Note(KdumpNotes.OWN, KdumpNotes.KEEP_TYPE, KdumpNotes.placeNote(recordAt, kept.size()))));
        Optional<byte[]> text = vmcoreInfo.length == 0 ? Optional.empty() : Optional.of(vmcoreInfo);
        return CoreNotes.write(guest, Elf.EM_X86_64, ORDER, text, others);
    }

    private static long size(AddressRange range) {
        return range.last() - range.first() + 1;
    }

    /**
     * Index of the first run of pages that is firmware makedumpfile must not see, or -1. It takes the second bitmap to lie
     * behind as many bits as the kernel's page map has sections for, which a hole and firmware above RAM make wrong.
     */
    private static long firmware(Extents pages, byte[] vmcoreInfo) {
        long last = pages.count() - 1;
        if (vmcoreInfo.length == 0 || pages.last(last) >= FIRMWARE_END) {
            return -1;
        }
        long first = last + 1;
        while (first > 0 && pages.first(first - 1) >= FIRMWARE_FROM) {
            first--;
        }
        if (first == 0 || first > last) {
            return -1;
        }
        long bits = KernelNumbers.decimal(new VmcoreInfoFacts(vmcoreInfo), "NUMBER(SECTION_SIZE_BITS)")
                .filter(number -> number >= PAGE_SHIFT && number < Long.SIZE - 1)
                .orElse(USUAL_SECTION_BITS);
        long sectionPages = 1L << bits - PAGE_SHIFT;
        long mapped = (pages.last(first - 1) / sectionPages + 1) * sectionPages;
        return pages.first(first) >= mapped ? first : -1;
    }

    /** What can be read from {@code from} on. */
    private static List<AddressRange> readable(ContentMap content, long from) {
        List<AddressRange> ranges = new ArrayList<>();
        for (long i = 0; i < content.count(); i++) {
            if (Long.compareUnsigned(content.first(i), from) >= 0 && content.state(i).isReadable()) {
                ranges.add(new AddressRange(content.first(i), content.last(i)));
            }
        }
        return ranges;
    }

    private static long blocks(long bytes) {
        return (bytes + PAGE - 1) / PAGE;
    }

    /** Page frames below {@code end} that have content, as runs; a page that two regions share is one page. */
    private static Extents pages(ContentMap content, long end) {
        Extents.Builder pages = new Extents.Builder(Arena.ofAuto());
        for (long i = 0; i < content.count(); i++) {
            if (content.state(i) == PageState.ABSENT || content.first(i) >>> PAGE_SHIFT >= end) {
                continue;
            }
            long first = content.first(i) >>> PAGE_SHIFT;
            long last = content.last(i) >>> PAGE_SHIFT;
            if (pages.count() > 0 && first <= pages.last(pages.count() - 1) + 1) {
                pages.extendLast(Math.max(last, pages.last(pages.count() - 1)));
            } else {
                pages.add(first, last, 0);
            }
        }
        return pages.build();
    }

    @Override
    public String layout() {
        return "version 6, " + codec.label();
    }

    @Override
    public long size() {
        return dataOffset + (long) PAGE + candidates * PAGE;
    }

    @Override
    public List<Loss> losses() {
        List<Loss> losses = new ArrayList<>(CommonLosses.ofRegions(guest.memory()));
        losses.addAll(content.stateLoss(
                PageState.UNREADABLE, "the file has only 'left out', so they come back as excluded"));
        losses.addAll(CoreNotes.registerLosses(guest, Elf.EM_X86_64));
        losses.addAll(CommonLosses.ofFacts(guest, Set.of(VmcoreInfoFacts.class, ElfFacts.class)));
        if (record.isPresent()) {
            losses.replaceAll(loss -> new Loss(loss.what(), loss.why(), true));
        }
        beside.forEach(range -> losses.add(new Loss(
                "firmware at " + range + ", for other tools",
                "makedumpfile cannot filter a file with pages so far above the kernel's RAM; it is in a note of Guestcore's",
                true)));
        return losses;
    }

    @Override
    public WriteReport write(CoreSink sink, Progress progress) {
        if (sink.canPatch()) {
            return writePatching(sink, progress);
        }
        FlattenedSink flattened = new FlattenedSink(sink);
        WriteReport report = writePatching(flattened, progress);
        flattened.finish();
        return report;
    }

    private WriteReport writePatching(CoreSink sink, Progress progress) {
        sink.write(header());
        sink.write(subHeader());
        sink.writeZeros(besideOffset - sink.position());
        progress.begin("writing memory", candidates * PAGE + (recordOffset - besideOffset));
        MemoryCopier copier = new MemoryCopier(guest.memory(), sink, progress);
        sink.write(MemorySegment.ofArray(besideHeader));
        beside.forEach(copier::copy);
        record.ifPresent(kept -> kept.write(sink));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bitmap = arena.allocate(bitmapBlocks * PAGE / 2, Long.BYTES);
            fillExisting(bitmap);
            patch(sink, bitmapOffset, bitmap);
            PagePump pump = new PagePump(
                    guest.memory(), survey.orElseGet(MemorySurvey::new), codec, excludeZero, sink, descriptorsOffset, bitmap);
            pump.run(pages, progress);
            patch(sink, bitmapOffset + bitmapBlocks * PAGE / 2, bitmap);
            List<AddressRange> unreadable = new ArrayList<>(pump.unreadable());
            unreadable.addAll(copier.unreadable());
            return new WriteReport(
                    KdumpFormat.NAME,
                    layout(),
                    sink.position(),
                    candidates * PAGE + copier.memoryBytes(),
                    pump.zeroBytes() + copier.zeroBytes(),
                    losses(),
                    unreadable,
                    pump.unreadableBytes() + copier.unreadableBytes());
        }
    }

    /** Writes a bitmap over zeros; what is zero anyway stays a hole. */
    private static void patch(CoreSink sink, long offset, MemorySegment bitmap) {
        MemorySegment zeros = MemorySegment.ofArray(new byte[(int) Math.min(LARGEST_PATCH, bitmap.byteSize())]);
        for (long at = 0; at < bitmap.byteSize(); at += LARGEST_PATCH) {
            MemorySegment piece = bitmap.asSlice(at, Math.min(LARGEST_PATCH, bitmap.byteSize() - at));
            if (piece.mismatch(zeros.asSlice(0, piece.byteSize())) >= 0) {
                sink.patch(offset + at, piece);
            }
        }
    }

    private void fillExisting(MemorySegment bitmap) {
        for (long i = 0; i < pages.count(); i++) {
            long page = pages.first(i);
            long end = pages.last(i) + 1;
            while (page < end) {
                if ((page & Byte.SIZE - 1) == 0 && end - page >= Byte.SIZE) {
                    long bytes = (end - page) / Byte.SIZE;
                    bitmap.asSlice(page >>> 3, bytes).fill((byte) 0xff);
                    page += bytes * Byte.SIZE;
                } else {
                    byte bits = bitmap.get(ValueLayout.JAVA_BYTE, page >>> 3);
                    bitmap.set(ValueLayout.JAVA_BYTE, page >>> 3, (byte) (bits | 1 << (page & 7)));
                    page++;
                }
            }
        }
    }

    private MemorySegment header() {
        ByteBuffer header = ByteBuffer.allocate(PAGE).order(ByteOrder.BIG_ENDIAN);
        header.putLong(0, KdumpLayout.SIGNATURE).order(ORDER);
        header.putInt(KdumpLayout.HEADER_VERSION, KdumpLayout.NEWEST_VERSION);
        List<String> names = UtsName.of(
                guest.memory(),
                vmcoreInfo,
                () -> survey.isPresent() ? survey.get().banner() : LinuxBanner.find(guest.memory()));
        for (int i = 0; i < names.size(); i++) {
            byte[] text = names.get(i).getBytes(StandardCharsets.ISO_8859_1);
            int length = Math.min(text.length, KdumpLayout.UTSNAME_STRING - 1);
            header.put(KdumpLayout.UTSNAME + i * KdumpLayout.UTSNAME_STRING, text, 0, length);
        }
        Optional<Instant> taken = guest.provenance().takenAt();
        header.putLong(LAYOUT.status - 2 * Long.BYTES, taken.map(Instant::getEpochSecond).orElse(0L));
        header.putLong(LAYOUT.status - Long.BYTES, taken.map(Instant::getNano).orElse(0) / NANOS_PER_MICRO);
        header.putInt(LAYOUT.status, codec.flag());
        header.putInt(LAYOUT.blockSize, PAGE);
        header.putInt(LAYOUT.subHeaderBlocks, (int) subHeaderBlocks);
        header.putInt(LAYOUT.bitmapBlocks, (int) bitmapBlocks);
        header.putInt(LAYOUT.maxMapNumber, (int) Math.min(pageCount, 0xffffffffL));
        header.putInt(LAYOUT.processorCount, guest.vcpus().size());
        return MemorySegment.ofBuffer(header.clear());
    }

    private MemorySegment subHeader() {
        ByteBuffer sub = ByteBuffer.allocate((int) subHeaderBlocks * PAGE).order(ORDER);
        long base = KernelNumbers.physicalBase(new VmcoreInfoFacts(vmcoreInfo)).orElse(0L);
        int at = SUB_HEADER;
        sub.putLong(LAYOUT.physicalBase, base);
        sub.putInt(LAYOUT.dumpLevel, excludeZero ? DUMP_LEVEL_EXCLUDE_ZERO : 0);
        sub.putLong(LAYOUT.maxMapNumber64, pageCount);
        at = place(sub, LAYOUT.eraseInfoOffset, at, eraseInfo);
        if (vmcoreInfo.length > 0) {
            // Within the notes, where makedumpfile takes it to be when it filters the file.
            sub.putLong(LAYOUT.vmcoreInfoOffset, PAGE + at + KdumpNotes.descriptorOffset(notes, "VMCOREINFO", ORDER));
            sub.putLong(LAYOUT.vmcoreInfoOffset + Long.BYTES, vmcoreInfo.length);
        }
        place(sub, LAYOUT.notesOffset, at, notes);
        return MemorySegment.ofBuffer(sub.clear());
    }

    /** Puts bytes at {@code at} of the sub-header, and where they are into it; gives the place behind them. */
    private static int place(ByteBuffer sub, int field, int at, byte[] bytes) {
        if (bytes.length > 0) {
            sub.putLong(field, PAGE + at).putLong(field + Long.BYTES, bytes.length).put(at, bytes);
        }
        return at + bytes.length;
    }
}
