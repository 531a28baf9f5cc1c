package dev.guestcore.format.xen;

import dev.guestcore.facts.XenFacts;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * Where the parts of a file lay that is to be written again as it was.
 *
 * @param order byte order of the file
 * @param parts the sections that take room, by offset, not overlapping; among them the section headers
 */
record FileFrame(ByteOrder order, List<Part> parts) {

    private static final int CLASS = 4;
    private static final int DATA = 5;
    private static final int ELF64 = 2;
    private static final int IA64_SLOT = 16384;

    /**
     * A section, or the section headers themselves, whose name is empty.
     *
     * @param name of the section
     * @param offset in the file
     * @param size in bytes
     * @param entrySize sh_entsize
     */
    record Part(String name, long offset, long size, long entrySize) {}

    /** Reads the frame back from the small parts; empty if they do not make one that can be written. */
    static Optional<FileFrame> parse(XenFacts.FileParts layout) {
        byte[] elf = layout.elfHeader();
        if (elf.length < 52 || !XenNotes.isPageSize(layout.pageSize())) {
            return Optional.empty();
        }
        boolean wide = elf[CLASS] == ELF64;
        ByteOrder order = elf[DATA] == 1 ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN;
        int headerSize = wide ? 64 : 52;
        int stride = wide ? 64 : 40;
        if (elf.length != headerSize || layout.sectionHeaders().length % stride != 0) {
            return Optional.empty();
        }
        ByteBuffer header = ByteBuffer.wrap(elf).order(order);
        long tableOffset = wide ? header.getLong(40) : Integer.toUnsignedLong(header.getInt(32));
        ByteBuffer table = ByteBuffer.wrap(layout.sectionHeaders()).order(order);
        List<Part> parts = new ArrayList<>();
        parts.add(new Part("", tableOffset, layout.sectionHeaders().length, stride));
        for (int at = 0; at < table.capacity(); at += stride) {
            if (table.getInt(at + 4) == 0) {
                continue;
            }
            String name = name(layout.names(), table.getInt(at));
            long offset = wide ? table.getLong(at + 24) : Integer.toUnsignedLong(table.getInt(at + 16));
            long size = wide ? table.getLong(at + 32) : Integer.toUnsignedLong(table.getInt(at + 20));
            long entrySize = wide ? table.getLong(at + 56) : Integer.toUnsignedLong(table.getInt(at + 36));
            if (!DumpFile.KNOWN.contains(name) || parts.stream().anyMatch(part -> part.name().equals(name))) {
                return Optional.empty();
            }
            parts.add(new Part(name, offset, size, entrySize));
        }
        unswap(parts);
        parts.sort(Comparator.comparingLong(Part::offset));
        long end = headerSize;
        for (Part part : parts) {
            if (part.offset() < end || part.size() < 0 || part.offset() > Long.MAX_VALUE - part.size()) {
                return Optional.empty();
            }
            end = part.offset() + part.size();
        }
        return Optional.of(new FileFrame(order, List.copyOf(parts)));
    }

    /** In ia64 PV dumps these two have each other's offset in their headers. */
    private static void unswap(List<Part> parts) {
        int mapped = indexOf(parts, DumpFile.MAPPED_REGISTERS);
        int shared = indexOf(parts, DumpFile.SHARED_INFO);
        if (mapped < 0 || shared < 0) {
            return;
        }
        Part registers = parts.get(mapped);
        Part page = parts.get(shared);
        if (registers.offset() + registers.size() == page.offset() && registers.entrySize() == IA64_SLOT) {
            parts.set(shared, new Part(page.name(), registers.offset(), page.size(), page.entrySize()));
            parts.set(
                    mapped,
                    new Part(
                            registers.name(),
                            registers.offset() + page.size(),
                            registers.size(),
                            registers.entrySize()));
        }
    }

    private static int indexOf(List<Part> parts, String name) {
        for (int i = 0; i < parts.size(); i++) {
            if (parts.get(i).name().equals(name)) {
                return i;
            }
        }
        return -1;
    }

    private static String name(byte[] names, int offset) {
        if (offset < 0 || offset >= names.length) {
            return "";
        }
        int end = offset;
        while (end < names.length && names[end] != 0) {
            end++;
        }
        return new String(names, offset, end - offset, StandardCharsets.ISO_8859_1);
    }

    /** The section of that name. */
    Optional<Part> part(String name) {
        return parts.stream().filter(part -> part.name().equals(name)).findFirst();
    }
}
