package dev.guestcore.linux;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.KernelMember;
import dev.guestcore.linux.types.KernelType;
import dev.guestcore.linux.types.KernelTypes;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What each page of memory is used for, as the kernel's {@code struct page} of it says: the kinds of pages that makedumpfile
 * leaves out. Not thread-safe.
 *
 * <p>Sources: Linux, {@code include/linux/page-flags.h}, {@code include/linux/mmzone.h}, {@code include/linux/mm.h} (4.18 to 6.12);
 * makedumpfile(8), and the kinds that makedumpfile tells, with which these were compared page by page.
 */
public final class PageKinds {

    /** A kind of page. */
    public enum Kind {
        /** Nobody uses it: in the buddy allocator, given to the host, or broken. */
        FREE("free pages"),
        /** A copy of what is in a file, without data of the file system's own. */
        CACHE("page cache"),
        /** The same with such data. */
        PRIVATE_CACHE("page cache with private data"),
        /** Memory of processes that is of no file, and all huge pages of hugetlbfs. */
        USER("memory of processes");

        private final String text;

        Kind(String text) {
            this.text = text;
        }

        /** For people. */
        @Override
        public String toString() {
            return text;
        }
    }

    /** Receives runs of pages of one kind. */
    @FunctionalInterface
    public interface Listener {

        /**
         * A run of pages. Runs ascend and do not overlap.
         *
         * @param first number of the first page: its guest-physical address, divided by 4096
         * @param count how many there are
         */
        void run(Kind kind, long first, long count);
    }

    private static final int PAGE = 4096;
    private static final int PAGE_SHIFT = 12;

    /** SECTION_SIZE_BITS of x86-64: so much memory has its structures in one piece. */
    private static final int SECTION_SHIFT = 27;

    private static final int SECTION_PAGES = 1 << SECTION_SHIFT - PAGE_SHIFT;

    /** SECTION_HAS_MEM_MAP. */
    private static final long HAS_MEM_MAP = 2;

    private static final int LARGEST_PAGE_STRUCTURE = 256;
    private static final int LARGEST_ORDER = 18;
    private static final long ANONYMOUS = 1;
    private static final long TAIL = 1;

    /** Kinds of pages of a kernel whose types do not name them: 4.18 to 6.9. */
    private static final int OLD_FREE = ~0x80;

    private static final int OLD_OFFLINE = ~0x100;
    private static final int OLD_HUGE = ~0x800;

    /** The kind is the upper byte since 6.12. */
    private static final int NEW_SHIFT = 24;

    private final Linux linux;
    private final Layout layout;
    private final Marks marks;
    private final long table;
    private final int perRoot;
    private final KernelType section;

    /** Where the members of {@code struct page} lie. */
    private record Layout(
            int size,
            int flags,
            int mapping,
            int privateData,
            int mapCount,
            int compoundHead,
            OptionalInt order,
            OptionalInt destructor) {

        static Optional<Layout> of(KernelType page, Optional<KernelType> folio) {
            OptionalInt flags = offset(page, "flags");
            OptionalInt mapping = offset(page, "mapping");
            OptionalInt data = offset(page, "private");
            OptionalInt count = offset(page, "_mapcount");
            OptionalInt head = offset(page, "compound_head");
            boolean known = flags.isPresent() && mapping.isPresent() && data.isPresent() && count.isPresent()
                    && head.isPresent() && page.size() >= 2 * Long.BYTES && page.size() <= LARGEST_PAGE_STRUCTURE;
            return known
                    ? Optional.of(new Layout(
                            (int) page.size(),
                            flags.getAsInt(),
                            mapping.getAsInt(),
                            data.getAsInt(),
                            count.getAsInt(),
                            head.getAsInt(),
                            inSecond(page, folio, "compound_order", "_folio_order"),
                            inSecond(page, folio, "compound_dtor", "_folio_dtor")))
                    : Optional.empty();
        }

        /** A byte in the second page of several that belong together; 6.3 to 6.5 have it in {@code struct folio}. */
        private static OptionalInt inSecond(KernelType page, Optional<KernelType> folio, String name, String newer) {
            OptionalInt old = offset(page, name);
            return old.isPresent()
                    ? old
                    : folio.flatMap(type -> type.member(newer))
                            .map(member -> member.offset() - page.size())
                            .filter(offset -> offset >= 0 && offset < page.size())
                            .map(offset -> OptionalInt.of(offset.intValue()))
                            .orElse(OptionalInt.empty());
        }

        private static OptionalInt offset(KernelType page, String member) {
            return page.member(member)
                    .map(KernelMember::offset)
                    .filter(offset -> offset <= page.size() - (member.equals("_mapcount") ? Integer.BYTES : 1))
                    .map(offset -> OptionalInt.of(offset.intValue()))
                    .orElse(OptionalInt.empty());
        }
    }

