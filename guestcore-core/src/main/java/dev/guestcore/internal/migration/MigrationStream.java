package dev.guestcore.internal.migration;

import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.UnsupportedRequestException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.ReadableByteChannel;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import org.jspecify.annotations.Nullable;

/**
 * Reads QEMU's migration stream, forward only and through one small buffer: memory goes to a {@link RamSink} as it comes,
 * the state of the devices is decoded at the end. Big-endian; source: docs/formats/vmstate.md. Not thread-safe.
 *
 * <pre>
 * header        u32 "QEVM", u32 version 3
 * 07            u32 length, machine name; 05 subsections may follow
 * 01 04         u32 section, u8 length, name, u32 instance, u32 version, data     (start; whole)
 * 02 03         u32 section, data                                                 (part; end)
 * 7e            u32 section                                                       (foot of each of the four)
 * 08            u16 command, u16 length, data
 * 00            end of the sections
 * 06            u32 length, JSON description of the sections of kind 04
 *
 * data of section "ram", version 4: u64 words, flags in the low 12 bits, offset in the block above them
 * 004           total size instead of an offset; then u8 length, block name, u64 size, until the total is reached
 * 008           4096 bytes follow                                    020  same block as before, else u8 length, name
 * 002           one byte follows: all of the page is like it         010  end of this section's data
 * 100           u32 length, page compressed by zlib                  200  mark of multifd, without data
 * </pre>
 *
 * <p>Sections of devices carry no length: from the first of them on everything is kept, up to a limit, and the description
 * tells where the stream ends. What lies behind it, as on a volume that is larger than the stream, is left alone.
 */
public final class MigrationStream {

    /** First four bytes. */
    public static final int MAGIC = 0x5145564d;

    /** Second four bytes. */
    public static final int VERSION = 3;

    /** No machine is known whose devices need more; a limit, because a hostile stream can claim anything. */
    private static final long MOST_DEVICE_STATE = 64L << 20;

    private static final String MAPPED_RAM = "mapped-ram";
    private static final int MOST_CAPABILITIES = 256;
    private static final int MOST_BLOCKS = 4096;
    private static final int MOST_NAME = 255;
    private static final int RAM_VERSION = 4;
    /** What zlib can need at most for 4096 bytes that do not compress. */
    private static final int MOST_COMPRESSED = 4096 + 64;

    private static final int END = 0x00;
    private static final int START = 0x01;
    private static final int PART = 0x02;
    private static final int LAST_PART = 0x03;
    private static final int FULL = 0x04;
    private static final int SUBSECTION = 0x05;
    private static final int DESCRIPTION = 0x06;
    private static final int CONFIGURATION = 0x07;
    private static final int COMMAND = 0x08;
    private static final int FOOTER = 0x7e;

    private static final int FILL = 0x002;
    private static final int MEMORY_SIZE = 0x004;
    private static final int PAGE = 0x008;
    private static final int END_OF_RUN = 0x010;
    private static final int SAME_BLOCK = 0x020;
    private static final int XBZRLE = 0x040;
    private static final int HOOK = 0x080;
    private static final int COMPRESSED = 0x100;
    private static final int MULTIFD = 0x200;

    /** Commands that do not change what follows: return path, ping, postcopy announced, bitmap, switch-over begins. */
    private static final Set<Integer> HARMLESS_COMMANDS = Set.of(1, 2, 3, 9, 11);

    private final ReadableByteChannel channel;
    private final String name;
    private final long origin;
    private final RamSink sink;
    private final SkippedSections skipped = new SkippedSections();
    private final List<RamBlock> blocks = new ArrayList<>();
    private final Map<String, RamBlock> blocksByName = new HashMap<>();
    private String machine = "";
    private int ramSection = -1;
    private boolean ramComplete;
    private @Nullable RamBlock current;

    /**
     * A stream that nothing has been read of yet.
     *
     * @param channel blocking; stays open
     * @param name what the stream is called in messages
     * @param sink takes the memory
     */
    public MigrationStream(ReadableByteChannel channel, String name, RamSink sink) {
        this(channel, name, 0, sink);
    }

