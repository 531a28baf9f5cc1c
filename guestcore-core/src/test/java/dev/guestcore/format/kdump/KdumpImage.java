package dev.guestcore.format.kdump;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * Builds kdumps for tests out of the C structures of makedumpfile's diskdump_mod.h: fields one after the other, each aligned
 * as the C compiler of the machine does it. Knows nothing of the code under test.
 */
final class KdumpImage {

    /** How a C compiler lays out: width of a long, alignment of 64-bit integers. */
    enum Machine {
        X86_64(8, 8, ByteOrder.LITTLE_ENDIAN, "x86_64"),
        I686(4, 4, ByteOrder.LITTLE_ENDIAN, "i686"),
        ARM(4, 8, ByteOrder.LITTLE_ENDIAN, "armv7l"),
        PPC64(8, 8, ByteOrder.BIG_ENDIAN, "ppc64"),
        PPC(4, 8, ByteOrder.BIG_ENDIAN, "ppc");

        final int word;
        final int alignment;
        final ByteOrder order;
        final String label;

        Machine(int word, int alignment, ByteOrder order, String label) {
            this.word = word;
            this.alignment = alignment;
            this.order = order;
            this.label = label;
        }
    }

    private record Page(byte[] stored, int flags) {}

    private final Machine machine;
    private final int version;
    private final int blockSize;
    private final NavigableMap<Integer, Page> pages = new TreeMap<>();
    private final BitSet exists = new BitSet();
    private final Map<String, Integer> places = new LinkedHashMap<>();
    private String machineName;
    private String release = "6.1.0-test";
    private boolean oneBitmap;
    private byte[] vmcoreInfo = new byte[0];
    private byte[] notes = new byte[0];
    private byte[] eraseInfo = new byte[0];
    private long physicalBase;
    private int dumpLevel;
    private int status;
    private int splitFirst;
    private int splitEnd;
    private int pageCount;

    KdumpImage(Machine machine, int version, int blockSize) {
        this.machine = machine;
        this.machineName = machine.label;
        this.version = version;
        this.blockSize = blockSize;
    }

    KdumpImage page(int pfn, byte[] stored, int flags) {
        pages.put(pfn, new Page(stored, flags));
        return exists(pfn);
    }

    KdumpImage exists(int pfn) {
        exists.set(pfn);
        return this;
    }

    KdumpImage oneBitmap() {
        oneBitmap = true;
        return this;
    }

    /** Names the machine otherwise. */
    KdumpImage machine(String name) {
        machineName = name;
        return this;
    }

    KdumpImage release(String text) {
        release = text;
        return this;
    }

    KdumpImage vmcoreInfo(String text) {
        vmcoreInfo = text.getBytes(StandardCharsets.ISO_8859_1);
        return this;
    }

    KdumpImage notes(byte[] bytes) {
        notes = bytes;
        return this;
    }

    KdumpImage eraseInfo(String text) {
        eraseInfo = text.getBytes(StandardCharsets.ISO_8859_1);
        return this;
    }

    KdumpImage physicalBase(long base) {
        physicalBase = base;
        return this;
    }

    KdumpImage dumpLevel(int level) {
        dumpLevel = level;
        return this;
    }

    KdumpImage status(int flags) {
        status = flags;
        return this;
    }

    KdumpImage split(int first, int end) {
        splitFirst = first;
        splitEnd = end;
        return this;
    }

    /** Pages that the bitmaps speak of, where that is more than up to the last. */
    KdumpImage pageCount(int count) {
        pageCount = count;
        return this;
    }

    /** Where a field landed; known after {@link #bytes}. */
    int at(String field) {
        return places.get(field);
    }

