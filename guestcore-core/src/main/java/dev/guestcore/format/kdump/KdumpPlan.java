package dev.guestcore.format.kdump;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.file.CoreSink;
import dev.guestcore.format.Loss;
import dev.guestcore.format.WritePlan;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.elf.CoreNotes;
import dev.guestcore.internal.elf.NoteList;
import dev.guestcore.internal.keep.KeepRecord;
import dev.guestcore.internal.kernel.KernelSearch;
import dev.guestcore.internal.kernel.LinuxMemory;
import dev.guestcore.internal.output.FlattenedSink;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.internal.writer.CommonLosses;
import dev.guestcore.internal.writer.ContentMap;
import dev.guestcore.internal.writer.MemoryCopier;
import dev.guestcore.internal.writer.NamedProcessor;
import dev.guestcore.kernel.LinuxBanner;
import dev.guestcore.kernel.VmcoreInfoChoice;
import dev.guestcore.kernel.VmcoreInfoMaker;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * A kdump laid out:
 *
 * <pre>
 * block 0        header
 * block 1 …      sub-header, list of erased data, notes with VMCOREINFO among them
 *                bitmap of pages that exist, bitmap of pages that are stored
 *                room for a descriptor for each page that may be stored
 *                Guestcore's own record
 *                memory beside the bitmaps, if it is known before that there is any
 *                one zero page, shared by all; then the pages, compressed one by one
 *                memory beside the bitmaps, if it shows only now
 * </pre>
 *
 * <p>Where nobody has noted VMCOREINFO it is looked for in the pages as they pass: what stands before the bitmaps is written
 * last then, and there is room for the longest. What is left of the room lies between notes and bitmaps. Only for a pipe
 * memory is searched before.
 */
final class KdumpPlan implements WritePlan {

    private static final int PAGE = 4096;
    private static final int PAGE_SHIFT = 12;
    private static final long MOST_PAGES = 1L << 35;

    /** Pages below 2 GiB are the kernel's in any guest; devices lie below 4 GiB, or behind what lies at 4 GiB. */
    private static final long DEVICES_FROM = 0x80000;

    private static final long FOUR_GIB = 0x100000;

    /** Where nothing else tells what is the kernel's: firmware lies in the last 32 MiB below 4 GiB. */
    private static final long FIRMWARE_FROM = 0xfe000;
    private static final long USUAL_SECTION_BITS = 27;
    private static final long LARGEST_PATCH = 1 << 20;

    private final Guest guest;
    private final Architecture family;
    private final ByteOrder order;
    private final String machineName;
    private final PageCodec codec;
    private final ContentMap content;
    private final Extents pages;

    /** All pages. */
    private final Extents all;

    /** The page frame from which on makedumpfile may stumble over pages; {@link #pages} are those below. */
    private final long doubtfulFrom;

    private final long allPages;
    private final Optional<byte[]> notedVmcoreInfo;

    /** What was found in memory, as soon as it is. */
    private Optional<VmcoreInfoChoice> choice = Optional.empty();

    /** Whether VMCOREINFO is to be made if none is found. */
    private boolean makes;

    /** What was made, as soon as nothing was found. */
    private Optional<byte[]> made = Optional.empty();

    private final List<ElfFacts.Note> foreignNotes;
    private final ElfFacts.Content eraseInfo;
    private final Optional<KeepRecord> record;
    private final long descriptorsOffset;
    private final long recordOffset;
    private final long dataOffset;

