package dev.guestcore.kernel;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.facts.VmcoreInfoFields;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * What a Linux kernel tells dump analysers about itself: lines of {@code KEY=VALUE} that begin with {@code OSRELEASE=}.
 * The kernel keeps them in its memory as a ready ELF note (documentation of Linux, admin-guide/kdump/vmcoreinfo); some keep
 * the text only, at the start of a page.
 *
 * @param address guest-physical address of the text
 * @param bytes the text, ASCII; do not modify
 */
public record VmcoreInfo(long address, byte[] bytes) {

    private static final byte[] FIRST_KEY = ascii("OSRELEASE=");
    private static final byte[] NOTE_NAME = ascii("VMCOREINFO\0");
    private static final ValueLayout.OfInt LITTLE_INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int NAME_ROOM = 12;
    private static final int NOTE_HEADER = 12;
    private static final int PAGE = Architecture.SMALLEST_PAGE;
    private static final int LONGEST = 64 * 1024;
    private static final int CHUNK = 1 << 16;

    /** A copy in the page cache can be cut short; only a text with these is taken. */
    private static final String[] NEEDED = {"\nPAGESIZE=", "\nSYMBOL("};

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    @Override
    public String toString() {
        return "VMCOREINFO of " + bytes.length + " bytes at 0x" + Long.toHexString(address);
    }

    /** The text. */
    public String text() {
        return new String(bytes, StandardCharsets.US_ASCII);
    }

    /** The text taken apart. */
    public VmcoreInfoFields fields() {
        return VmcoreInfoFields.parse(text());
    }

    /**
     * Searches readable memory for the first note, or else the first bare text. Memory may hold more than one: of a kernel
     * that ran before, of a nested guest; {@link VmcoreInfoChoice} tells them apart.
     *
     * @return the first find by address, or empty if the guest is no such Linux
     */
    public static Optional<VmcoreInfo> find(GuestMemory memory, Progress progress) {
        return findAll(memory, LONGEST, progress, VmcoreInfo::isNote).best();
    }

    /**
     * Searches all readable memory.
     *
     * @param longest how many bytes there is room for; what is longer is passed over
     * @param enough whether this find is the one that was looked for, so that the search ends
     */
    public static Collector findAll(GuestMemory memory, int longest, Progress progress, Predicate<VmcoreInfo> enough) {
        Search search = new Search(memory, longest, progress, enough);
        for (MemoryRegion region : memory.regions()) {
            if (region.hasContent() && search.scan(region.range())) {
                break;
            }
        }
        return search.finds;
    }

    /**
     * Looks at one page, for whoever reads memory anyway.
     *
     * @param memory where a text is read that is longer than the page
     * @param address guest-physical address of the page, a multiple of 4096
     * @param bytes holds the page
     * @param offset where the page begins in {@code bytes}
     * @return what begins with this page, if anything
     */
    public static Optional<VmcoreInfo> atPage(GuestMemory memory, long address, MemorySegment bytes, long offset) {
        if (matches(bytes, offset + NOTE_HEADER, NOTE_NAME)) {
            return readNote(memory, address, bytes, offset);
        }
        return matches(bytes, offset, FIRST_KEY) ? read(memory, address, PAGE) : Optional.empty();
    }

    /**
     * Whether {@link #atPage} could find anything at this page, which is told without looking at other memory.
     *
     * @param bytes holds the page
     * @param offset where the page begins in {@code bytes}
     */
    public static boolean mayBegin(MemorySegment bytes, long offset) {
        return matches(bytes, offset + NOTE_HEADER, NOTE_NAME) || matches(bytes, offset, FIRST_KEY);
    }

    /** Whether it lay in memory as a ready note, not as a bare text: such a note begins a page, so its text does not. */
    public boolean isNote() {
        return (address & PAGE - 1) != 0;
    }

    private static boolean matches(MemorySegment bytes, long at, byte[] expected) {
        return bytes.get(ValueLayout.JAVA_BYTE, at) == expected[0]
                && bytes.asSlice(at, expected.length).mismatch(MemorySegment.ofArray(expected)) < 0;
    }

    private static Optional<VmcoreInfo> readNote(GuestMemory memory, long address, MemorySegment bytes, long at) {
        int nameSize = bytes.get(LITTLE_INT, at);
        int size = bytes.get(LITTLE_INT, at + Integer.BYTES);
        int type = bytes.get(LITTLE_INT, at + 2 * Integer.BYTES);
        if (nameSize != NOTE_NAME.length || type != 0 || size < FIRST_KEY.length || size > LONGEST) {
            return Optional.empty();
        }
        return read(memory, address + NOTE_HEADER + NAME_ROOM, size);
    }

