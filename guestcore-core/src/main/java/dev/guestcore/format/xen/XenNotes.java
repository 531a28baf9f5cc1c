package dev.guestcore.format.xen;

import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.facts.XenFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.elf.ElfNote;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The notes of .note.Xen (docs/formats/xen-dump-core.md, section 3): NONE, HEADER, XEN_VERSION, FORMAT_VERSION, each
 * named "Xen". In the byte order of the file.
 *
 * @param notes all notes, in file order
 * @param header the first HEADER note, if there is one and it is long enough
 * @param version the first XEN_VERSION note, likewise
 * @param formatVersion the value of the first FORMAT_VERSION note, likewise
 * @param problem where the walk over the notes stopped short, if it did
 */
record XenNotes(
        List<ElfNote> notes,
        Optional<Header> header,
        Optional<VersionNote> version,
        Optional<Long> formatVersion,
        Optional<String> problem) {

    static final long TYPE_NONE = 0x2000000;
    static final long TYPE_HEADER = 0x2000001;
    static final long TYPE_VERSION = 0x2000002;
    static final long TYPE_FORMAT = 0x2000003;

    /** Magic of a PV guest. */
    static final long MAGIC_PV = 0xF00FEBEDL;
    /** Magic of an HVM or PVH guest. */
    static final long MAGIC_HVM = 0xF00FEBEEL;

    /** The only format version that was ever written: major 0, minor 1. */
    static final long FORMAT = 1;

    /** Size of the section that 64-bit tools write. */
    static final int SIZE = 1384;

    /** More than this is not four notes; it is not walked. */
    static final long LARGEST = 64 << 10;

    static final int HEADER_SIZE = 32;
    /** Size of the XEN_VERSION structure of 64-bit tools. */
    static final int VERSION_SIZE = 1280;
    /** Size of the XEN_VERSION structure of 32-bit x86 tools. */
    static final int VERSION_SIZE_32 = 1276;

    private static final String NAME = "Xen";
    private static final int EXTRA = 16;
    private static final int COMPILER = 32;
    private static final int COMPILED_BY = 96;
    private static final int DOMAIN = 112;
    private static final int DATE = 144;
    private static final int CAPABILITIES = 176;
    private static final int CHANGESET = 1200;
    private static final int VIRTUAL_START = 1264;
    private static final int PAGE_SIZE_NARROW = 1268;
    private static final int PAGE_SIZE = 1272;

    /**
     * The HEADER note.
     *
     * @param offset file offset of its descriptor
     * @param magic what kind of guest
     * @param vcpus number of vCPU contexts
     * @param pages number of pages
     * @param pageSize bytes of a page
     */
    record Header(long offset, long magic, long vcpus, long pages, long pageSize) {}

    /**
     * The XEN_VERSION note.
     *
     * @param offset file offset of its descriptor
     * @param size of the descriptor in bytes
     * @param shape where page size and virtual start stand
     * @param version what it says
     */
    record VersionNote(long offset, long size, Shape shape, XenFacts.Version version) {}

    /** The three forms that the XEN_VERSION note is found in. */
    enum Shape {
        /** 64-bit tools. */
        WIDE,
        /** 32-bit x86 tools: virtual start has four bytes, and the whole is four bytes shorter. */
        NARROW,
        /** 64-bit tools over a 32-bit PV guest: as long as WIDE, the page size four bytes lower. */
        SHIFTED
    }

    /** Reads the notes; what is wrong with them becomes {@link #problem()}. */
    static XenNotes read(FileBytes file, ByteOrder order, long offset, long size) {
        List<ElfNote> notes = new ArrayList<>();
        Optional<String> problem = Optional.empty();
        long end = offset + Math.min(size, LARGEST);
        if (size > LARGEST) {
            problem = Optional.of("at offset 0x" + Long.toHexString(offset) + ": .note.Xen: expected " + SIZE
                    + " bytes, found " + size + "; only the first " + LARGEST + " are read");
        }
        try {
            for (long at = offset; at < end;) {
                ElfNote note = ElfNote.read(file, order, at, end);
                notes.add(note);
                at = note.end();
            }
        } catch (MalformedDumpException e) {
            problem = Optional.of(withoutName(file, e));
        }
        Optional<Header> header = find(notes, TYPE_HEADER, HEADER_SIZE).map(note -> {
            long at = note.descriptorOffset();
            return new Header(
                    at,
                    file.u64(at, order, "xch_magic"),
                    file.u64(at + 8, order, "xch_nr_vcpus"),
                    file.u64(at + 16, order, "xch_nr_pages"),
                    file.u64(at + 24, order, "xch_page_size"));
        });
        Optional<VersionNote> version =
                find(notes, TYPE_VERSION, VERSION_SIZE_32).map(note -> readVersion(file, order, note));
        Optional<Long> format = find(notes, TYPE_FORMAT, Long.BYTES)
                .map(note -> file.u64(note.descriptorOffset(), order, "format version"));
        return new XenNotes(List.copyOf(notes), header, version, format, problem);
    }

    /** The message of an error without the file's name, which findings do not repeat. */
    static String withoutName(FileBytes file, MalformedDumpException e) {
        String prefix = file.name() + ": ";
        String message = String.valueOf(e.getMessage());
        return message.startsWith(prefix) ? message.substring(prefix.length()) : message;
    }

    /** The note of that type, if there is one. */
    Optional<ElfNote> ofType(long type) {
        return find(notes, type, 0);
    }

    private static Optional<ElfNote> find(List<ElfNote> notes, long type, long leastSize) {
        return notes.stream()
                .filter(note -> note.type() == type && note.name().equals(NAME) && note.descriptorSize() >= leastSize)
                .findFirst();
    }

    private static VersionNote readVersion(FileBytes file, ByteOrder order, ElfNote note) {
        int size = (int) Math.min(note.descriptorSize(), VERSION_SIZE);
        ByteBuffer bytes = ByteBuffer.wrap(file.bytes(note.descriptorOffset(), size, "XEN_VERSION"))
                .order(order);
        Shape shape = Shape.WIDE;
        if (size < VERSION_SIZE) {
            shape = Shape.NARROW;
        } else if (!isPageSize(bytes.getLong(PAGE_SIZE)) && isPageSize(bytes.getLong(PAGE_SIZE_NARROW))) {
            shape = Shape.SHIFTED;
        }
        long virtualStart = shape == Shape.WIDE
                ? bytes.getLong(VIRTUAL_START)
                : Integer.toUnsignedLong(bytes.getInt(VIRTUAL_START));
        XenFacts.Version version = XenFacts.Version.builder(bytes.getLong(0), bytes.getLong(8))
                .extra(text(bytes, EXTRA, COMPILER))
                .compiler(text(bytes, COMPILER, COMPILED_BY))
                .compiledBy(text(bytes, COMPILED_BY, DOMAIN))
                .compileDomain(text(bytes, DOMAIN, DATE))
                .compileDate(text(bytes, DATE, CAPABILITIES))
                .capabilities(text(bytes, CAPABILITIES, CHANGESET))
                .changeset(text(bytes, CHANGESET, VIRTUAL_START))
                .virtualStart(virtualStart)
                .pageSize(bytes.getLong(shape == Shape.WIDE ? PAGE_SIZE : PAGE_SIZE_NARROW))
                .build();
        return new VersionNote(note.descriptorOffset(), note.descriptorSize(), shape, version);
    }

    /** Whether it is a size that pages have on some processor. */
    static boolean isPageSize(long size) {
        return size >= 4096 && size <= 65536 && Long.bitCount(size) == 1;
    }

    private static String text(ByteBuffer bytes, int from, int to) {
        byte[] field = Arrays.copyOfRange(bytes.array(), from, to);
        int length = 0;
        while (length < field.length && field[length] != 0) {
            length++;
        }
        return new String(field, 0, length, StandardCharsets.ISO_8859_1);
    }

    /** The section that 64-bit tools write, {@link #SIZE} bytes, little-endian. */
    static byte[] write(Header header, XenFacts.Version version, boolean shifted) {
        ByteBuffer section = ByteBuffer.allocate(SIZE).order(ByteOrder.LITTLE_ENDIAN);
        putHeader(section, 0, TYPE_NONE);
        putHeader(section, HEADER_SIZE, TYPE_HEADER);
        section.putLong(header.magic()).putLong(header.vcpus()).putLong(header.pages()).putLong(header.pageSize());
        putHeader(section, VERSION_SIZE, TYPE_VERSION);
        int start = section.position();
        section.putLong(version.major()).putLong(version.minor());
        putText(section, start, EXTRA, COMPILER, version.extra());
        putText(section, start, COMPILER, COMPILED_BY, version.compiler());
        putText(section, start, COMPILED_BY, DOMAIN, version.compiledBy());
        putText(section, start, DOMAIN, DATE, version.compileDomain());
        putText(section, start, DATE, CAPABILITIES, version.compileDate());
        putText(section, start, CAPABILITIES, CHANGESET, version.capabilities());
        putText(section, start, CHANGESET, VIRTUAL_START, version.changeset());
        section.putLong(start + VIRTUAL_START, version.virtualStart());
        section.putLong(start + (shifted ? PAGE_SIZE_NARROW : PAGE_SIZE), version.pageSize());
        section.position(start + VERSION_SIZE);
        putHeader(section, Long.BYTES, TYPE_FORMAT);
        section.putLong(FORMAT);
        return section.array();
    }

    private static void putHeader(ByteBuffer section, int size, long type) {
        section.putInt(NAME.length() + 1).putInt(size).putInt((int) type);
        section.put(NAME.getBytes(StandardCharsets.US_ASCII)).put((byte) 0);
    }

    private static void putText(ByteBuffer section, int start, int from, int to, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
        section.put(start + from, bytes, 0, Math.min(bytes.length, to - from));
    }
}
