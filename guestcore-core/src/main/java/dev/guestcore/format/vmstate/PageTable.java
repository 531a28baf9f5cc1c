package dev.guestcore.format.vmstate;

import dev.guestcore.PageState;
import dev.guestcore.RegionContents;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.memory.FileMemory;
import dev.guestcore.internal.migration.OtherWays;
import dev.guestcore.internal.migration.RamBlock;
import dev.guestcore.internal.migration.RamSink;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.internal.ranges.LayeredExtents;
import dev.guestcore.internal.spool.Spool;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Where each page of each block lies: in the file, in the spool, or nowhere because all its bytes are the same. The blocks
 * are thought of as one row, each behind the one before; tables lie outside the heap.
 *
 * <p>In the file a word stands before each page, so pages that follow each other lie 4104 bytes apart. So that a run of them
 * is one range with one number, the number leaves the words out: page n lies at {@code number + 8 * n - 8 * pages}, where
 * {@code number} grows by 4096 a page.
 */
final class PageTable {

    private static final int PAGE = RamSink.PAGE_SIZE;
    private static final long WORD = Long.BYTES;

    /** Set beside a range whose pages are in the spool, at the offset that they have in the row. */
    private static final long SPOOLED = 1L << 62;

    /** More than any processor can address. */
    private static final long MOST_MEMORY = 1L << 52;

    /** Their tables take up to a gigabyte and a half; a compressed file could ask for any number. */
    private static final long MOST_RANGES = 12_000_000;

    /** A mark less this, down to 255 less: all bytes of the pages have that value. */
    private static final long FILLED = -256;

    private final FileBytes file;
    private final @Nullable Spool spool;
    private final Extents extents;
    private final List<Long> starts;
    private final long pages;
    private final PageState missing;

    private PageTable(
            FileBytes file, @Nullable Spool spool, Extents extents, List<Long> starts, long pages, PageState missing) {
        this.file = file;
        this.spool = spool;
        this.extents = extents;
        this.starts = starts;
        this.pages = pages;
        this.missing = missing;
    }

    /** Collects pages; see {@link RamSink}. Holds the spool until {@link #build}. */
    static final class Builder implements RamSink, AutoCloseable {

        private final FileBytes file;
        private final boolean compressed;
        private final Arena scratch = Arena.ofConfined();
        private final LayeredExtents layers = new LayeredExtents(scratch);
        private final List<Long> starts = new ArrayList<>();
        private @Nullable Spool spool;
        private long total;
        private long first;
        private long last;
        private long number;
        private boolean open;

        /**
         * Begins with no pages.
         *
         * @param file holds the stream
         * @param compressed whether the pages do not lie in the file as they are
         */
        Builder(FileBytes file, boolean compressed) {
            this.file = file;
            this.compressed = compressed;
        }

        @Override
        public void block(RamBlock block) {
            starts.add(total);
            total += block.size();
            if (total < 0 || total > MOST_MEMORY) {
                throw new UnsupportedRequestException(file.name()
                        + ": the saved guest claims to have more than 2^52 bytes"
                        + " of memory, which no processor can address; the file is damaged");
            }
        }

        @Override
        public void page(RamBlock block, long offset, MemorySegment page, long position) {
            long place = starts.get(block.index()) + offset;
            if (compressed || position == NOT_STORED) {
                Spool target = spool;
                if (target == null) {
                    target = new Spool(file.name(), "");
                    spool = target;
                }
                target.write(place, page);
                put(place, SPOOLED + place);
            } else {
                put(place, position + (total - place) / PAGE * WORD);
            }
        }

        @Override
        public void fill(RamBlock block, long offset, byte value) {
            put(starts.get(block.index()) + offset, value == 0 ? FileMemory.ZERO : FILLED - (value & 0xff));
        }

        private void put(long place, long value) {
            if (open && place == last + 1 && value == (number < 0 ? number : number + (place - first))) {
                last += PAGE;
                return;
            }
            end();
            first = place;
            last = place + (PAGE - 1);
            number = value;
            open = true;
        }

        private void end() {
            if (open) {
                if (layers.count() == MOST_RANGES) {
                    throw new UnsupportedRequestException(file.name() + ": the memory lies in more than " + MOST_RANGES
                            + " pieces, which is more than Guestcore keeps track of; "
                            + OtherWays.LOAD);
                }
                layers.add(first, last, number);
                open = false;
            }
        }