    KdumpPlan(Guest guest, PageCodec codec, boolean keeps, boolean makes) {
        this.family = NamedProcessor.of(guest);
        this.order = family.byteOrder().orElse(guest.memory().byteOrder());
        this.machineName = family.linuxName(order)
                .orElseThrow(() -> new UnsupportedRequestException("a kdump is written for guests of "
                        + Architectures.all().stream()
                                .filter(known -> known.linuxName(ByteOrder.LITTLE_ENDIAN).isPresent())
                                .map(Architecture::title)
                                .collect(Collectors.joining(", "))
                        + " only, and this one is " + guest.architecture().title() + "; write an ELF core instead"));
        this.guest = guest;
        this.codec = codec;
        this.makes = makes;
        this.content = ContentMap.of(guest.memory());
        this.all = pages(content);
        if (all.count() == 0) {
            throw new UnsupportedRequestException(
                    "this guest has no memory, and no program opens a kdump without pages; nothing is written");
        }
        if (all.first(0) < 0 || all.last(all.count() - 1) >= MOST_PAGES) {
            throw new UnsupportedRequestException(
                    "this guest has memory above 128 TiB, for which the bitmaps of a kdump"
                            + " would be larger than it; write an ELF core instead");
        }
        this.notedVmcoreInfo = guest.facts(VmcoreInfoFacts.class).map(VmcoreInfoFacts::vmcoreInfo);
        this.doubtfulFrom = notedVmcoreInfo.map(this::boundary).orElseGet(() -> doubtfulFrom(all));
        this.pages = between(all, 0, doubtfulFrom);
        this.allPages = count(all);
        this.record = keeps ? Optional.of(KeepRecord.of(guest)) : Optional.empty();
        this.foreignNotes =
                guest.facts(ElfFacts.class).map(ElfFacts::notes).orElse(List.of());
        this.eraseInfo = foreignNotes.stream()
                .filter(note -> note.name().equals(KdumpNotes.ERASE_INFO))
                .map(ElfFacts.Note::content)
                .findFirst()
                .orElseGet(() -> ElfFacts.Content.of(new byte[0]));
        byte[] longest = notedVmcoreInfo.orElseGet(() -> new byte[KernelSearch.LONGEST_VMCOREINFO]);
        // Notes that name places come out as long as they will be, so that the places can be reckoned.
        NoteList draft = notes(longest, doubtful(), 0);
        long mostPages = pageCount(notedVmcoreInfo.isPresent() ? doubtfulFrom : Long.MAX_VALUE);
        this.descriptorsOffset = (1 + KdumpHead.blocks(draft, eraseInfo) + bitmapBlocks(mostPages)) * PAGE;
        this.recordOffset = descriptorsOffset + allPages * KdumpLayout.DESCRIPTOR;
        this.dataOffset = recordOffset + record.map(KeepRecord::size).orElse(0L);
    }

    private static long count(Extents pages) {
        long count = 0;
        for (long i = 0; i < pages.count(); i++) {
            count += pages.last(i) - pages.first(i) + 1;
        }
        return count;
    }

    /** The page frame behind the last. */
    private static long end(Extents pages) {
        return pages.last(pages.count() - 1) + 1;
    }

    /** Blocks of both bitmaps. */
    private static long bitmapBlocks(long pageCount) {
        return 2 * ((pageCount + PAGE * Byte.SIZE - 1) / (PAGE * Byte.SIZE));
    }

    /** What lies beside the bitmaps at most. */
    private List<AddressRange> doubtful() {
        return readable(content, doubtfulFrom);
    }

    private NoteList notes(byte[] vmcoreInfo, List<AddressRange> beside, long besideAt) {
        List<ElfFacts.Note> others = new ArrayList<>(foreignNotes);
        others.removeIf(note -> note.name().equals(KdumpNotes.ERASE_INFO) || note.name().equals(KdumpNotes.OWN));
        if (!beside.isEmpty()) {
            long size = BesideMemory.header(beside).length
                    + beside.stream().mapToLong(KdumpPlan::size).sum();
            others.add(new ElfFacts.Note(
                    KdumpNotes.OWN, BesideMemory.NOTE_TYPE, KdumpNotes.placeNote(besideAt, size)));
        }
        record.ifPresent(kept -> others.add(
                new ElfFacts.Note(KdumpNotes.OWN, KdumpNotes.KEEP_TYPE,
                        KdumpNotes.placeNote(recordOffset, kept.size()))));
        Optional<byte[]> text = vmcoreInfo.length == 0 ? Optional.empty() : Optional.of(vmcoreInfo);
        return CoreNotes.write(guest, machine(), order, text, others);
    }

    private int machine() {
        return family.machines().getFirst().code();
    }

    private static long size(AddressRange range) {
        return range.last() - range.first() + 1;
    }

