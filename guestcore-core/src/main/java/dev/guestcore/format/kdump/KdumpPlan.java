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
import dev.guestcore.kernel.VmcoreInfoChoice;
import dev.guestcore.internal.elf.CoreNotes;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.elf.NoteList;
import dev.guestcore.internal.keep.KeepRecord;
import dev.guestcore.internal.memory.Extents;
import dev.guestcore.internal.output.CommonLosses;
import dev.guestcore.internal.output.ContentMap;
import dev.guestcore.internal.output.FlattenedSink;
import dev.guestcore.internal.output.MemoryCopier;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

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

    /** The highest pages, if makedumpfile may stumble over them; they are not among {@link #pages}. */
    private final Extents firmwarePages;

    private final List<AddressRange> firmware;
    private final long allPages;
    private final Optional<byte[]> notedVmcoreInfo;

    /** What was found in memory, as soon as it is. */
    private Optional<VmcoreInfoChoice> choice = Optional.empty();

    private final List<ElfFacts.Note> foreignNotes;
    private final ElfFacts.Content eraseInfo;
    private final Optional<KeepRecord> record;
    private final long descriptorsOffset;
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
        Extents all = pages(content, 0, Long.MAX_VALUE);
        if (all.count() == 0) {
            throw new UnsupportedRequestException(
                    "this guest has no memory, and a kdump without pages opens nowhere; nothing is written");
        }
        if (all.first(0) < 0 || all.last(all.count() - 1) >= MOST_PAGES) {
            throw new UnsupportedRequestException("this guest has memory above 128 TiB, for which the bitmaps of a kdump"
                    + " would be larger than it; write an ELF core instead (--to elf)");
        }
        this.notedVmcoreInfo = guest.facts(VmcoreInfoFacts.class).map(VmcoreInfoFacts::vmcoreInfo);
        long firmwareFrom = firmwareFrom(all);
        this.pages = firmwareFrom < 0 ? all : pages(content, 0, firmwareFrom);
        this.firmwarePages = pages(content, firmwareFrom < 0 ? Long.MAX_VALUE : firmwareFrom, Long.MAX_VALUE);
        this.firmware = firmwareFrom < 0 ? List.of() : readable(content, firmwareFrom << PAGE_SHIFT);
        this.allPages = count(pages) + count(firmwarePages);
        this.record = keeps ? Optional.of(KeepRecord.of(guest)) : Optional.empty();
        this.foreignNotes =
                guest.facts(ElfFacts.class).map(ElfFacts::notes).orElse(List.of());
        this.eraseInfo = foreignNotes.stream()
                .filter(note -> note.name().equals(KdumpNotes.ERASE_INFO))
                .map(ElfFacts.Note::content)
                .findFirst()
                .orElseGet(() -> ElfFacts.Content.of(new byte[0]));
        byte[] longest = notedVmcoreInfo.orElseGet(() -> new byte[KernelSearch.LONGEST_VMCOREINFO]);
        boolean mayBeBeside = notedVmcoreInfo.isPresent() ? isBeside(longest) : firmwareFrom >= 0;
        // Notes that name places come out as long as they will be, so that the places can be reckoned.
        NoteList draft = notes(longest, mayBeBeside, 0);
        long mostPages = pageCount(notedVmcoreInfo.isPresent() && mayBeBeside);
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

    private NoteList notes(byte[] vmcoreInfo, boolean isBeside, long besideAt) {
        List<ElfFacts.Note> others = new ArrayList<>(foreignNotes);
        others.removeIf(note -> note.name().equals(KdumpNotes.ERASE_INFO) || note.name().equals(KdumpNotes.OWN));
        if (isBeside) {
            long size = BesideMemory.header(firmware).length
                    + firmware.stream().mapToLong(KdumpPlan::size).sum();
            others.add(new ElfFacts.Note(
                    KdumpNotes.OWN, BesideMemory.NOTE_TYPE, KdumpNotes.placeNote(besideAt, size)));
        }
        record.ifPresent(kept -> others.add(
                new ElfFacts.Note(KdumpNotes.OWN, KdumpNotes.KEEP_TYPE, KdumpNotes.placeNote(recordOffset, kept.size()))));
        Optional<byte[]> text = vmcoreInfo.length == 0 ? Optional.empty() : Optional.of(vmcoreInfo);
        return CoreNotes.write(guest, Elf.EM_X86_64, ORDER, text, others);
    }

    private static long size(AddressRange range) {
        return range.last() - range.first() + 1;
    }

    /**
     * The first page of firmware that makedumpfile must not see in a Linux guest, or -1. It takes the second bitmap to lie
     * behind as many bits as the kernel's page map has sections for, which a hole and firmware above RAM make wrong.
     */
    private static long firmwareFrom(Extents pages) {
        long last = pages.count() - 1;
        if (pages.last(last) >= FIRMWARE_END) {
            return -1;
        }
        long first = last + 1;
        while (first > 0 && pages.first(first - 1) >= FIRMWARE_FROM) {
            first--;
        }
        return first == 0 || first > last ? -1 : pages.first(first);
    }

    /** Whether the firmware lies beside the bitmaps, in a guest whose kernel says this of itself. */
    private boolean isBeside(byte[] vmcoreInfo) {
        if (vmcoreInfo.length == 0 || firmwarePages.count() == 0 || firmware.size() > BesideMemory.MOST_RANGES) {
            return false;
        }
        long bits = KernelNumbers.decimal(new VmcoreInfoFacts(vmcoreInfo), "NUMBER(SECTION_SIZE_BITS)")
                .filter(number -> number >= PAGE_SHIFT && number < Long.SIZE - 1)
                .orElse(USUAL_SECTION_BITS);
        long sectionPages = 1L << bits - PAGE_SHIFT;
        long mapped = ((end(pages) - 1) / sectionPages + 1) * sectionPages;
        return firmwarePages.first(0) >= mapped;
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

    /** Page frames from {@code from} to below {@code end} that have content, as runs; a page that two regions share is one. */
    private static Extents pages(ContentMap content, long from, long end) {
        Extents.Builder pages = new Extents.Builder(Arena.ofAuto());
        for (long i = 0; i < content.count(); i++) {
            long first = content.first(i) >>> PAGE_SHIFT;
            if (content.state(i) == PageState.ABSENT || first < from || first >= end) {
                continue;
            }
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
        return dataOffset + (long) PAGE + allPages * PAGE + BesideMemory.header(firmware).length;
    }

    /** Of a guest whose VMCOREINFO is still to be found: what there will be if it is found. */
    @Override
    public List<Loss> losses() {
        return losses(notedVmcoreInfo.map(this::isBeside).orElse(firmwarePages.count() > 0));
    }

    private List<Loss> losses(boolean isBeside) {
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
        losses.addAll(CoreNotes.registerLosses(guest, Elf.EM_X86_64));
        losses.addAll(CommonLosses.ofFacts(guest, Set.of(VmcoreInfoFacts.class, ElfFacts.class)));
        if (record.isPresent()) {
            losses.replaceAll(loss -> new Loss(loss.what(), loss.why(), true));
        }
        losses.addAll(CommonLosses.ofDoubt(choice));
        if (isBeside) {
            firmware.forEach(range -> losses.add(new Loss(
                    "firmware at " + range + ", for other tools",
                    "makedumpfile cannot filter a file with pages so far above the kernel's RAM; it is in a note of"
                            + " Guestcore's",
                    true)));
        }
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
            known = choice.map(found -> found.chosen().bytes());
        }
        WriteReport report = writePatching(flattened, known, progress);
        flattened.finish();
        return report;
    }

    /** Writes what stands before the bitmaps first, if what the kernel says is known, or else last. */
    private WriteReport writePatching(CoreSink sink, Optional<byte[]> known, Progress progress) {
        sink.writeZeros(recordOffset);
        record.ifPresent(kept -> kept.write(sink));
        progress.begin("writing memory", allPages * PAGE);
        MemoryCopier copier = new MemoryCopier(guest.memory(), sink, progress);
        known.ifPresent(text -> writeHead(sink, text, copier, () -> LinuxBanner.find(guest.memory())));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bitmap = arena.allocate(bitmapBlocks(pageCount(false)) / 2 * PAGE, Long.BYTES);
            setBits(bitmap, pages);
            KernelSearch search = new KernelSearch(guest.memory(), known.isEmpty());
            PagePump pump =
                    new PagePump(guest.memory(), search, codec, excludeZero, sink, descriptorsOffset, bitmap);
            pump.run(pages, progress);
            // Firmware holds no kernel, so all that there is to find has been found.
            if (known.isEmpty()) {
                choice = VmcoreInfoChoice.among(guest, search.vmcoreInfo());
            }
            byte[] vmcoreInfo = known.or(() -> choice.map(found -> found.chosen().bytes()))
                    .orElse(new byte[0]);
            boolean isBeside = isBeside(vmcoreInfo);
            if (!isBeside) {
                setBits(bitmap, firmwarePages);
                pump.run(firmwarePages, progress);
            }
            MemorySegment used = bitmap.asSlice(0, bitmapBlocks(pageCount(isBeside)) / 2 * PAGE);
            patch(sink, descriptorsOffset - used.byteSize(), used);
            setBits(used, pages);
            if (!isBeside) {
                setBits(used, firmwarePages);
            }
            patch(sink, descriptorsOffset - 2 * used.byteSize(), used);
            if (known.isEmpty()) {
                writeHead(sink, vmcoreInfo, copier, search::banner);
            }
            List<AddressRange> unreadable = new ArrayList<>(pump.unreadable());
            unreadable.addAll(copier.unreadable());
            return new WriteReport(
                    KdumpFormat.NAME,
                    layout(),
                    sink.position(),
                    pump.memoryBytes() + copier.memoryBytes(),
                    pump.zeroBytes() + copier.zeroBytes(),
                    losses(isBeside),
                    unreadable,
                    pump.unreadableBytes() + copier.unreadableBytes());
        }
    }

    /** Writes what stands before the bitmaps, over zeros, and the memory beside them, here. */
    private void writeHead(
            CoreSink sink, byte[] vmcoreInfo, MemoryCopier copier, Supplier<Optional<LinuxBanner>> banner) {
        boolean isBeside = isBeside(vmcoreInfo);
        long pageCount = pageCount(isBeside);
        long bitmapBlocks = bitmapBlocks(pageCount);
        NoteList notes = notes(vmcoreInfo, isBeside, sink.position());
        new KdumpHead(
                        guest,
                        codec,
                        excludeZero,
                        descriptorsOffset / PAGE - bitmapBlocks - 1,
                        bitmapBlocks,
                        pageCount,
                        vmcoreInfo,
                        eraseInfo,
                        notes)
                .write(sink, banner);
        if (isBeside) {
            sink.write(MemorySegment.ofArray(BesideMemory.header(firmware)));
            firmware.forEach(copier::copy);
        }
    }

    /** The page frame behind the last that the bitmaps speak of. */
    private long pageCount(boolean isBeside) {
        return end(isBeside || firmwarePages.count() == 0 ? pages : firmwarePages);
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
