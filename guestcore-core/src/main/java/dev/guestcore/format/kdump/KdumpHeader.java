package dev.guestcore.format.kdump;

import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.check.CappedFindings;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * Header and sub-header, checked: every place that they name lies in the file or is empty. The page descriptors are not
 * checked here, and the file may end before them.
 *
 * @param order byte order of the crashed machine
 * @param layout its word size
 * @param version header_version, 1 to 6
 * @param utsname system, node, release, version, machine, domain; empty strings where the writer left them out
 * @param takenAt when the kernel crashed or the guest was dumped
 * @param status codec flags that the writer meant to use
 * @param blockSize bytes of a block and of a page, a power of two
 * @param bitmapOffset file offset of the first bitmap
 * @param bitmapSize bytes of one bitmap
 * @param hasOneBitmap whether every page that exists is stored, so that one bitmap says both
 * @param pageCount pages that the bitmaps speak of: highest PFN + 1
 * @param descriptorsOffset file offset of the first page descriptor
 * @param physicalBase phys_base of the kernel as the writer saw it; QEMU writes it wrong under KASLR
 * @param dumpLevel which pages makedumpfile left out (its option -d)
 * @param split the part of the page frames that this file of a split set holds
 * @param vmcoreInfo where VMCOREINFO lies
 * @param notes where the ELF notes lie
 * @param eraseInfo where the list of erased data lies
 */