    Path write(Path target) {
        try {
            return Files.write(target, bytes());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    byte[] bytes() {
        int count = Math.max(pageCount, exists.length());
        int bitmapBlocks = (count / 8 + blockSize) / blockSize;
        Structure sub = new Structure();
        Structure header = new Structure();
        int subSize = 200 + vmcoreInfo.length + notes.length + eraseInfo.length;
        int subBlocks = (subSize + blockSize - 1) / blockSize;

        header.raw("KDUMP   ".getBytes(StandardCharsets.US_ASCII));
        header.u32("header_version", version);
        for (String name : new String[] {"Linux", "node", release, "#1 SMP", machineName, "(none)"}) {
            header.raw(ByteBuffer.allocate(65).put(name.getBytes(StandardCharsets.ISO_8859_1)).array());
        }
        header.word("tv_sec", 1_700_000_000);
        header.word("tv_usec", 250_000);
        header.u32("status", status);
        header.u32("block_size", blockSize);
        header.u32("sub_hdr_size", subBlocks);
        header.u32("bitmap_blocks", (oneBitmap ? 1 : 2) * bitmapBlocks);
        header.u32("max_mapnr", count);
        header.u32("total_ram_blocks", 0);
        header.u32("device_blocks", 0);
        header.u32("written_blocks", 0);
        header.u32("current_cpu", 0);
        header.u32("nr_cpus", 1);

        int texts = blockSize + 200;
        sub.word("phys_base", physicalBase);
        sub.u32("dump_level", version >= 1 ? dumpLevel : 0);
        sub.u32("split", splitEnd > 0 ? 1 : 0);
        sub.word("start_pfn", version >= 6 ? 0 : splitFirst);
        sub.word("end_pfn", version >= 6 ? 0 : splitEnd);
        texts = sub.place("vmcoreinfo", texts, vmcoreInfo.length);
        texts = sub.place("note", texts, notes.length);
        sub.place("eraseinfo", texts, eraseInfo.length);
        sub.u64("start_pfn_64", splitFirst);
        sub.u64("end_pfn_64", splitEnd);
        sub.u64("max_mapnr_64", count);

        ByteArrayOutputStream file = new ByteArrayOutputStream();
        pad(file, header.bytes.toByteArray(), 0, blockSize);
        header.places.forEach(places::put);
        sub.places.forEach((field, at) -> places.put(field, at + blockSize));
        ByteArrayOutputStream second = new ByteArrayOutputStream();
        pad(second, sub.bytes.toByteArray(), 0, 200);
        second.writeBytes(vmcoreInfo);
        second.writeBytes(notes);
        second.writeBytes(eraseInfo);
        pad(file, second.toByteArray(), 0, subBlocks * blockSize);
        places.put("bitmap", file.size());
        pad(file, exists.toByteArray(), 0, bitmapBlocks * blockSize);
        if (!oneBitmap) {
            BitSet stored = new BitSet();
            pages.keySet().forEach(stored::set);
            pad(file, stored.toByteArray(), 0, bitmapBlocks * blockSize);
        }
        places.put("descriptors", file.size());
        NavigableMap<Integer, Page> own = splitEnd > 0 ? pages.subMap(splitFirst, true, splitEnd, false) : pages;
        long data = file.size() + 24L * own.size();
        places.put("data", (int) data);
        for (Page page : own.values()) {
            file.writeBytes(ByteBuffer.allocate(24)
                    .order(machine.order)
                    .putLong(data)
                    .putInt(page.stored().length)
                    .putInt(page.flags())
                    .putLong(0)
                    .array());
            data += page.stored().length;
        }
        own.values().forEach(page -> file.writeBytes(page.stored()));
        return file.toByteArray();
    }

    private static void pad(ByteArrayOutputStream target, byte[] bytes, int from, int size) {
        byte[] padded = new byte[size];
        System.arraycopy(bytes, from, padded, 0, bytes.length);
        target.writeBytes(padded);
    }

    /** A C structure under construction. */
    private final class Structure {

        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        private final Map<String, Integer> places = new LinkedHashMap<>();

        void raw(byte[] content) {
            bytes.writeBytes(content);
        }

        void u32(String field, int value) {
            put(field, 4, 4, value);
        }

        void word(String field, long value) {
            put(field, machine.word, machine.word, value);
        }

        void u64(String field, long value) {
            put(field, 8, machine.alignment, value);
        }

        int place(String what, int at, int size) {
            u64("offset_" + what, size == 0 ? 0 : at);
            word("size_" + what, size);
            return at + size;
        }

        private void put(String field, int width, int alignment, long value) {
            while (bytes.size() % alignment != 0) {
                bytes.write(0);
            }
            places.put(field, bytes.size());
            ByteBuffer buffer = ByteBuffer.allocate(8).order(machine.order).putLong(0, value);
            int from = machine.order == ByteOrder.BIG_ENDIAN ? 8 - width : 0;
            bytes.write(buffer.array(), from, width);
        }
    }
}