    private static Optional<VmcoreInfo> read(GuestMemory memory, long address, int size) {
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

    /**
     * What stretches of memory hold, one behind the other, for whoever reads them anyway: the first {@value #MOST} notes by
     * address, and as many bare texts. Not thread-safe; threads that read side by side have one each.
     */
    public static final class Collector {

        /** How many notes, and how many texts, are kept. */
        public static final int MOST = 16;

        private final int longest;
        private final List<VmcoreInfo> notes = new ArrayList<>();
        private final List<VmcoreInfo> texts = new ArrayList<>();

        /**
         * Begins with nothing.
         *
         * @param longest how many bytes there is room for; what is longer is passed over
         */
        public Collector(int longest) {
            this.longest = longest;
        }

        /** For another stretch, with as much room. */
        public Collector another() {
            return new Collector(longest);
        }

        /**
         * Looks at the next page; the parameters are those of {@link VmcoreInfo#atPage}. A page of zeros need not be shown.
         *
         * @return what begins with this page, if anything
         */
        public Optional<VmcoreInfo> look(GuestMemory memory, long address, MemorySegment bytes, long offset) {
            Optional<VmcoreInfo> found =
                    atPage(memory, address, bytes, offset).filter(info -> info.bytes().length <= longest);
            found.ifPresent(info -> add(info.isNote() ? notes : texts, List.of(info)));
            return found;
        }

        private static void add(List<VmcoreInfo> list, List<VmcoreInfo> more) {
            list.addAll(more.subList(0, Math.min(more.size(), MOST - list.size())));
        }

        /** Takes what was found in the stretch behind, and forgets it there. */
        public void take(Collector behind) {
            add(notes, behind.notes);
            add(texts, behind.texts);
            behind.notes.clear();
            behind.texts.clear();
        }

        /** Whether looking on is in vain. */
        public boolean isSettled() {
            return notes.size() == MOST;
        }

        /** Whether anything was found. */
        public boolean isEmpty() {
            return notes.isEmpty() && texts.isEmpty();
        }

        /** All that was found: notes, then texts, each by address. */
        public List<VmcoreInfo> all() {
            return Stream.concat(notes.stream(), texts.stream()).toList();
        }

        /** The first note, or else the first text. */
        public Optional<VmcoreInfo> best() {
            return all().stream().findFirst();
        }
    }

    private static final class Search {

        private final GuestMemory memory;
        private final Progress progress;
        private final MemorySegment chunk = Arena.ofAuto().allocate(CHUNK, PAGE);
        private final Collector finds;
        private final Predicate<VmcoreInfo> enough;
        private boolean done;

        Search(GuestMemory memory, int longest, Progress progress, Predicate<VmcoreInfo> enough) {
            this.memory = memory;
            this.enough = enough;
            this.finds = new Collector(longest);
            this.progress = progress;
        }

        /** Gives whether there is nothing more to look for. */
        boolean scan(AddressRange range) {
            long address = range.first();
            while (true) {
                PageRun run = memory.contentRunAt(address);
                long toEnd = range.last() - address;
                long inRun = run.range().last() - address;
                long lessOne = Long.compareUnsigned(inRun, toEnd) < 0 ? inRun : toEnd;
                if (run.state() == PageState.PRESENT) {
                    lessOne = scanPresent(address, lessOne);
                    if (done) {
                        return true;
                    }
                }
                if (lessOne == toEnd) {
                    return false;
                }
                address += lessOne + 1;
            }
        }

        /** Goes over a run to its end, to what cannot be read, or up to the last find; gives how many bytes are done, less one. */
        private long scanPresent(long from, long lessOne) {
            long done = 0;
            while (true) {
                long address = from + done;
                long left = lessOne - done;
                long inChunk = CHUNK - 1 - (address & CHUNK - 1);
                long wanted = Long.compareUnsigned(left, inChunk) < 0 ? left + 1 : inChunk + 1;
                long size = memory.readAvailable(address, chunk.asSlice(0, wanted));
                boolean found = scanChunk(address, size);
                // What cannot be read takes its page with it.
                long step = size == wanted ? wanted : Math.min(wanted, size + PAGE - (address + size & PAGE - 1));
                progress.advance(step);
                done += step;
                if (found || size < wanted || left == step - 1) {
                    return done - 1;
                }
            }
        }

        /** The kernel's note begins a page, so whole pages suffice. */
        private boolean scanChunk(long address, long size) {
            for (long page = -address & PAGE - 1; page + PAGE <= size && !done; page += PAGE) {
                done = finds.look(memory, address + page, chunk, page).filter(enough).isPresent() || finds.isSettled();
            }
            return done;
        }
    }
}