record KdumpHeader(
        ByteOrder order,
        KdumpLayout layout,
        int version,
        List<String> utsname,
        Optional<Instant> takenAt,
        long status,
        int blockSize,
        long bitmapOffset,
        long bitmapSize,
        boolean hasOneBitmap,
        long pageCount,
        long descriptorsOffset,
        long physicalBase,
        int dumpLevel,
        Optional<Split> split,
        Optional<Place> vmcoreInfo,
        Optional<Place> notes,
        Optional<Place> eraseInfo) {

    private static final int LARGEST_PAGE = 1 << 20;
    private static final int SMALLEST_PAGE = 512;
    private static final int RELEASE = 2;
    private static final int MACHINE = 4;
    /** Beginning of the year 10000; later times are nonsense. */
    private static final long LATEST_SECOND = 253_402_300_800L;

    private static final long MICROS_PER_SECOND = 1_000_000;
    private static final long NANOS_PER_MICRO = 1_000;

    /** The page frames of one file of a split set. */
    record Split(long firstPfn, long endPfn) {}

    /** Bytes in the file. */
    record Place(long offset, long size) {}

    static boolean isKdump(FileBytes file) {
        return file.size() >= KdumpLayout.BITS_64.processorCount + Integer.BYTES
                && file.u64(0, ByteOrder.BIG_ENDIAN, "signature") == KdumpLayout.SIGNATURE;
    }

    /**
     * Reads header and sub-header.
     *
     * @param findings receives what is damaged but can be done without
     */
    static KdumpHeader read(FileBytes file, CappedFindings findings) {
        ByteOrder order = byteOrder(file);
        int version = (int) file.u32(KdumpLayout.HEADER_VERSION, order, "header_version");
        List<String> utsname = utsname(file);
        KdumpLayout layout = layout(file, order, utsname.get(MACHINE));
        int blockSize = (int) file.u32(layout.blockSize, order, "block_size");
        long subHeaderBlocks = file.u32(layout.subHeaderBlocks, order, "sub_hdr_size");
        long bitmapBlocks = file.u32(layout.bitmapBlocks, order, "bitmap_blocks");
        long subHeader = blockSize;
        long subHeaderEnd = subHeader + subHeaderBlocks * blockSize;
        long pageCount = file.u32(layout.maxMapNumber, order, "max_mapnr");
        long pageCountAt = layout.maxMapNumber;
        if (version >= 6) {
            pageCountAt = subHeader + layout.maxMapNumber64;
            pageCount = file.u64(pageCountAt, order, "max_mapnr_64");
        }
        long bitmapsSize = bitmapBlocks * blockSize;
        file.require(subHeaderEnd, bitmapsSize, "bitmaps");
        long neededBytes = pageCount >>> 3;
        if ((pageCount & Byte.SIZE - 1) != 0) {
            neededBytes++;
        }
        // Kernels before makedumpfile wrote one bitmap only: then every page that exists is in the dump.
        long bitmapSize = neededBytes <= bitmapsSize / 2 ? bitmapsSize / 2 : bitmapsSize;
        if (neededBytes > bitmapSize) {
            throw file.malformed(
                    pageCountAt,
                    version >= 6 ? "max_mapnr_64" : "max_mapnr",
                    "at most " + bitmapSize * Byte.SIZE + " pages, as many as a bitmap has bits",
                    Long.toUnsignedString(pageCount),
                    "the header is damaged");
        }
        if (pageCount == 0) {
            throw file.malformed(
                    pageCountAt, "max_mapnr", "at least one page", "0", "there is no memory in this file");
        }
        return new KdumpHeader(
                order,
                layout,
                version,
                utsname,
                takenAt(file, layout, order),
                file.u32(layout.status, order, "status"),
                blockSize,
                subHeaderEnd,
                bitmapSize,
                bitmapSize == bitmapsSize,
                pageCount,
                subHeaderEnd + bitmapsSize,
                physicalBase(file, layout, order, subHeader),
                version >= 1 ? (int) file.u32(subHeader + layout.dumpLevel, order, "dump_level") : 0,
                split(file, layout, order, subHeader, version),
                place(file, layout, order, subHeader + layout.vmcoreInfoOffset, version >= 3, "vmcoreinfo", findings),
                place(file, layout, order, subHeader + layout.notesOffset, version >= 4, "note", findings),
                place(file, layout, order, subHeader + layout.eraseInfoOffset, version >= 5, "eraseinfo", findings));
    }

    /** Name of the machine as its kernel says it ("x86_64"), or empty. */
    String machine() {
        return utsname.get(MACHINE);
    }

    /** Whether all strings of utsname that readers insist on are there: all but the domain. */
    boolean namesKernel() {
        return utsname.subList(0, MACHINE + 1).stream().noneMatch(String::isEmpty);
    }

    /** Release of the kernel, or empty. */
    String release() {
        return utsname.get(RELEASE);
    }

    private static long physicalBase(FileBytes file, KdumpLayout layout, ByteOrder order, long subHeader) {
        long at = subHeader + layout.physicalBase;
        // A signed number: a relocated kernel may lie below the address that it was linked for.
        return layout.word == Long.BYTES
                ? file.u64(at, order, "phys_base")
                : (int) file.u32(at, order, "phys_base");
    }

    private static Optional<Split> split(
            FileBytes file, KdumpLayout layout, ByteOrder order, long subHeader, int version) {
        if (version < 2 || file.u32(subHeader + layout.split, order, "split") == 0) {
            return Optional.empty();
        }
        return Optional.of(
                version >= 6
                        ? new Split(
                                file.u64(subHeader + layout.splitStart64, order, "start_pfn_64"),
                                file.u64(subHeader + layout.splitEnd64, order, "end_pfn_64"))
                        : new Split(
                                word(file, layout, order, subHeader + layout.splitStart, "start_pfn"),
                                word(file, layout, order, subHeader + layout.splitEnd, "end_pfn")));
    }

    private static Optional<Instant> takenAt(FileBytes file, KdumpLayout layout, ByteOrder order) {
        long seconds = word(file, layout, order, layout.status - 2L * layout.word, "timestamp");
        long micros = word(file, layout, order, layout.status - (long) layout.word, "timestamp");
        boolean sensible = seconds > 0 && seconds < LATEST_SECOND && micros >= 0 && micros < MICROS_PER_SECOND;
        return sensible
                ? Optional.of(Instant.ofEpochSecond(seconds, micros * NANOS_PER_MICRO))
                : Optional.empty();
    }

    private static ByteOrder byteOrder(FileBytes file) {
        for (ByteOrder order : List.of(ByteOrder.LITTLE_ENDIAN, ByteOrder.BIG_ENDIAN)) {
            long version = file.u32(KdumpLayout.HEADER_VERSION, order, "header_version");
            if (version >= KdumpLayout.OLDEST_VERSION && version <= KdumpLayout.NEWEST_VERSION) {
                return order;
            }
        }
        throw file.malformed(
                KdumpLayout.HEADER_VERSION,
                "header_version",
                KdumpLayout.OLDEST_VERSION + " to " + KdumpLayout.NEWEST_VERSION,
                Long.toString(file.u32(KdumpLayout.HEADER_VERSION, ByteOrder.LITTLE_ENDIAN, "header_version")),
                "the header is damaged, or a newer makedumpfile wrote it; a newer Guestcore may read it");
    }

    /** Nothing in the header tells the word size; only one of the layouts finds a sensible block size. */
    private static KdumpLayout layout(FileBytes file, ByteOrder order, String machine) {
        for (KdumpLayout layout : List.of(KdumpLayout.BITS_64, KdumpLayout.BITS_32)) {
            long blockSize = file.u32(layout.blockSize, order, "block_size");
            long subHeaderBlocks = file.u32(layout.subHeaderBlocks, order, "sub_hdr_size");
            boolean powerOfTwo = blockSize >= SMALLEST_PAGE
                    && blockSize <= LARGEST_PAGE
                    && (blockSize & blockSize - 1) == 0;
            if (powerOfTwo && subHeaderBlocks > 0 && file.holds(blockSize, subHeaderBlocks * blockSize)) {
                boolean x86 = machine.matches("|Unknown|i[3-6]86|x86_64");
                return layout == KdumpLayout.BITS_32 && !x86 ? KdumpLayout.BITS_32_ALIGNED : layout;
            }
        }
        throw file.malformed(
                KdumpLayout.BITS_64.blockSize,
                "block_size",
                "a power of two from " + SMALLEST_PAGE + " to " + LARGEST_PAGE + " and a sub-header within the file",
                Long.toString(file.u32(KdumpLayout.BITS_64.blockSize, order, "block_size")),
                "the header is damaged or the file cut short");
    }

    private static List<String> utsname(FileBytes file) {
        return IntStream.range(0, 6)
                .mapToObj(index -> {
                    long offset = KdumpLayout.UTSNAME + (long) index * KdumpLayout.UTSNAME_STRING;
                    byte[] bytes = file.bytes(offset, KdumpLayout.UTSNAME_STRING, "utsname");
                    String text = new String(bytes, StandardCharsets.ISO_8859_1);
                    int nul = text.indexOf('\0');
                    return nul < 0 ? text : text.substring(0, nul);
                })
                .toList();
    }

    private static Optional<Place> place(
            FileBytes file,
            KdumpLayout layout,
            ByteOrder order,
            long at,
            boolean present,
            String what,
            CappedFindings findings) {
        if (!present) {
            return Optional.empty();
        }
        long offset = file.u64(at, order, "offset_" + what);
        long size = word(file, layout, order, at + Long.BYTES, "size_" + what);
        if (offset == 0 || size == 0) {
            return Optional.empty();
        }
        if (!file.holds(offset, size)) {
            findings.damage(file.malformed(
                    at,
                    "offset_" + what + " and size_" + what,
                    "a place in the file of " + file.size() + " bytes",
                    Long.toUnsignedString(size) + " bytes at 0x" + Long.toHexString(offset),
                    "what is there is lost"));
            return Optional.empty();
        }
        return Optional.of(new Place(offset, size));
    }

    private static long word(FileBytes file, KdumpLayout layout, ByteOrder order, long at, String field) {
        return layout.word == Long.BYTES ? file.u64(at, order, field) : file.u32(at, order, field);
    }
}
