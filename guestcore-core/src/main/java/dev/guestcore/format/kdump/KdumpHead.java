package dev.guestcore.format.kdump;

import dev.guestcore.Guest;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.file.CoreSink;
import dev.guestcore.internal.elf.NoteList;
import dev.guestcore.internal.kernel.UtsName;
import dev.guestcore.kernel.LinuxBanner;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * What stands before the bitmaps of a kdump that is written: header, sub-header and what hangs on it.
 *
 * @param subHeaderBlocks blocks between the header and the bitmaps
 * @param bitmapBlocks blocks of both bitmaps
 * @param pageCount the page frame behind the last that the bitmaps speak of
 * @param vmcoreInfo is among the notes, or empty
 */
record KdumpHead(
        Guest guest,
        String machine,
        ByteOrder order,
        PageCodec codec,
        long subHeaderBlocks,
        long bitmapBlocks,
        long pageCount,
        byte[] vmcoreInfo,
        ElfFacts.Content eraseInfo,
        NoteList notes) {

    private static final int BLOCK = 4096;
    private static final int SUB_HEADER = 104;
    private static final long NANOS_PER_MICRO = 1_000;
    private static final KdumpLayout LAYOUT = KdumpLayout.BITS_64;

    /** How many blocks the sub-header takes with what hangs on it. */
    static long blocks(NoteList notes, ElfFacts.Content eraseInfo) {
        return (SUB_HEADER + notes.size() + eraseInfo.size() + BLOCK - 1) / BLOCK;
    }

    /**
     * Writes it over zeros.
     *
     * @param banner looks for the banner
     */
    void write(CoreSink sink, Supplier<Optional<LinuxBanner>> banner) {
        sink.patch(0, header(UtsName.of(guest.memory(), machine, vmcoreInfo, banner)));
        sink.patch(BLOCK, subHeader());
        long[] at = {BLOCK + SUB_HEADER};
        byte[] piece = new byte[(int) Math.min(BLOCK, eraseInfo.size())];
        for (long done = 0; done < eraseInfo.size(); done += piece.length) {
            MemorySegment some =
                    MemorySegment.ofArray(piece).asSlice(0, Math.min(piece.length, eraseInfo.size() - done));
            eraseInfo.read(done, some);
            sink.patch(at[0], some);
            at[0] += some.byteSize();
        }
        notes.write(bytes -> {
            sink.patch(at[0], bytes);
            at[0] += bytes.byteSize();
        });
    }

    private MemorySegment header(List<String> names) {
        ByteBuffer header = ByteBuffer.allocate(BLOCK).order(ByteOrder.BIG_ENDIAN);
        header.putLong(0, KdumpLayout.SIGNATURE).order(order);
        header.putInt(KdumpLayout.HEADER_VERSION, KdumpLayout.NEWEST_VERSION);
        for (int i = 0; i < names.size(); i++) {
            byte[] text = names.get(i).getBytes(StandardCharsets.ISO_8859_1);
            int length = Math.min(text.length, KdumpLayout.UTSNAME_STRING - 1);
            header.put(KdumpLayout.UTSNAME + i * KdumpLayout.UTSNAME_STRING, text, 0, length);
        }
        Optional<Instant> taken = guest.provenance().takenAt();
        header.putLong(LAYOUT.status - 2 * Long.BYTES, taken.map(Instant::getEpochSecond).orElse(0L));
        header.putLong(LAYOUT.status - Long.BYTES, taken.map(Instant::getNano).orElse(0) / NANOS_PER_MICRO);
        header.putInt(LAYOUT.status, codec.flag());
        header.putInt(LAYOUT.blockSize, BLOCK);
        header.putInt(LAYOUT.subHeaderBlocks, (int) subHeaderBlocks);
        header.putInt(LAYOUT.bitmapBlocks, (int) bitmapBlocks);
        header.putInt(LAYOUT.maxMapNumber, (int) Math.min(pageCount, 0xffffffffL));
        header.putInt(LAYOUT.processorCount, guest.vcpus().size());
        return MemorySegment.ofBuffer(header.clear());
    }

    private MemorySegment subHeader() {
        ByteBuffer sub = ByteBuffer.allocate(SUB_HEADER).order(order);
        long base = new VmcoreInfoFacts(vmcoreInfo).fields().physicalBase().orElse(0);
        sub.putLong(LAYOUT.physicalBase, base);
        sub.putLong(LAYOUT.maxMapNumber64, pageCount);
        long erasedAt = BLOCK + SUB_HEADER;
        long notesAt = erasedAt + eraseInfo.size();
        place(sub, LAYOUT.eraseInfoOffset, erasedAt, eraseInfo.size());
        if (vmcoreInfo.length > 0) {
            // Within the notes, where makedumpfile takes it to be when it filters the file.
            place(sub, LAYOUT.vmcoreInfoOffset, notesAt + notes.descriptorOffset("VMCOREINFO"), vmcoreInfo.length);
        }
        place(sub, LAYOUT.notesOffset, notesAt, notes.size());
        return MemorySegment.ofBuffer(sub.clear());
    }

    /** Puts into the sub-header where something lies, if there is any of it. */
    private static void place(ByteBuffer sub, int field, long at, long size) {
        if (size > 0) {
            sub.putLong(field, at).putLong(field + Long.BYTES, size);
        }
    }
}