    /**
     * The page frame from which on memory lies beside the bitmaps, in a guest whose kernel says this of itself; 2^63 - 1 if
     * none does. makedumpfile takes the second bitmap to lie behind as many bits as the kernel's page map has sections for,
     * which devices and firmware above RAM, and the hole between, make wrong.
     */
    private long boundary(byte[] vmcoreInfo) {
        if (vmcoreInfo.length == 0 || family != Architectures.X86) {
            return Long.MAX_VALUE;
        }
        OptionalLong sections = guest.machineMemory().isPresent()
                ? OptionalLong.empty()
                : LinuxMemory.of(guest.memory(), vmcoreInfo)
                        .map(LinuxMemory::endOfSections)
                        .orElse(OptionalLong.empty());
        long boundary = sections.isPresent() ? sections.getAsLong() >>> PAGE_SHIFT : likelyBoundary(vmcoreInfo);
        boolean useful = boundary > all.first(0) && boundary < end(all);
        return useful && readable(content, boundary).size() <= BesideMemory.MOST_RANGES ? boundary : Long.MAX_VALUE;
    }

    /** Where the kernel's page map cannot be read: firmware at the end of 4 GiB is none of its sections. */
    private long likelyBoundary(byte[] vmcoreInfo) {
        long firmware = firstRunFrom(all, FIRMWARE_FROM);
        if (end(all) > FOUR_GIB || firmware < 0) {
            return Long.MAX_VALUE;
        }
        long bits = new VmcoreInfoFacts(vmcoreInfo).fields().number("SECTION_SIZE_BITS").stream()
                .filter(number -> number >= PAGE_SHIFT && number < Long.SIZE - 1)
                .findFirst()
                .orElse(USUAL_SECTION_BITS);
        long sectionPages = 1L << bits - PAGE_SHIFT;
        long mapped = ((end(between(all, 0, firmware)) - 1) / sectionPages + 1) * sectionPages;
        return firmware >= mapped ? firmware : Long.MAX_VALUE;
    }

    /**
     * The page frame from which on pages may lie beside the bitmaps, where it shows only later what the kernel says: those
     * before are looked through first. 2^63 - 1 if there are none.
     */
    private long doubtfulFrom(Extents pages) {
        if (family != Architectures.X86) {
            // What lies where in a PC says nothing of another machine.
            return Long.MAX_VALUE;
        }
        long from = firstRunFrom(pages, end(pages) <= FOUR_GIB ? DEVICES_FROM : FOUR_GIB + 1);
        return from < 0 ? Long.MAX_VALUE : from;
    }

    /** Where the first run begins that lies behind a hole and not below {@code from}; -1 if there is none. */
    private static long firstRunFrom(Extents pages, long from) {
        for (long i = 1; i < pages.count(); i++) {
            if (pages.first(i) >= from) {
                return pages.first(i);
            }
        }
        return -1;
    }

    /** What can be read of the pages from {@code from} on. */
    private static List<AddressRange> readable(ContentMap content, long from) {
        List<AddressRange> ranges = new ArrayList<>();
        if (from > Long.MAX_VALUE >>> PAGE_SHIFT) {
            return ranges;
        }
        long start = from << PAGE_SHIFT;
        for (long i = 0; i < content.count(); i++) {
            if (Long.compareUnsigned(content.last(i), start) >= 0 && content.state(i).isReadable()) {
                long first = Long.compareUnsigned(content.first(i), start) < 0 ? start : content.first(i);
                ranges.add(new AddressRange(first, content.last(i)));
            }
        }
        return ranges;
    }

    /** How much has content from page frame {@code from} on. */
    private long bytesFrom(long from) {
        long bytes = 0;
        for (long i = 0; i < content.count() && from != Long.MAX_VALUE; i++) {
            if (content.state(i) != PageState.ABSENT && content.last(i) >>> PAGE_SHIFT >= from) {
                bytes += content.last(i) - Math.max(content.first(i), from << PAGE_SHIFT) + 1;
            }
        }
        return bytes;
    }

