package dev.guestcore.format.xen;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Builds dump-cores of every variant, from the documentation and not with our writer. Page i is filled with i + 1. */
final class XenImage {

    boolean elf64 = true;
    ByteOrder order = ByteOrder.LITTLE_ENDIAN;
    int machine = 62;
    long magic = 0xF00FEBEEL;
    boolean p2m;
    boolean tableFirst;
    boolean narrowNotes;
    boolean shifted;
    boolean sharedInfo = true;
    boolean mappedRegisters;
    int pageSize = 4096;
    long[] pfns = {0, 1, 2, 5};
    long[] mfns = {100, 99, 98, 7};
    byte[][] vcpus = {context64(0)};
    long notedPages = -1;
    long notedVcpus = -1;
    long formatVersion = 1;
    String capabilities = "xen-3.0-x86_64 hvm-3.0-x86_64 ";

    /** A 64-bit context: rip 0x1000 + n, cs 0x10, cr0 with paging off, cr3 0x3000, gs bases 0x11 (kernel) and 0x22. */
    static byte[] context64(int n) {
        ByteBuffer context = ByteBuffer.allocate(5168).order(ByteOrder.LITTLE_ENDIAN);
        context.putLong(512, 0x20).putLong(600, 0xaa00 + n).putLong(648, 0x1000 + n).putShort(656, (short) 0x10);
        context.putLong(4984, 0x11).putLong(5008, 0x3000).putLong(5152, 0x11).putLong(5160, 0x22);
        return context.array();
    }

    /** A 32-bit context of that size: eax 0xbb, eip 0xc0001000, cs 0x61, folded cr3 of machine address 0x123456000. */
    static byte[] context32(int size) {
        ByteBuffer context = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        context.putInt(512, 0x24).putInt(540, 0xbb).putInt(548, 0xc0001000).putShort(552, (short) 0x61);
        context.putInt(2728, 0x23456001);
        return context.array();
    }

    private record Section(String name, int type, long alignment, long entrySize, byte[] bytes) {}

    byte[] build() {
        List<Section> file = new ArrayList<>();
        int natural = machine == 50 ? 16 : 8;
        file.add(new Section(".note.Xen", 7, 0, 0, notes()));
        file.add(new Section(".xen_prstatus", 1, natural, vcpus[0].length, join(vcpus)));
        byte[] shared = new byte[pageSize];
        Arrays.fill(shared, (byte) 0x5a);
        byte[] mapped = new byte[16384 * vcpus.length];
        Arrays.fill(mapped, (byte) 0x6b);
        if (mappedRegisters) {
            // Headers in this order, data the other way round: each offset points at the other's bytes.
            byte[] both = join(shared, mapped);
            file.add(new Section(".xen_ia64_mapped_regs", 1, 8, 16384, slice(both, 0, mapped.length)));
            file.add(new Section(".xen_shared_info", 1, 8, pageSize, slice(both, mapped.length, pageSize)));
        } else if (sharedInfo) {
            file.add(new Section(".xen_shared_info", 1, 8, pageSize, shared));
        }
        byte[] pages = new byte[pfns.length * pageSize];
        for (int i = 0; i < pfns.length; i++) {
            Arrays.fill(pages, i * pageSize, (i + 1) * pageSize, (byte) (pfns[i] == -1 ? 0 : i + 1));
        }
        Section pageSection = new Section(".xen_pages", 1, pageSize, pageSize, pages);
        Section table = new Section(p2m ? ".xen_p2m" : ".xen_pfn", 1, 8, p2m ? 16 : 8, table());
        file.add(tableFirst ? table : pageSection);
        file.add(tableFirst ? pageSection : table);
        return assemble(file);
    }

