package dev.guestcore.format.kdump;

import dev.guestcore.Architecture;
import dev.guestcore.Guest;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.UnsupportedRequestException;
import dev.guestcore.format.CoreSink;
import dev.guestcore.format.Loss;
import dev.guestcore.format.WritePlan;
import dev.guestcore.format.WriteReport;
import dev.guestcore.hypervisor.KernelFacts;
import dev.guestcore.inspect.VmcoreInfo;
import dev.guestcore.internal.elf.CoreNotes;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.memory.Extents;
import dev.guestcore.internal.output.CommonLosses;
import dev.guestcore.internal.output.ContentMap;
import dev.guestcore.internal.output.FlattenedSink;
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
 * block 1 …      sub-header, notes, VMCOREINFO
 *                bitmap of pages that exist, bitmap of pages that are stored
 *                room for a descriptor for each page that may be stored
 *                one zero page, shared by all; then the pages, compressed one by one
 * </pre>
 */
final class KdumpPlan implements WritePlan {

    private static final int PAGE = 4096;
    private static final int PAGE_SHIFT = 12;
    private static final int DUMP_LEVEL_EXCLUDE_ZERO = 1;
    private static final int SUB_HEADER = 104;
    private static final KdumpLayout LAYOUT = KdumpLayout.BITS_64;
    private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

    private final Guest guest;
    private final PageCodec codec;
    private final boolean excludeZero;
    private final ContentMap content;
    private final Extents pages;
    private final long pageCount;
    private final long candidates;
    private final byte[] notes;
    private final byte[] vmcoreInfo;
    private final long subHeaderBlocks;
    private final long bitmapBlocks;
    private final long bitmapOffset;
    private final long descriptorsOffset;
    private final long dataOffset;

    KdumpPlan(Guest guest, PageCodec codec, boolean excludeZero) {
        if (guest.architecture() != Architecture.X86) {
            throw new UnsupportedRequestException("a kdump is written for x86 guests only, and this one is "
                    + guest.architecture() + "; write an ELF core instead (--to elf)");
        }
        this.guest = guest;
        this.codec = codec;
        this.excludeZero = excludeZero;
        this.content = ContentMap.of(guest.memory());
        this.pages = pages(content);
        if (pages.count() == 0) {
            throw new UnsupportedRequestException(
                    "this guest has no memory, and a kdump without pages opens nowhere; nothing is written");
        }
        this.pageCount = pages.last(pages.count() - 1) + 1;
        long existing = 0;
        for (long i = 0; i < pages.count(); i++) {
            existing += pages.last(i) - pages.first(i) + 1;
        }
        this.candidates = existing;
        this.vmcoreInfo = guest.facts(KernelFacts.class)
                .map(KernelFacts::vmcoreInfo)
                .or(() -> VmcoreInfo.find(guest.memory(), Progress.none()).map(VmcoreInfo::bytes))
                .orElse(new byte[0]);
        Optional<byte[]> note = vmcoreInfo.length == 0 ? Optional.empty() : Optional.of(vmcoreInfo);
        this.notes = CoreNotes.write(guest, Elf.EM_X86_64, ORDER, note, List.of());
        this.subHeaderBlocks = blocks(SUB_HEADER + (long) notes.length + vmcoreInfo.length);
        this.bitmapBlocks = 2 * blocks((pageCount + Byte.SIZE - 1) / Byte.SIZE);
        this.bitmapOffset = (1 + subHeaderBlocks) * PAGE;
        this.descriptorsOffset = bitmapOffset + bitmapBlocks * PAGE;
        this.dataOffset = descriptorsOffset + candidates * KdumpLayout.DESCRIPTOR;
    }

    private static long blocks(long bytes) {
        return (bytes + PAGE - 1) / PAGE;
    }

    /** Page frames that have content, as runs; a page that two regions share is one page. */
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

    @Override
    public String layout() {
        return "version 6, " + codec.label();
    }

    @Override
    public long size() {
        return dataOffset + PAGE + candidates * PAGE;
    }