    /**
     * A stream behind something else, which counts in all positions.
     *
     * @param channel blocking, at the stream's first byte; stays open
     * @param name what the stream is called in messages
     * @param origin position of the stream's first byte
     * @param sink takes the memory
     */
    public MigrationStream(ReadableByteChannel channel, String name, long origin, RamSink sink) {
        this.origin = origin;
        this.channel = channel;
        this.name = name;
        this.sink = sink;
    }

    /** QEMU's machine type, as far as it was read; empty if the stream does not say. */
    public String machine() {
        return machine;
    }

    /** The blocks that were read so far, also after an error. */
    public List<RamBlock> blocks() {
        return List.copyOf(blocks);
    }

    /** Whether the end of the memory was reached, also after an error. */
    public boolean isRamComplete() {
        return ramComplete;
    }

    /**
     * Reads all of the stream, up to its end. What is wrong with the state of the devices becomes a finding, because the
     * memory is there by then.
     *
     * @return what the stream holds beside memory
     * @throws MalformedDumpException if it breaks off or breaks a rule before its memory is complete
     * @throws UnsupportedRequestException if QEMU wrote it in a way that this reader does not know
     * @throws dev.guestcore.error.SourceException if reading fails
     */
    public MachineState read() {
        try (Arena arena = Arena.ofConfined()) {
            StreamBuffer in = new StreamBuffer(channel, name, origin, arena);
            readHeader(in);
            readSections(in);
            long start = in.position();
            MemorySegment devices = in.rest(MOST_DEVICE_STATE, arena);
            return new DeviceSections(devices, in.has(1), start, name).read(machine, blocks);
        }
    }

    private void readHeader(StreamBuffer in) {
        int magic = in.i32("magic");
        if (magic != MAGIC) {
            throw new MalformedDumpException(name, origin, "magic", "5145564d \"QEVM\"", String.format("%08x", magic),
                    "this is no QEMU migration stream");
        }
        int version = in.i32("version");
        if (version != VERSION) {
            throw new MalformedDumpException(name, origin + 4, "version", Integer.toString(VERSION),
                    Integer.toUnsignedString(version), "versions before 3 come from QEMU before 0.11");
        }
        if (in.peek() == CONFIGURATION) {
            in.skip(1, "configuration");
            int length = in.i32("length of the machine name");
            if (length < 0 || length > MOST_NAME) {
                throw in.malformed("length of the machine name", "at most " + MOST_NAME,
                        Integer.toUnsignedString(length), "");
            }
            machine = in.text(length, "machine name");
            while (in.peek() == SUBSECTION) {
                in.skip(1, "subsection");
                readConfiguration(in);
            }
        }
    }

    private void readConfiguration(StreamBuffer in) {
        String subsection = in.text(in.u8("length of a subsection name"), "subsection name");
        in.i32("version of subsection " + subsection);
        switch (subsection) {
            case "configuration/target-page-bits" -> {
                int bits = in.i32("page bits");
                if (bits != 12) {
                    throw in.malformed("page bits", "12", Integer.toUnsignedString(bits),
                            "only guests with pages of 4 KiB can be read");
                }
            }
            case "configuration/uuid" -> in.skip(16, "UUID");
            case "configuration/capabilities" -> {
                int count = in.i32("number of capabilities");
                String capability = "";
                for (int i = 0; i < count && i < MOST_CAPABILITIES && !capability.equals(MAPPED_RAM); i++) {
                    capability = in.text(in.u8("length of a capability"), "capability");
                }
                if (capability.equals(MAPPED_RAM)) {
                    throw new UnsupportedRequestException(name
                            + ": a file of QEMU's mapped-ram (QEMU 9.0 and later, with or"
                            + " without multifd; libvirt's save_image_format \"sparse\"), which Guestcore does not read yet; "
                            + OtherWays.LOAD_MAPPED);
                }
                if (count != 0) {
                    throw refused("capability " + capability);
                }
            }
            default -> throw in.malformed("configuration subsection",
                    "configuration/target-page-bits, uuid or capabilities", subsection,
                    "a newer QEMU than Guestcore knows wrote this stream");
        }
    }

    private UnsupportedRequestException refused(String what) {
        return new UnsupportedRequestException(
                name + ": QEMU wrote this stream with " + what + ", which Guestcore cannot"
                        + " read; " + OtherWays.LOAD);
    }