    /** The values of {@code _mapcount} and the bits of flags that mark kinds of pages. */
    private record Marks(
            long lru,
            long privateData,
            long swapCache,
            long swapBacked,
            long slab,
            long broken,
            long head,
            long hugeInSecond,
            OptionalLong hugeDestructor,
            int free,
            OptionalInt huge,
            int offline,
            OptionalInt slabs,
            int largestFreeOrder) {

        static Optional<Marks> of(KernelTypes types) {
            Optional<KernelType> flags = types.find("enum pageflags");
            if (flags.isEmpty() || bit(flags.get(), "PG_lru") == 0 || bit(flags.get(), "PG_head") == 0) {
                return Optional.empty();
            }
            KernelType bits = flags.get();
            OptionalLong destructor = types.find("enum compound_dtor_id")
                    .map(ids -> ids.constant("HUGETLB_PAGE_DTOR"))
                    .orElse(OptionalLong.empty());
            long hugeInSecond = bit(bits, "PG_hugetlb");
            OptionalInt huge = mark(types, "hugetlb");
            if (huge.isEmpty() && destructor.isEmpty() && hugeInSecond == 0) {
                huge = OptionalInt.of(OLD_HUGE);
            }
            return Optional.of(new Marks(
                    bit(bits, "PG_lru"),
                    bit(bits, "PG_private"),
                    bit(bits, "PG_swapcache"),
                    bit(bits, "PG_swapbacked"),
                    bit(bits, "PG_slab"),
                    bit(bits, "PG_hwpoison"),
                    bit(bits, "PG_head"),
                    hugeInSecond,
                    destructor,
                    mark(types, "buddy").orElse(OLD_FREE),
                    huge,
                    mark(types, "offline").orElse(OLD_OFFLINE),
                    mark(types, "slab"),
                    types.find("struct zone")
                            .flatMap(zone -> zone.member("free_area"))
                            .map(lists -> Math.clamp(lists.type().count() - 1, 0, LARGEST_ORDER))
                            .orElse(0)));
        }

        private static long bit(KernelType flags, String name) {
            OptionalLong number = flags.constant(name);
            return number.isPresent() && number.getAsLong() >= 0 && number.getAsLong() < Long.SIZE
                    ? 1L << number.getAsLong()
                    : 0;
        }

        /** What 6.10 and 6.11 clear in {@code _mapcount} of such a page, or what stands in its upper byte since 6.12. */
        private static OptionalInt mark(KernelTypes types, String kind) {
            Optional<KernelType> names = types.find("enum pagetype");
            OptionalLong upper = constant(names, "PGTY_" + kind);
            if (upper.isPresent()) {
                return OptionalInt.of((int) upper.getAsLong() << NEW_SHIFT);
            }
            OptionalLong cleared = constant(names, "PG_" + kind);
            return cleared.isPresent() ? OptionalInt.of(~(int) cleared.getAsLong()) : OptionalInt.empty();
        }

        private static OptionalLong constant(Optional<KernelType> names, String name) {
            return names.map(type -> type.constant(name)).orElse(OptionalLong.empty());
        }
    }

    private PageKinds(Linux linux, Layout layout, Marks marks, long table, KernelType section) {
        this.linux = linux;
        this.layout = layout;
        this.marks = marks;
        this.table = table;
        this.section = section;
        this.perRoot = (int) (PAGE / section.size());
    }

