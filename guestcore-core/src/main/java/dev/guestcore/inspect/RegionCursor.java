package dev.guestcore.inspect;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import java.util.Iterator;
import org.jspecify.annotations.Nullable;

/** Tells, for addresses that only grow, what a memory has there and how far it goes on so. Not thread-safe. */
final class RegionCursor {

    private final GuestMemory memory;
    private final Iterator<MemoryRegion> iterator;
    private @Nullable MemoryRegion next;
    private MemoryRegion.@Nullable Kind kind;
    private PageState state = PageState.ABSENT;
    private long last;
    private boolean started;

    RegionCursor(GuestMemory memory) {
        this.memory = memory;
        this.iterator = memory.regions().iterator();
        advance();
    }

    private void advance() {
        next = iterator.hasNext() ? iterator.next() : null;
    }

    /** Goes to an address that is not below the one before. */
    void moveTo(long address) {
        if (started && Long.compareUnsigned(address, last) <= 0) {
            return;
        }
        started = true;
        while (next != null && Long.compareUnsigned(next.range().last(), address) < 0) {
            advance();
        }
        MemoryRegion region = next;
        if (region == null || Long.compareUnsigned(address, region.range().first()) < 0) {
            kind = null;
            state = PageState.ABSENT;
            last = region == null ? -1L : region.range().first() - 1;
        } else if (region.hasContent()) {
            PageRun run = memory.contentRunAt(address);
            kind = region.kind();
            state = run.state();
            last = Pages.lower(run.range().last(), region.range().last());
        } else {
            kind = region.kind();
            state = PageState.ABSENT;
            last = region.range().last();
        }
    }

    /** What answers at the address; null in a hole. */
    MemoryRegion.@Nullable Kind kind() {
        return kind;
    }

    /** State of the address; absent in a hole and for devices. */
    PageState state() {
        return state;
    }

    /** The last address up to which all this stays so. */
    long last() {
        return last;
    }
}
