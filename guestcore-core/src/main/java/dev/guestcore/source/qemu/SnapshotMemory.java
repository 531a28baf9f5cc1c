package dev.guestcore.source.qemu;

import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.error.SourceException;
import dev.guestcore.internal.file.SteadyFile;
import dev.guestcore.internal.freeze.AnonymousMemory;
import dev.guestcore.internal.migration.RamBlock;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Finds pages in a stream that lies in a file: for each page of each block, where in the stream its bytes are. They are not
 * copied until somebody reads them.
 */
final class SnapshotMemory implements SnapshotPages {

    /** In the stream a word stands between two pages of one block that follow each other. */
    private static final long STRIDE = PAGE_SIZE + Long.BYTES;

    private static final int PAGES_AT_ONCE = 128;

    /** Caps one look at the index, so that a look costs the same wherever in a large guest. */
    private static final long LONGEST_RUN = 64L << 20;

    private static final long TOLD_AT_ONCE = 1L << 20;
    private static final ThreadLocal<MemorySegment> BOUNCE =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(PAGES_AT_ONCE * STRIDE, Long.BYTES));

    private final FileChannel stream;
    private final Progress progress;

    /**
     * By block, for each page of it: 0 if it is zero, its place in the stream, or for a page of one repeated byte that byte
     * less 256.
     */
    private final List<AnonymousMemory> indexes = new ArrayList<>();

    private long untold;
    private @Nullable SteadyFile whole;

    /** Finds pages in {@code stream}, which is closed with this. */
    SnapshotMemory(FileChannel stream, Progress progress) {
        this.stream = stream;
        this.progress = progress;
    }

    @Override
    public void block(RamBlock block) {
        indexes.add(AnonymousMemory.reserve(block.size() / PAGE_SIZE * Long.BYTES));
    }

    @Override
    public void page(RamBlock block, long offset, MemorySegment page, long position) {
        if (position == NOT_STORED) {
            throw new SourceException("QEMU compresses memory although its capability 'compress' is off");
        }
        put(block, offset, position);
    }

    @Override
    public void fill(RamBlock block, long offset, byte value) {
        put(block, offset, value == 0 ? 0 : (value & 0xff) - 256);
    }

    private void put(RamBlock block, long offset, long value) {
        // What is zero stays untouched, and takes no memory in the index.
        if (value != 0) {
            indexes.get(block.index()).bytes().set(ValueLayout.JAVA_LONG, offset / PAGE_SIZE * Long.BYTES, value);
        }
        untold += PAGE_SIZE;
        if (untold >= TOLD_AT_ONCE) {
            progress.advance(untold);
            untold = 0;
        }
    }

    @Override
    public void complete() {
        whole = new SteadyFile(stream);
    }

    @Override
    public RegionContents contents(MemoryRegion region, RamBlock block, long start) {
        return new Pages(indexes.get(block.index()).bytes(), start);
    }

    @Override
    public void close() {
        indexes.forEach(AnonymousMemory::close);
        try {
            if (whole != null) {
                whole.close();
            } else {
                stream.close();
            }
        } catch (IOException e) {
            throw new SourceException("cannot release the snapshot: " + e.getMessage(), e);
        }
    }

    private void readStream(long position, MemorySegment target) {
        SteadyFile file = Objects.requireNonNull(whole);
        try {
            for (long done = 0; done < target.byteSize();) {
                int count = file.read(target.asSlice(done), position + done);
                if (count < 0) {
                    throw new SourceException("the snapshot became shorter while it was read");
                }
                done += count;
            }
        } catch (ClosedChannelException e) {
            throw new IllegalStateException("the guest is closed", e);
        } catch (IOException e) {
            throw new SourceException("cannot read the snapshot: " + e.getMessage(), e);
        }
    }

    private final class Pages implements RegionContents {

        private final MemorySegment index;
        private final long start;

        Pages(MemorySegment index, long start) {
            this.index = index;
            this.start = start;
        }

        private long entry(long page) {
            return index.get(ValueLayout.JAVA_LONG, page * Long.BYTES);
        }

        @Override
        public Run runAt(long offset, long remaining) {
            long limit = Math.min(remaining, LONGEST_RUN);
            long at = start + offset;
            long page = at / PAGE_SIZE;
            boolean zero = entry(page) == 0;
            page++;
            while (page * PAGE_SIZE - at < limit && entry(page) == 0 == zero) {
                page++;
            }
            return new Run(zero ? PageState.ZERO : PageState.PRESENT, Math.min(limit, page * PAGE_SIZE - at));
        }

        @Override
        public long readAvailable(long offset, MemorySegment target) {
            long done = 0;
            while (done < target.byteSize()) {
                done += readSome(start + offset + done, target.asSlice(done));
            }
            return done;
        }

        /** Pages that lie behind each other in the stream are read together. */
        private long readSome(long at, MemorySegment target) {
            long page = at / PAGE_SIZE;
            long within = at % PAGE_SIZE;
            long entry = entry(page);
            if (entry <= 0) {
                long length = Math.min(PAGE_SIZE - within, target.byteSize());
                target.asSlice(0, length).fill((byte) entry);
                return length;
            }
            long wanted = Math.min(target.byteSize(), PAGES_AT_ONCE * PAGE_SIZE - within);
            int pages = 1;
            while (pages * PAGE_SIZE - within < wanted && entry(page + pages) == entry + pages * STRIDE) {
                pages++;
            }
            MemorySegment bounce = BOUNCE.get();
            long length = Math.min(wanted, pages * PAGE_SIZE - within);
            long end = (within + length - 1) / PAGE_SIZE * STRIDE + (within + length - 1) % PAGE_SIZE + 1;
            readStream(entry + within, bounce.asSlice(within, end - within));
            long done = 0;
            for (int i = 0; done < length; i++) {
                long from = i == 0 ? within : 0;
                long count = Math.min(PAGE_SIZE - from, length - done);
                MemorySegment.copy(bounce, i * STRIDE + from, target, done, count);
                done += count;
            }
            return length;
        }
    }
}