    /** The kinds of pages of a kernel for x86; empty for any other, and if its types do not tell them. */
    public static Optional<PageKinds> find(Linux linux) {
        if (!(linux.image().space().paging().mode() instanceof X86PagingMode)) {
            return Optional.empty();
        }
        Optional<KernelTypes> types = linux.types();
        Optional<Layout> layout = types.flatMap(known -> known.find("struct page"))
                .flatMap(page -> Layout.of(page, types.get().find("struct folio")));
        Optional<Marks> marks = types.flatMap(Marks::of);
        Optional<KernelType> section = types.flatMap(known -> known.find("struct mem_section"))
                .filter(type -> type.size() >= Long.BYTES && type.size() <= PAGE)
                .filter(type -> type.member("section_mem_map").isPresent());
        Optional<Long> table = linux.symbols().find("mem_section").map(Symbol::address);
        return layout.isEmpty() || marks.isEmpty() || section.isEmpty() || table.isEmpty()
                ? Optional.empty()
                : Optional.of(new PageKinds(
                        linux, layout.get(), marks.get(), sectionTable(linux, table.get()), section.get()));
    }

    /**
     * Virtual address of the array of pointers to pages of {@code struct mem_section}. Since Linux 4.15 the symbol holds a pointer
     * to it.
     *
     * @param symbol address of {@code mem_section}
     */
    public static long sectionTable(Linux linux, long symbol) {
        OptionalLong first = longAt(linux.memory(), symbol);
        OptionalLong second = first.isEmpty() ? first : longAt(linux.memory(), first.getAsLong());
        boolean isPointer = second.isPresent() && (second.getAsLong() & PAGE - 1) == 0;
        return isPointer ? first.getAsLong() : symbol;
    }

    private static OptionalLong longAt(GuestMemory memory, long address) {
        try {
            return OptionalLong.of(memory.readLong(address));
        } catch (MemoryAccessException e) {
            return OptionalLong.empty();
        }
    }

    /** What {@code _mapcount} of a free page is. */
    public int freeMark() {
        return marks.free;
    }

    /** What {@code _mapcount} of a page is that is logically offline. */
    public int offlineMark() {
        return marks.offline;
    }

    /** What {@code _mapcount} of the first page of a huge page is, of kernels that mark it so. */
    public OptionalInt hugeMark() {
        return marks.huge;
    }

    /** What {@code _mapcount} of a page of the slab allocator is, of kernels that mark it so. */
    public OptionalInt slabMark() {
        return marks.slabs;
    }

    /**
     * Tells the kind of all pages that are of one. A page whose structure cannot be read is of none.
     *
     * @param progress of bytes of guest memory; may cancel
     * @return how many pages have a structure that cannot be read
     */
    public long show(Progress progress, Listener listener) {
        Scan scan = new Scan(listener);
        long last = -1;
        for (MemoryRegion region : linux.guest().memory().regions()) {
            AddressRange range = region.range();
            if (!region.hasContent() || range.last() < 0) {
                continue;
            }
            for (long number = Math.max(last + 1, range.first() >> SECTION_SHIFT);
                    number <= range.last() >> SECTION_SHIFT;
                    number++) {
                scan.section(number);
                progress.advance(1L << SECTION_SHIFT);
                last = number;
            }
        }
        return scan.unreadable;
    }

    private final class Scan {

        private final Listener listener;
        private final GuestMemory bulk = linux.image().space().memory();
        private final ByteBuffer pages =
                ByteBuffer.allocate(SECTION_PAGES * layout.size).order(ByteOrder.LITTLE_ENDIAN);
        private long unreadable;

        /** A run that may go on. */
        private Optional<Kind> kind = Optional.empty();

        private long first;
        private long end;

        /** Behind the last page that was told. */
        private long told;

        Scan(Listener listener) {
            this.listener = listener;
        }

        void section(long number) {
            OptionalLong root = longAt(linux.memory(), table + number / perRoot * Long.BYTES);
            if (root.isEmpty() || root.getAsLong() == 0) {
                return;
            }
            long member = section.member("section_mem_map").orElseThrow().offset();
            OptionalLong map =
                    longAt(linux.memory(), root.getAsLong() + number % perRoot * section.size() + member);
            if (map.isEmpty() || (map.getAsLong() & HAS_MEM_MAP) == 0) {
                return;
            }
            long firstPage = number * SECTION_PAGES;
            // What lies below a page are flags; they have become more.
            long structures = (map.getAsLong() & -PAGE) + firstPage * layout.size;
            read(structures, firstPage);
            flush();
        }