    /** Up to the first section of a device. */
    private void readSections(StreamBuffer in) {
        while (true) {
            int type = in.peek();
            switch (type) {
                case START -> readStart(in);
                case PART, LAST_PART -> readPart(in);
                case COMMAND -> readCommand(in);
                case FULL, END, DESCRIPTION -> {
                    if (ramSection < 0) {
                        refuseWithoutMemory(in, type);
                    }
                    ramComplete = true;
                    return;
                }
                case -1 -> throw in.malformed("section", "a section of memory or devices", "the end of the stream",
                        "the stream is cut short");
                default -> throw in.malformed("type of a section", "00 to 08", String.format("%02x", type),
                        "the stream is damaged from here on");
            }
        }
    }

    private void refuseWithoutMemory(StreamBuffer in, int type) {
        if (type != FULL) {
            throw in.malformed("section \"ram\"", "memory before the end of the sections", "none",
                    "there is nothing to read in this stream");
        }
        in.skip(5, "section");
        throw new UnsupportedRequestException(name + ": device "
                + in.text(in.u8("length of a section name"), "section name")
                + " is saved before the memory, and its data have no length, so that Guestcore cannot find the memory; "
                + OtherWays.LOAD);
    }

    private void readStart(StreamBuffer in) {
        in.skip(1, "section");
        int section = in.i32("section number");
        String title = in.text(in.u8("length of a section name"), "section name");
        in.i32("instance of section " + title);
        int version = in.i32("version of section " + title);
        if (skipped.skipStart(in, title, section)) {
            readFooter(in, section);
            return;
        }
        if (!title.equals("ram")) {
            throw new UnsupportedRequestException(
                    name + ": section '" + title + "' is written while the guest runs, and"
                            + " Guestcore cannot tell where it ends; " + OtherWays.LOAD);
        }
        if (ramSection >= 0) {
            throw in.malformed("section \"ram\"", "one", "a second one", "the stream is damaged from here on");
        }
        if (version != RAM_VERSION) {
            throw in.malformed("version of section \"ram\"", Integer.toString(RAM_VERSION),
                    Integer.toUnsignedString(version), "another QEMU than Guestcore knows wrote this stream");
        }
        ramSection = section;
        readRam(in);
        readFooter(in, section);
    }

    private void readPart(StreamBuffer in) {
        in.skip(1, "section");
        int section = in.i32("section number");
        if (skipped.skipPart(in, section)) {
            readFooter(in, section);
            return;
        }
        if (ramSection < 0 || section != ramSection) {
            throw in.malformed("section number of a part", "that of section \"ram\"",
                    Integer.toUnsignedString(section), "the stream is damaged from here on");
        }
        readRam(in);
        readFooter(in, section);
    }

    /** Machine types before QEMU 2.4 have none. */
    private static void readFooter(StreamBuffer in, int section) {
        if (in.begins(FOOTER, section)) {
            in.skip(5, "section footer");
        }
    }

    private void readCommand(StreamBuffer in) {
        in.skip(1, "command");
        int command = in.u16("command");
        int length = in.u16("length of a command");
        if (!HARMLESS_COMMANDS.contains(command)) {
            throw new UnsupportedRequestException(
                    name + ": part of the memory is not in this file, because it was to be"
                            + " fetched later (postcopy); only a guest that still runs has it");
        }
        in.skip(length, "data of a command");
    }

    private void readRam(StreamBuffer in) {
        while (true) {
            long word = in.i64("word of section \"ram\"");
            int flags = (int) word & 0xfff;
            long offset = word & ~0xfffL;
            switch (flags & ~(SAME_BLOCK | MULTIFD)) {
                case PAGE -> {
                    RamBlock block = blockOf(in, flags, offset);
                    long position = in.position();
                    sink.page(block, offset, in.take(RamSink.PAGE_SIZE, "page"), position);
                }
                case FILL -> {
                    RamBlock block = blockOf(in, flags, offset);
                    sink.fill(block, offset, (byte) in.u8("byte of a page"));
                }
                case END_OF_RUN -> {
                    return;
                }
                case MEMORY_SIZE -> readBlocks(in, offset);
                case COMPRESSED -> {
                    RamBlock block = blockOf(in, flags, offset);
                    inflate(in, block, offset);
                }
                case 0 -> {
                    if ((flags & MULTIFD) == 0) {
                        throw unknownFlags(in, word);
                    }
                }
                case XBZRLE -> throw refused("differences to earlier pages (xbzrle)");
                case HOOK -> throw new UnsupportedRequestException(
                        name + ": the memory is not in this file, because QEMU sent it"
                                + " beside the stream (RDMA); only a guest that still runs has it");
                default -> throw unknownFlags(in, word);
            }
        }
    }

