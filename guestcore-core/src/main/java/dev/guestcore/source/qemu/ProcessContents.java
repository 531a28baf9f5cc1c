package dev.guestcore.source.qemu;

import dev.guestcore.PageState;
import dev.guestcore.RegionContents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A region of guest memory that lies in one piece in QEMU's process. */
final class ProcessContents implements RegionContents {

    private static final int PAGE_SHIFT = 12;
    private static final long PAGE = 1L << PAGE_SHIFT;
    private static final int PAGES_AT_ONCE = 1024;

    private static final ThreadLocal<@Nullable Window> LAST_WINDOW = new ThreadLocal<>();

    private final ProcessMemory process;
    private final long address;
    private final Optional<PageMap> pageMap;
    private final boolean skipsUntouched;

    /**
     * What the page map says of some pages.
     *
     * @param owner whose pages
     * @param first number of the first page in QEMU's process
     */
    private record Window(ProcessContents owner, long first, boolean[] untouched) {}

    /**
     * Creates the contents.
     *
     * @param process QEMU
     * @param address where the region starts in QEMU's process
     * @param pageMap tells which pages nobody has ever touched, if that can be known. What it says is used for as long as
     *     this object: the guest must stand still, or it must not matter
     * @param skipsUntouched whether such pages are not even touched by a read, as it would take memory of the host's
     */
    ProcessContents(ProcessMemory process, long address, Optional<PageMap> pageMap, boolean skipsUntouched) {
        this.process = process;
        this.address = address;
        this.pageMap = pageMap;
        this.skipsUntouched = skipsUntouched && pageMap.isPresent();
    }

    @Override
    public long readAvailable(long offset, MemorySegment target) {
        if (!skipsUntouched) {
            return process.read(address + offset, target);
        }
        long done = 0;
        while (done < target.byteSize()) {
            Run run = known(pageMap.orElseThrow(), offset + done, target.byteSize() - done);
            MemorySegment part = target.asSlice(done, run.size());
            if (run.state() == PageState.ZERO) {
                part.fill((byte) 0);
                done += run.size();
            } else {
                long read = process.read(address + offset + done, part);
                done += read;
                if (read < run.size()) {
                    break;
                }
            }
        }
        return done;
    }

    /** Only a page that is asked for is tried: which pages fail is not known before, and may change. */
    @Override
    public Run runAt(long offset, long remaining) {
        if (pageMap.isEmpty()) {
            return tried(offset, remaining);
        }
        Run run = known(pageMap.get(), offset, remaining);
        return run.state() == PageState.ZERO ? run : tried(offset, run.size());
    }

    /** A run that was never touched is ZERO here, and any other one PRESENT, though it may be unreadable. */
    private Run known(PageMap map, long offset, long remaining) {
        long page = address + offset >>> PAGE_SHIFT;
        Window window = window(map, page);
        int index = (int) (page - window.first());
        int end = index + 1;
        while (end < window.untouched().length && window.untouched()[end] == window.untouched()[index]) {
            end++;
        }
        long toEnd = (window.first() + end << PAGE_SHIFT) - (address + offset);
        // Negative is unsigned here: a region may be longer than 2^63 bytes.
        long size = remaining < 0 ? toEnd : Math.min(toEnd, remaining);
        return new Run(window.untouched()[index] ? PageState.ZERO : PageState.PRESENT, size);
    }

    private Window window(PageMap map, long page) {
        Window last = LAST_WINDOW.get();
        if (last != null
                && last.owner() == this
                && last.first() <= page
                && page < last.first() + last.untouched().length) {
            return last;
        }
        long first = page & -PAGES_AT_ONCE;
        Window fresh = new Window(this, first, map.untouched(first, PAGES_AT_ONCE));
        LAST_WINDOW.set(fresh);
        return fresh;
    }

    private Run tried(long offset, long remaining) {
        try (Arena arena = Arena.ofConfined()) {
            if (process.read(address + offset, arena.allocate(1)) == 1) {
                return new Run(PageState.PRESENT, remaining);
            }
        }
        long toPageEnd = PAGE - (address + offset & PAGE - 1);
        return new Run(PageState.UNREADABLE, remaining < 0 ? toPageEnd : Math.min(toPageEnd, remaining));
    }
}