        private void read(long structures, long firstPage) {
            int at = 0;
            while (at < SECTION_PAGES) {
                MemorySegment rest =
                        MemorySegment.ofArray(pages.array()).asSlice(0, (long) (SECTION_PAGES - at) * layout.size);
                long read = bulk.readAvailable(structures + (long) at * layout.size, rest) / layout.size;
                at += kinds((int) read, firstPage + at);
                if (at < SECTION_PAGES) {
                    // Whatever the missing page of structures holds, in whole or in part.
                    long missing = structures + (long) at * layout.size;
                    long next = (missing & -PAGE) + PAGE;
                    int skipped = (int) Math.min(SECTION_PAGES - at, (next - missing + layout.size - 1) / layout.size);
                    unreadable += skipped;
                    at += skipped;
                }
            }
        }

        /** Gives how many pages are done, which may be more than were read. */
        private int kinds(int count, long firstPage) {
            int at = 0;
            while (at < count) {
                at += page(at, count, firstPage + at);
            }
            return Math.min(at, count);
        }

        /** Gives how many pages belong together. */
        private int page(int at, int count, long number) {
            int base = at * layout.size;
            long flags = pages.getLong(base + layout.flags);
            long mapping = pages.getLong(base + layout.mapping);
            long data = pages.getLong(base + layout.privateData);
            int mark = pages.getInt(base + layout.mapCount);
            if ((pages.getLong(base + layout.compoundHead) & TAIL) != 0) {
                return 1;
            }
            boolean slab = (flags & marks.slab) != 0 || marks.slabs.isPresent() && mark == marks.slabs.getAsInt();
            if (!slab && mark == marks.free) {
                return data >= 0 && data <= marks.largestFreeOrder ? add(Kind.FREE, number, 1 << data) : 1;
            }
            boolean head = (flags & marks.head) != 0 && at + 1 < count;
            int together = head ? 1 << order(base + layout.size, number) : 1;
            boolean cache = (flags & marks.lru) != 0
                    || (marks.swapBacked == 0 || (flags & marks.swapBacked) != 0) && (flags & marks.swapCache) != 0;
            boolean anonymous = (mapping & ANONYMOUS) != 0 && !slab;
            if (cache && !anonymous) {
                return add((flags & marks.privateData) == 0 ? Kind.CACHE : Kind.PRIVATE_CACHE, number, together);
            }
            if (anonymous || head && isHuge(base + layout.size, mark)) {
                return add(Kind.USER, number, together);
            }
            boolean unused = (flags & marks.broken) != 0 || !slab && mark == marks.offline;
            return unused ? add(Kind.FREE, number, together) : 1;
        }

        /** The order of a compound page stands in the second of its pages. */
        private int order(int second, long number) {
            int order = layout.order.isPresent()
                    ? Byte.toUnsignedInt(pages.get(second + layout.order.getAsInt()))
                    : (int) (pages.getLong(second + layout.flags) & 0xff);
            return order <= LARGEST_ORDER && (number & (1L << order) - 1) == 0 ? order : 0;
        }

        private boolean isHuge(int second, int mark) {
            if (marks.huge.isPresent()) {
                return mark == marks.huge.getAsInt();
            }
            if (marks.hugeDestructor.isPresent() && layout.destructor.isPresent()) {
                return Byte.toUnsignedInt(pages.get(second + layout.destructor.getAsInt())) == marks.hugeDestructor
                        .getAsLong();
            }
            return (pages.getLong(second + layout.flags) & marks.hugeInSecond) != 0;
        }

        private int add(Kind found, long number, int count) {
            if (kind.equals(Optional.of(found)) && end == number) {
                end += count;
            } else {
                flush();
                kind = Optional.of(found);
                first = number;
                end = number + count;
            }
            return count;
        }

        private void flush() {
            long from = Math.max(first, told);
            if (kind.isPresent() && from < end) {
                listener.run(kind.get(), from, end - from);
                told = end;
            }
            kind = Optional.empty();
        }
    }
}