        /**
         * The table.
         *
         * @param arena how long it lives
         * @param missing what is said of pages that never came
         */
        PageTable build(Arena arena, PageState missing) {
            end();
            if (spool != null) {
                spool.finish();
            }
            Extents extents = layers.build(arena, LayeredExtents.Precedence.LATER);
            PageTable table = new PageTable(file, spool, extents, List.copyOf(starts), total / PAGE, missing);
            spool = null;
            scratch.close();
            return table;
        }

        @Override
        public void close() {
            if (scratch.scope().isAlive()) {
                scratch.close();
            }
            if (spool != null) {
                spool.close();
            }
        }
    }

    /** How many pages never came. */
    long missingPages() {
        long there = 0;
        for (long i = 0; i < extents.count(); i++) {
            there += (extents.last(i) - extents.first(i) + 1) / PAGE;
        }
        return pages - there;
    }

    /** Gives the spool up. */
    void close() {
        if (spool != null) {
            spool.close();
        }
    }

    /** A part of a block as the contents of a region. */
    RegionContents contents(RamBlock block, long offset) {
        return new Part(starts.get(block.index()) + offset);
    }

    private final class Part implements RegionContents {

        private final long start;

        Part(long start) {
            this.start = start;
        }

        @Override
        public Run runAt(long offset, long remaining) {
            long place = start + offset;
            long index = extents.floor(place);
            if (extents.contains(index, place)) {
                long value = extents.value(index);
                long size = Math.min(remaining, extents.last(index) - place + 1);
                if (value >= 0 && value < SPOOLED) {
                    return inFile(index, place, size);
                }
                return new Run(value == FileMemory.ZERO ? PageState.ZERO : PageState.PRESENT, size);
            }
            long next = index + 1 < extents.count() ? extents.first(index + 1) - place : remaining;
            return new Run(missing, Math.min(remaining, next));
        }

        @Override
        public long readAvailable(long offset, MemorySegment target) {
            long done = 0;
            long index = extents.floor(start + offset);
            while (done < target.byteSize()) {
                long place = start + offset + done;
                if (!extents.contains(index, place) && !extents.contains(++index, place)) {
                    break;
                }
                long length = Math.min(target.byteSize() - done, extents.last(index) - place + 1);
                long copied = read(index, place, target.asSlice(done, length));
                done += copied;
                if (copied < length) {
                    break;
                }
            }
            return done;
        }

        @Override
        public Optional<MemorySegment> view(long offset, long size) {
            long place = start + offset;
            long index = extents.floor(place);
            if (!extents.contains(index, place) || extents.value(index) < 0 || extents.value(index) >= SPOOLED
                    || size > PAGE - place % PAGE) {
                return Optional.empty();
            }
            return file.view(position(index, place), size, "page");
        }
    }

    /** Pages that lie in the file, each behind a word of its own. Where the disk failed, a page or less at a time. */
    private RegionContents.Run inFile(long index, long place, long size) {
        long first = position(index, place);
        long span = position(index, place + size - 1) - first + 1;
        if (file.readableFrom(first, span) == span) {
            return new RegionContents.Run(PageState.PRESENT, size);
        }
        long inPage = Math.min(size, PAGE - place % PAGE);
        long lost = file.unreadableFrom(first, inPage);
        return lost > 0
                ? new RegionContents.Run(PageState.UNREADABLE, lost)
                : new RegionContents.Run(PageState.PRESENT, file.readableFrom(first, inPage));
    }

    /** Gives how many bytes it read, less only before what the disk cannot give. */
    private long read(long index, long place, MemorySegment target) {
        long value = extents.value(index);
        if (value == FileMemory.ZERO) {
            target.fill((byte) 0);
        } else if (value < 0) {
            target.fill((byte) (FILLED - value));
        } else if (value >= SPOOLED) {
            Objects.requireNonNull(spool).read(place, target);
        } else {
            long done = 0;
            while (done < target.byteSize()) {
                long at = place + done;
                long length = Math.min(target.byteSize() - done, PAGE - at % PAGE);
                long position = position(index, at);
                long count = file.read(position, target.asSlice(done, length));
                done += count;
                if (count < length) {
                    if (file.unreadableFrom(position + count, 1) == 0) {
                        throw file.incomplete(position + count);
                    }
                    return done;
                }
            }
        }
        return target.byteSize();
    }

    private long position(long index, long place) {
        long linear = extents.value(index) + (place - extents.first(index));
        return linear - (pages - place / PAGE) * WORD;
    }
}
