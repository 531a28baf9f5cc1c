package dev.guestcore.address;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.cpu.PageRights;
import dev.guestcore.cpu.Paging;
import dev.guestcore.cpu.TableLevel;
import dev.guestcore.cpu.TableTree;
import dev.guestcore.error.GuestcoreException;
import java.io.Serial;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.List;
import java.util.OptionalLong;

/**
 * One pass over all page tables below a root, in ascending order of virtual addresses. Not thread-safe; use once.
 *
 * <p>Page tables are a graph, not a tree: one table may serve in many places, and may contain itself. Following every
 * path can take longer than anyone waits, so a table whose pages are all alike is remembered and not read again where
 * it is met again (the shadow of KASAN is millions of references to one table), and the number of tables that may be
 * read is limited. What is remembered has a fixed size.
 */
final class TableWalk {

    private static final int MEMORY_SLOTS = 1 << 14;

    /** Takes what the walk finds. */
    interface Visitor {

        /**
         * A range is mapped.
         *
         * @param first lowest virtual address
         * @param size bytes
         * @param physical where the first address leads
         * @param pageShift log2 of the page size
         * @param rights bits of {@link PageRights}
         * @param layout how the pages of the range lie behind the page tables
         */
        void pages(long first, long size, long physical, int pageShift, int rights, Layout layout);
    }

    /** How the pages of a range lie behind the page tables. */
    enum Layout {
        /** One after the other. */
        CONTIGUOUS,
        /** All of them are the same page. */
        REPEATED,
        /** Anyhow. */
        SCATTERED
    }

    /** What is common to all entries below a table. */
    private static final class Summary {
        private static final int NOTHING_YET = 0;
        private static final int EMPTY = 1;
        private static final int ALIKE = 2;
        private static final int MIXED = 3;

        private int state;
        private int pageShift;
        private int rights;
        private long physical;
        private long size;
        private Layout layout = Layout.CONTIGUOUS;

        void clear() {
            state = NOTHING_YET;
            size = 0;
        }

        void set(Summary other) {
            state = other.state;
            pageShift = other.pageShift;
            rights = other.rights;
            physical = other.physical;
            size = other.size;
            layout = other.layout;
        }

        void addEmpty() {
            state = state == NOTHING_YET || state == EMPTY ? EMPTY : MIXED;
        }

        void addPages(long addedPhysical, long addedSize, int addedShift, int addedRights, Layout addedLayout) {
            if (state == NOTHING_YET) {
                state = ALIKE;
                pageShift = addedShift;
                rights = addedRights;
                physical = addedPhysical;
                size = addedSize;
                layout = addedLayout;
            } else if (state == ALIKE && pageShift == addedShift && rights == addedRights) {
                layout = joined(addedPhysical, addedSize, addedLayout);
                size += addedSize;
            } else {
                state = MIXED;
            }
        }

        private Layout joined(long addedPhysical, long addedSize, Layout addedLayout) {
            long page = 1L << pageShift;
            if (addedPhysical == physical + size && layout == Layout.CONTIGUOUS && addedLayout == Layout.CONTIGUOUS) {
                return Layout.CONTIGUOUS;
            }
            boolean repeatedSoFar = layout == Layout.REPEATED || size == page;
            boolean repeatedNow = addedLayout == Layout.REPEATED || addedSize == page;
            return repeatedSoFar && repeatedNow && addedPhysical == physical ? Layout.REPEATED : Layout.SCATTERED;
        }
    }

    /** Unwinds the recursion where the limit is reached. Never leaves this class. */
    private static final class LimitReached extends GuestcoreException {
        @Serial
        private static final long serialVersionUID = 1L;

        private final long virtual;

        LimitReached(long virtual) {
            super("limit of page tables reached");
            this.virtual = virtual;
        }
    }

    private final GuestMemory memory;
    private final TableCache cache;
    private final Paging paging;
    private final TableTree tree;
    private final List<TableLevel> levels;
    private final int entryBytes;
    private final boolean bigEndian;
    private final AddressRange range;
    private final long limit;
    private final boolean splitScattered;
    private final Visitor visitor;

    private final MemorySegment[] buffers;
    private final Summary[] summaries;
    private final long[] rememberedTables = new long[MEMORY_SLOTS];
    private final Summary[] remembered = new Summary[MEMORY_SLOTS];

    private long tables;
    private long unreadableTables;
    private long reservedEntries;

    /**
     * Prepares a walk.
     *
     * @param tree what to walk
     * @param range virtual addresses of interest
     * @param limit most tables to read
     * @param splitScattered whether the visitor wants every contiguous piece by itself; otherwise it may get a large
     *     range whose pages are scattered at once
     */
    TableWalk(
            GuestMemory memory,
            TableCache cache,
            Paging paging,
            TableTree tree,
            AddressRange range,
            long limit,
            boolean splitScattered,
            Visitor visitor) {
        this.memory = memory;
        this.cache = cache;
        this.paging = paging;
        this.tree = tree;
        this.levels = tree.levels();
        this.entryBytes = paging.entryBytes();
        this.bigEndian = paging.tableOrder() == ByteOrder.BIG_ENDIAN;
        this.range = range;
        this.limit = limit;
        this.splitScattered = splitScattered;
        this.visitor = visitor;
        buffers = new MemorySegment[levels.size()];
        summaries = new Summary[levels.size()];
        for (int depth = 0; depth < levels.size(); depth++) {
            buffers[depth] = MemorySegment.ofArray(new byte[levels.get(depth).entries() * entryBytes]);
            summaries[depth] = new Summary();
        }
    }