    /** Page frames that have content, as runs; a page that two regions share is one. */
    private static Extents pages(ContentMap content) {
        Extents.Builder pages = new Extents.Builder(Arena.ofAuto());
        for (long i = 0; i < content.count(); i++) {
            if (content.state(i) == PageState.ABSENT) {
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

    /** The page frames from {@code from} to below {@code end}. */
    private static Extents between(Extents pages, long from, long end) {
        Extents.Builder some = new Extents.Builder(Arena.ofAuto());
        for (long i = 0; i < pages.count(); i++) {
            long first = Math.max(pages.first(i), from);
            long last = Math.min(pages.last(i), end - 1);
            if (first <= last) {
                some.add(first, last, 0);
            }
        }
        return some.build();
    }

    @Override
    public String layout() {
        return "version 6, " + codec.label();
    }

    @Override
    public long size() {
        return dataOffset + (long) PAGE + allPages * PAGE + BesideMemory.header(doubtful()).length;
    }

    /** Of a guest whose VMCOREINFO is still to be found: what there will be if it is found. */
    @Override
    public List<Loss> losses() {
        return losses(doubtfulFrom);
    }

    private List<Loss> losses(long boundary) {
        List<Loss> losses = new ArrayList<>(CommonLosses.ofRegions(guest.memory()));
        losses.addAll(content.stateLoss(
                PageState.UNREADABLE, "the file has only 'left out', so they come back as excluded"));
        long excluded = content.bytesBesideContent(PageState.EXCLUDED, PAGE_SHIFT);
        if (excluded > 0) {
            losses.add(new Loss(
                    "state excluded of " + excluded + " bytes that share a page with content",
                    "the format has whole pages only, so they come back as zeros",
                    false));
        }
        long absent = content.bytesBesideContent(PageState.ABSENT, PAGE_SHIFT);
        if (absent > 0) {
            losses.add(new Loss(
                    "ends of memory within a page",
                    "the format has whole pages only: the other " + absent + " bytes of them come back as zeros",
                    false));
        }
        losses.addAll(CoreNotes.registerLosses(guest, machine()));
        losses.addAll(CommonLosses.ofFacts(guest, Set.of(VmcoreInfoFacts.class, ElfFacts.class)));
        long dropped = bytesFrom(boundary) - readable(content, boundary).stream().mapToLong(AddressRange::size).sum();
        if (dropped > 0) {
            losses.add(new Loss(
                    "state of " + dropped + " bytes of devices and firmware that cannot be read",
                    "makedumpfile cannot filter a file with pages above the memory that the kernel knows, so they come back as"
                            + " absent",
                    false));
        }
        if (record.isPresent()) {
            losses.replaceAll(loss -> new Loss(loss.what(), loss.why(), true));
        }
        losses.addAll(CommonLosses.ofDoubt(choice));
        losses.addAll(NamedProcessor.losses(guest, "a kdump", "an ELF core can name another", choice));
        readable(content, boundary).forEach(range -> losses.add(new Loss(
                "memory of devices and firmware at " + range + ", for other tools",
                "makedumpfile cannot filter a file with pages above the memory that the kernel knows; it is in a note of"
                        + " Guestcore's",
                true)));
        return losses;
    }

    @Override
    public WriteReport write(CoreSink sink, Progress progress) {
        if (sink.canPatch()) {
            return writePatching(sink, notedVmcoreInfo, progress);
        }
        FlattenedSink flattened = new FlattenedSink(sink);
        Optional<byte[]> known = notedVmcoreInfo;
        if (known.isEmpty()) {
            // crash looks for the release among the first texts of a flattened kdump, so there it is found before.
            progress.begin("looking for VMCOREINFO", content.bytes(PageState.PRESENT));
            choice = VmcoreInfoChoice.search(guest, KernelSearch.LONGEST_VMCOREINFO, progress);
            known = found(progress);
        }
        WriteReport report = writePatching(flattened, known, progress);
        flattened.finish();
        return report;
    }

    /** What was chosen among the finds, or else what is made. */
    private Optional<byte[]> found(Progress progress) {
        if (choice.isEmpty() && makes) {
            makes = false;
            made = VmcoreInfoMaker.makeFor(guest, KernelSearch.LONGEST_VMCOREINFO, progress);
        }
        return choice.map(found -> found.chosen().bytes()).or(() -> made);
    }

    /** Writes what stands before the bitmaps first, if what the kernel says is known, or else last. */
    private WriteReport writePatching(CoreSink sink, Optional<byte[]> known, Progress progress) {
        sink.writeZeros(recordOffset);
        record.ifPresent(kept -> kept.write(sink));
        progress.begin("writing memory", allPages * PAGE);
        MemoryCopier copier = new MemoryCopier(guest.memory(), sink, progress);
        known.ifPresent(text -> writeHead(
                sink,
                text,
                notedVmcoreInfo.isPresent() ? doubtfulFrom : Math.max(doubtfulFrom, boundary(text)),
                copier,
                () -> LinuxBanner.find(guest.memory())));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bitmap = arena.allocate(bitmapBlocks(end(all)) / 2 * PAGE, Long.BYTES);
            setBits(bitmap, pages);
            KernelSearch search = new KernelSearch(guest.memory(), known.isEmpty());
            PagePump pump =
                    new PagePump(guest.memory(), search, codec, sink, order, descriptorsOffset, bitmap);
            pump.run(pages, progress);
            // Devices hold no kernel, so all that there is to find has been found.
            if (known.isEmpty()) {
                choice = VmcoreInfoChoice.among(guest, search.vmcoreInfo());
            }
            byte[] vmcoreInfo = known.or(() -> found(progress))
                    .orElse(new byte[0]);
            // What the kernel knows of the doubtful pages is among the others after all.
            long boundary = doubtfulFrom == Long.MAX_VALUE
                    ? doubtfulFrom
                    : Math.max(doubtfulFrom, notedVmcoreInfo.isPresent() ? doubtfulFrom : boundary(vmcoreInfo));
            Extents others = between(all, doubtfulFrom, boundary);
            setBits(bitmap, others);
            pump.run(others, progress);
            MemorySegment used = bitmap.asSlice(0, bitmapBlocks(pageCount(boundary)) / 2 * PAGE);
            patch(sink, descriptorsOffset - used.byteSize(), used);
            setBits(used, pages);
            setBits(used, others);
            patch(sink, descriptorsOffset - 2 * used.byteSize(), used);
            if (known.isEmpty()) {
                writeHead(sink, vmcoreInfo, boundary, copier, search::banner);
            }
            List<AddressRange> unreadable = new ArrayList<>(pump.unreadable());
            unreadable.addAll(copier.unreadable());
            return new WriteReport(
                    KdumpFormat.NAME,
                    layout(),
                    sink.position(),
                    pump.memoryBytes() + copier.memoryBytes(),
                    pump.zeroBytes() + copier.zeroBytes(),
                    losses(boundary),
                    unreadable,
                    pump.unreadableBytes() + copier.unreadableBytes(),
                    made.isPresent() ? List.of(VmcoreInfoMaker.NOTE) : List.of());
        }
    }

    /** Writes what stands before the bitmaps, over zeros, and the memory beside them, here. */
    private void writeHead(
            CoreSink sink,
            byte[] vmcoreInfo,
            long boundary,
            MemoryCopier copier,
            Supplier<Optional<LinuxBanner>> banner) {
        List<AddressRange> beside = readable(content, boundary);
        long pageCount = pageCount(boundary);
        long bitmapBlocks = bitmapBlocks(pageCount);
        NoteList notes = notes(vmcoreInfo, beside, sink.position());
        new KdumpHead(
                guest,
                machineName,
                order,
                codec,
                descriptorsOffset / PAGE - bitmapBlocks - 1,
                bitmapBlocks,
                pageCount,
                vmcoreInfo,
                eraseInfo,
                notes)
                .write(sink, banner);
        if (!beside.isEmpty()) {
            sink.write(MemorySegment.ofArray(BesideMemory.header(beside)));
            beside.forEach(copier::copy);
        }
    }

    /** The page frame behind the last that the bitmaps speak of, if memory from {@code boundary} on lies beside them. */
    private long pageCount(long boundary) {
        return boundary == Long.MAX_VALUE ? end(all) : end(between(all, 0, boundary));
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

    private static void setBits(MemorySegment bitmap, Extents pages) {
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
}
