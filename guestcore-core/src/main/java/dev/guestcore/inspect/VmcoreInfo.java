package dev.guestcore.inspect;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;

/**
 * What a Linux kernel tells dump analysers about itself: lines of {@code KEY=VALUE} that begin with {@code
 * OSRELEASE=}. The
 * kernel keeps them in its memory as a ready ELF note (documentation of Linux, admin-guide/kdump/vmcoreinfo); some keep
 * the text only, at the start of a page.
 *
 * @param address guest-physical address of the text
 * @param bytes the text, ASCII; do not modify
 */
public record VmcoreInfo(long address, byte[] bytes) {

    private static final byte[] FIRST_KEY = ascii("OSRELEASE=");
    private static final byte[] NOTE_NAME = ascii("VMCOREINFO\0");
    private static final int NAME_ROOM = 12;
    private static final int NOTE_HEADER = 12;
    private static final int PAGE = 4096;
    private static final int LONGEST = 64 * 1024;
    private static final int CHUNK = 1 << 16;

    /** A copy in the page cache can be cut short; only a text with these is taken. */
    private static final String[] NEEDED = {"\nPAGESIZE=", "\nSYMBOL("};

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    /** The text. */
    public String text() {
        return new String(bytes, StandardCharsets.US_ASCII);
    }

    /**
     * Searches all readable memory. A note is preferred to a bare text.
     *
     * @return the first find by address, or empty if the guest is no such Linux
     */
    public static Optional<VmcoreInfo> find(GuestMemory memory, Progress progress) {
        Search search = new Search(memory, progress);
        for (MemoryRegion region : memory.regions()) {
            if (region.hasContent() && search.scan(region.range())) {
                break;
            }
        }
        return search.note.or(() -> search.text);
    }

    private static final class Search {

        private final GuestMemory memory;
        private final Progress progress;
        private final byte[] chunk = new byte[CHUNK];
        private Optional<VmcoreInfo> note = Optional.empty();
        private Optional<VmcoreInfo> text = Optional.empty();

        Search(GuestMemory memory, Progress progress) {
            this.memory = memory;
            this.progress = progress;
        }

        /** Gives whether a note was found. The kernel's note begins a page, so whole pages suffice. */
        boolean scan(AddressRange range) {
            long address = range.first() + PAGE - 1 & -PAGE;
            if (Long.compareUnsigned(address, range.first()) < 0) {
                return false;
            }
            while (range.contains(address)) {
                PageRun run = memory.contentRunAt(address);
                long toEnd = range.last() - address;
                long inRun = run.range().last() - address;
                long lessOne = Long.compareUnsigned(inRun, toEnd) < 0 ? inRun : toEnd;
                if (run.state() == PageState.PRESENT) {
                    lessOne = Long.compareUnsigned(lessOne, CHUNK - 1) < 0 ? lessOne : CHUNK - 1;
                    MemorySegment target = MemorySegment.ofArray(chunk).asSlice(0, lessOne + 1);
                    int size = (int) memory.readAvailable(address, target);
                    if (scanChunk(address, size)) {
                        return true;
                    }
                    progress.advance(lessOne + 1);
                }
                long next = (address + lessOne + 1 + PAGE - 1) & -PAGE;
                if (Long.compareUnsigned(next, address) <= 0) {
                    return false;
                }
                address = next;
            }
            return false;
        }

        private boolean scanChunk(long address, int size) {
            for (int page = 0; page + PAGE <= size; page += PAGE) {
                if (matches(page + NOTE_HEADER, NOTE_NAME)) {
                    note = readNote(address + page, page);
                    if (note.isPresent()) {
                        return true;
                    }
                } else if (text.isEmpty() && matches(page, FIRST_KEY)) {
                    text = read(address + page, PAGE);
                }
            }
            return false;
        }

        private boolean matches(int at, byte[] expected) {
            return Arrays.equals(chunk, at, at + expected.length, expected, 0, expected.length);
        }

        private Optional<VmcoreInfo> readNote(long address, int at) {
            ByteBuffer header = ByteBuffer.wrap(chunk, at, NOTE_HEADER).order(ByteOrder.LITTLE_ENDIAN);
            int nameSize = header.getInt();
            int size = header.getInt();
            int type = header.getInt();
            if (nameSize != NOTE_NAME.length || type != 0 || size < FIRST_KEY.length || size > LONGEST) {
                return Optional.empty();
            }
            return read(address + NOTE_HEADER + NAME_ROOM, size);
        }

        private Optional<VmcoreInfo> read(long address, int size) {
            byte[] bytes = new byte[size];
            long copied = memory.readAvailable(address, MemorySegment.ofArray(bytes));
            int length = 0;
            while (length < copied && bytes[length] != 0) {
                boolean printable = bytes[length] >= 0x20 && bytes[length] < 0x7f;
                if (!printable && bytes[length] != '\n') {
                    return Optional.empty();
                }
                length++;
            }
            String content = new String(bytes, 0, length, StandardCharsets.US_ASCII);
            for (String key : NEEDED) {
                if (!content.contains(key)) {
                    return Optional.empty();
                }
            }
            return content.startsWith("OSRELEASE=")
                    ? Optional.of(new VmcoreInfo(address, ascii(content)))
                    : Optional.empty();
        }
    }
}