    MappingSummary run() {
        if (levels.isEmpty()) {
            int bits = tree.virtualBits();
            emit(0, 1L << bits, 0, bits, PageRights.ALL_BUT_GLOBAL, Layout.CONTIGUOUS);
            return new MappingSummary(OptionalLong.empty(), 0, 0, 0);
        }
        OptionalLong stoppedAt = OptionalLong.empty();
        try {
            table(0, tree.table(), tree.firstIndex(), tree.lastIndex(), 0, PageRights.ALL_BUT_GLOBAL);
        } catch (LimitReached reached) {
            stoppedAt = OptionalLong.of(reached.virtual);
        }
        return new MappingSummary(stoppedAt, tables, unreadableTables, reservedEntries);
    }

    private void table(int depth, long address, int from, int to, long base, int inherited) {
        Summary summary = summaries[depth];
        TableLevel level = levels.get(depth);
        boolean all = from == 0 && to == level.entries() - 1;
        int slot = slot(depth, address);
        Summary known = all ? remembered[slot] : null;
        if (known != null && rememberedTables[slot] == (address | depth) && isUsable(known)) {
            summary.set(known);
            if (known.state == Summary.ALIKE) {
                int rights = PageRights.restrict(inherited, known.rights);
                emit(base, known.size, known.physical, known.pageShift, rights, known.layout);
            }
            return;
        }
        if (tables >= limit) {
            throw new LimitReached(tree.canonical(base));
        }
        tables++;
        summary.clear();
        if (!all) {
            // What else points to this table may give it other entries.
            summary.state = Summary.MIXED;
        }
        if (from > to) {
            return;
        }
        long begin = (long) from * entryBytes;
        MemorySegment buffer = buffers[depth].asSlice(begin, (to + 1L) * entryBytes - begin);
        long available = memory.readAvailable(address + begin, buffer);
        boolean whole = available == buffer.byteSize();
        if (!whole) {
            unreadableTables++;
        }
        int shift = level.shift();
        for (int index = from; index <= to; index++) {
            long virtual = tree.canonical(base | (long) index << shift);
            if (isOutside(virtual, shift)) {
                summary.state = Summary.MIXED;
                continue;
            }
            long offset = (long) (index - from) * entryBytes;
            long entry;
            if (offset + entryBytes <= available) {
                entry = TableCache.value(buffer, offset, entryBytes, bigEndian);
            } else {
                OptionalLong single = cache.entry(address + begin + offset, entryBytes, bigEndian);
                if (single.isEmpty()) {
                    continue;
                }
                entry = single.getAsLong();
            }
            entry(depth, virtual, entry, inherited, summary);
        }
        if (!whole) {
            summary.state = Summary.MIXED;
        }
        if (summary.state != Summary.MIXED) {
            remember(slot, address | depth, summary);
        }
    }

    private void entry(int depth, long virtual, long entry, int inherited, Summary summary) {
        TableLevel level = levels.get(depth);
        if (!paging.isPresent(level, entry)) {
            summary.addEmpty();
            return;
        }
        if (paging.reservedBits(level, entry) != 0) {
            reservedEntries++;
            summary.addEmpty();
            return;
        }
        int own = paging.rights(level, entry, virtual);
        long next = paging.address(level, entry, virtual);
        if (paging.isPage(level, entry)) {
            int shift = level.shift();
            summary.addPages(next, 1L << shift, shift, own, Layout.CONTIGUOUS);
            emit(virtual, 1L << shift, next, shift, PageRights.restrict(inherited, own), Layout.CONTIGUOUS);
            return;
        }
        TableLevel below = levels.get(depth + 1);
        table(
                depth + 1,
                next,
                paging.firstIndex(below, entry),
                paging.lastIndex(below, entry),
                virtual,
                inherited & own);
        addBelow(depth, own, summary);
    }

    /** Adds to the summary of a table what the table below one of its entries showed. */
    private void addBelow(int depth, int own, Summary summary) {
        Summary below = summaries[depth + 1];
        if (below.state == Summary.ALIKE) {
            int rights = PageRights.restrict(own, below.rights);
            summary.addPages(below.physical, below.size, below.pageShift, rights, below.layout);
        } else if (below.state == Summary.EMPTY) {
            summary.addEmpty();
        } else {
            summary.state = Summary.MIXED;
        }
    }

    private boolean isUsable(Summary known) {
        return known.state == Summary.EMPTY || !splitScattered || known.layout != Layout.SCATTERED;
    }

    private int slot(int depth, long address) {
        long mixed = ((address >>> 5) * 0x9e37_79b9_7f4a_7c15L) + depth * 0x632b_e59b_d9b4_e019L;
        return (int) (mixed >>> 40) & MEMORY_SLOTS - 1;
    }

    private void remember(int slot, long key, Summary summary) {
        rememberedTables[slot] = key;
        Summary target = remembered[slot];
        if (target == null) {
            target = new Summary();
            remembered[slot] = target;
        }
        target.set(summary);
    }

    private boolean isOutside(long virtual, int shift) {
        long last = virtual + (1L << shift) - 1;
        return Long.compareUnsigned(last, range.first()) < 0 || Long.compareUnsigned(virtual, range.last()) > 0;
    }

    private void emit(long first, long size, long physical, int pageShift, int rights, Layout layout) {
        long last = first + size - 1;
        if (Long.compareUnsigned(last, range.first()) < 0 || Long.compareUnsigned(first, range.last()) > 0) {
            return;
        }
        long from = Long.compareUnsigned(first, range.first()) < 0 ? range.first() : first;
        long to = Long.compareUnsigned(last, range.last()) > 0 ? range.last() : last;
        long skipped = from - first;
        long start = switch (layout) {
            case CONTIGUOUS -> physical + skipped;
            case REPEATED -> physical + (skipped & (1L << pageShift) - 1);
            case SCATTERED -> physical;
        };
        visitor.pages(from, to - from + 1, start, pageShift, rights, layout);
    }
}