    @Override
    public List<Loss> losses() {
        List<Loss> losses = new ArrayList<>(CommonLosses.ofRegions(guest.memory()));
        losses.addAll(content.stateLoss(
                PageState.UNREADABLE, "the file has only 'left out', so they come back as excluded"));
        losses.addAll(CoreNotes.registerLosses(guest, Elf.EM_X86_64));
        losses.addAll(CommonLosses.ofFacts(guest, Set.of(KernelFacts.class)));
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
        sink.writeZeros(descriptorsOffset - sink.position());
        sink.writeZeros(dataOffset - descriptorsOffset);
        MemorySegment bitmap = Arena.ofAuto().allocate(bitmapBlocks * PAGE / 2, Long.BYTES);
        fillExisting(bitmap);
        sink.patch(bitmapOffset, bitmap);
        PagePump pump = new PagePump(guest.memory(), codec, excludeZero, sink, descriptorsOffset, bitmap);
        progress.begin("writing memory", candidates * PAGE);
        pump.run(pages, progress);
        sink.patch(bitmapOffset + bitmapBlocks * PAGE / 2, bitmap);
        return new WriteReport(
                KdumpFormat.NAME,
                layout(),
                sink.position(),
                candidates * PAGE,
                pump.zeroBytes(),
                losses(),
                pump.unreadable(),
                pump.unreadableBytes());
    }

    private void fillExisting(MemorySegment bitmap) {
        for (long i = 0; i < pages.count(); i++) {
            for (long page = pages.first(i); page <= pages.last(i); page++) {
                long at = page >>> 3;
                byte bits = bitmap.get(ValueLayout.JAVA_BYTE, at);
                bitmap.set(ValueLayout.JAVA_BYTE, at, (byte) (bits | 1 << (page & 7)));
            }
        }
    }

    private MemorySegment header() {
        ByteBuffer header = ByteBuffer.allocate(PAGE).order(ByteOrder.BIG_ENDIAN);
        header.putLong(0, KdumpLayout.SIGNATURE).order(ORDER);
        header.putInt(KdumpLayout.HEADER_VERSION, KdumpLayout.NEWEST_VERSION);
        List<String> names = UtsName.of(guest.memory(), vmcoreInfo);
        for (int i = 0; i < names.size(); i++) {
            byte[] text = names.get(i).getBytes(StandardCharsets.ISO_8859_1);
            int length = Math.min(text.length, KdumpLayout.UTSNAME_STRING - 1);
            header.put(KdumpLayout.UTSNAME + i * KdumpLayout.UTSNAME_STRING, text, 0, length);
        }
        long taken = guest.provenance().takenAt().map(Instant::getEpochSecond).orElse(0L);
        header.putLong(LAYOUT.status - 2 * Long.BYTES, taken);
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
        long base = new KernelFacts(vmcoreInfo)
                .value("NUMBER(phys_base)")
                .map(KdumpPlan::number)
                .orElse(0L);
        long at = PAGE + SUB_HEADER;
        sub.putLong(LAYOUT.physicalBase, base);
        sub.putInt(LAYOUT.dumpLevel, excludeZero ? DUMP_LEVEL_EXCLUDE_ZERO : 0);
        if (vmcoreInfo.length > 0) {
            sub.putLong(LAYOUT.vmcoreInfoOffset, at).putLong(LAYOUT.vmcoreInfoOffset + Long.BYTES, vmcoreInfo.length);
        }
        if (notes.length > 0) {
            sub.putLong(LAYOUT.notesOffset, at + vmcoreInfo.length)
                    .putLong(LAYOUT.notesOffset + Long.BYTES, notes.length);
        }
        sub.putLong(LAYOUT.maxMapNumber64, pageCount);
        sub.put(SUB_HEADER, vmcoreInfo).put(SUB_HEADER + vmcoreInfo.length, notes);
        return MemorySegment.ofBuffer(sub.clear());
    }

    private static long number(String decimal) {
        try {
            return Long.parseLong(decimal.strip());
        } catch (NumberFormatException e) {
            return 0;
        }
    }
}