    private byte[] assemble(List<Section> sections) {
        StringBuilder names = new StringBuilder("\0.shstrtab\0");
        int headerSize = elf64 ? 64 : 52;
        int stride = elf64 ? 64 : 40;
        int count = sections.size() + 2;
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        int start = headerSize + stride * count;
        ByteBuffer headers = ByteBuffer.allocate(stride * count).order(order);
        int at = 2 * stride;
        for (Section section : sections) {
            if (section.alignment == pageSize) {
                int offset = start + body.size();
                body.writeBytes(new byte[(pageSize - offset % pageSize) % pageSize]);
            }
            header(headers, at, names.length(), section.type, start + body.size(), section.bytes.length,
                    section.alignment, section.entrySize);
            at += stride;
            names.append(section.name).append('\0');
            body.writeBytes(section.bytes);
        }
        header(headers, stride, 1, 3, start + body.size(), names.length(), 0, 0);
        ByteBuffer elf = ByteBuffer.allocate(headerSize).order(order);
        elf.put(new byte[] {0x7f, 'E', 'L', 'F', (byte) (elf64 ? 2 : 1),
            (byte) (order == ByteOrder.LITTLE_ENDIAN ? 1 : 2), 1, 0, 1, 0, 0, 0, 0, 0, 0, 0});
        elf.putShort((short) 4).putShort((short) machine).putInt(1);
        word(elf, 0);
        word(elf, 0);
        word(elf, headerSize);
        elf.putInt(0).putShort((short) headerSize).putShort((short) (elf64 ? 56 : 32)).putShort((short) 0);
        elf.putShort((short) stride).putShort((short) count).putShort((short) 1);
        byte[] nameTable = names.toString().getBytes(StandardCharsets.US_ASCII);
        return join(elf.array(), headers.array(), body.toByteArray(), nameTable);
    }

    private void word(ByteBuffer buffer, long value) {
        if (elf64) {
            buffer.putLong(value);
        } else {
            buffer.putInt((int) value);
        }
    }

    private void header(
            ByteBuffer headers, int at, int name, int type, long offset, long size, long alignment, long entrySize) {
        headers.position(at);
        headers.putInt(name).putInt(type);
        word(headers, 0);
        word(headers, 0);
        word(headers, offset);
        word(headers, size);
        headers.putInt(0).putInt(0);
        word(headers, alignment);
        word(headers, entrySize);
    }

    private byte[] table() {
        ByteBuffer table = ByteBuffer.allocate(pfns.length * (p2m ? 16 : 8)).order(order);
        for (int i = 0; i < pfns.length; i++) {
            table.putLong(pfns[i]);
            if (p2m) {
                table.putLong(pfns[i] == -1 ? -1 : mfns[i]);
            }
        }
        return table.array();
    }

    private byte[] notes() {
        ByteBuffer notes = ByteBuffer.allocate(narrowNotes ? 1380 : 1384).order(order);
        note(notes, 0, 0x2000000);
        note(notes, 32, 0x2000001);
        notes.putLong(magic);
        notes.putLong(notedVcpus >= 0 ? notedVcpus : vcpus.length);
        notes.putLong(notedPages >= 0 ? notedPages : pfns.length).putLong(pageSize);
        note(notes, narrowNotes ? 1276 : 1280, 0x2000002);
        int version = notes.position();
        notes.putLong(4).putLong(17).put(".7".getBytes(StandardCharsets.US_ASCII));
        notes.put(version + 176, capabilities.getBytes(StandardCharsets.US_ASCII));
        if (narrowNotes || shifted) {
            notes.putInt(version + 1264, 0xf5800000);
            notes.putLong(version + 1268, pageSize);
        } else {
            notes.putLong(version + 1264, 0xffff800000000000L);
            notes.putLong(version + 1272, pageSize);
        }
        notes.position(version + (narrowNotes ? 1276 : 1280));
        note(notes, 8, 0x2000003);
        notes.putLong(formatVersion);
        return notes.array();
    }

    private static void note(ByteBuffer notes, int size, int type) {
        notes.putInt(4).putInt(size).putInt(type).put(new byte[] {'X', 'e', 'n', 0});
    }

    static byte[] join(byte[]... parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        return all.toByteArray();
    }

    private static byte[] slice(byte[] bytes, int from, int length) {
        return Arrays.copyOfRange(bytes, from, from + length);
    }
}