    private static MalformedDumpException unknownFlags(StreamBuffer in, long word) {
        return in.malformed("flags of a word of section \"ram\"", "002, 004, 008 or 010, with or without 020",
                String.format("%03x", word & 0xfff), "the stream is damaged before this place");
    }

    private RamBlock blockOf(StreamBuffer in, int flags, long offset) {
        if ((flags & SAME_BLOCK) == 0) {
            String title = in.text(in.u8("length of a block name"), "block name");
            current = blocksByName.get(title);
            if (current == null) {
                throw in.malformed("block name", "one of the blocks at the stream's start", "'" + title + "'",
                        "the stream is damaged before this place");
            }
        }
        RamBlock block = current;
        if (block == null) {
            throw in.malformed("first page", "a block name", "none", "the stream is damaged before this place");
        }
        if (offset < 0 || offset > block.size() - RamSink.PAGE_SIZE) {
            throw in.malformed("offset of a page in block " + block.name(),
                    "less than 0x" + Long.toHexString(block.size()), "0x" + Long.toHexString(offset),
                    "the stream is damaged before this place");
        }
        return block;
    }

    private void readBlocks(StreamBuffer in, long total) {
        if (!blocks.isEmpty()) {
            throw in.malformed("list of memory blocks", "one", "a second one",
                    "the stream is damaged before this place");
        }
        List<RamBlock> listed = new ArrayList<>();
        long left = total;
        while (left != 0) {
            String title = in.text(in.u8("length of a block name"), "block name");
            long size = in.i64("size of block " + title);
            if (size < RamSink.PAGE_SIZE || size % RamSink.PAGE_SIZE != 0 || left < 0 || size > left) {
                throw in.malformed("size of block " + title,
                        "a multiple of 4096, at most 0x" + Long.toHexString(left), "0x" + Long.toHexString(size),
                        "a capability that changes the list of blocks (x-ignore-shared, postcopy-ram with large pages)"
                                + " may have been on");
            }
            if (listed.size() == MOST_BLOCKS) {
                throw in.malformed("number of memory blocks", "at most " + MOST_BLOCKS, "more", "");
            }
            RamBlock block = new RamBlock(listed.size(), title, size);
            if (blocksByName.putIfAbsent(title, block) != null) {
                throw in.malformed("block name", "a new one", "'" + title + "' again", "");
            }
            listed.add(block);
            left -= size;
        }
        blocks.addAll(listed);
        blocks.forEach(sink::block);
    }

    /** QEMU before 9.1 with the capability "compress": each page a zlib stream of its own. */
    private void inflate(StreamBuffer in, RamBlock block, long offset) {
        int length = in.i32("length of a compressed page");
        if (length < 0 || length > MOST_COMPRESSED) {
            throw in.malformed("length of a compressed page", "at most " + MOST_COMPRESSED,
                    Integer.toUnsignedString(length), "the stream is damaged before this place");
        }
        byte[] compressed = in.take(length, "compressed page").toArray(ValueLayout.JAVA_BYTE);
        byte[] content = new byte[RamSink.PAGE_SIZE];
        Inflater inflater = new Inflater();
        try (Arena arena = Arena.ofConfined()) {
            inflater.setInput(compressed);
            int done = 0;
            while (done < content.length) {
                int count = inflater.inflate(content, done, content.length - done);
                if (count == 0) {
                    break;
                }
                done += count;
            }
            if (done < content.length) {
                throw in.malformed("compressed page of block " + block.name(), "4096 bytes", done + " bytes",
                        "the stream is damaged before this place");
            }
            MemorySegment page = arena.allocate(RamSink.PAGE_SIZE);
            page.copyFrom(MemorySegment.ofArray(content));
            sink.page(block, offset, page, RamSink.NOT_STORED);
        } catch (DataFormatException e) {
            throw in.malformed("compressed page of block " + block.name(), "a zlib stream",
                    "none (" + e.getMessage() + ")",
                    "the stream is damaged before this place");
        } finally {
            inflater.end();
        }
    }
}
