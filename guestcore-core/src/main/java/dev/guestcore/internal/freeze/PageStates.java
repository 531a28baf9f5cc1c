package dev.guestcore.internal.freeze;

import dev.guestcore.PageState;
import dev.guestcore.RegionContents;
import dev.guestcore.cpu.Architecture;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The state of each page of some memory, outside the heap: a byte a page, its state's ordinal. PRESENT is 0, so that nothing
 * has to be noted at first. One thread may write to a page while no other one reads it.
 */
public final class PageStates implements AutoCloseable {

    private static final long PAGE = Architecture.SMALLEST_PAGE;

    /** Caps one look at the states, so that a look costs the same wherever in a large guest. */
    private static final long LONGEST_RUN = 64L << 20;

    private static final PageState[] STATES = PageState.values();

    private final AnonymousMemory states;

    /** States of so many bytes of memory, all of them PRESENT. */
    public PageStates(long size) {
        states = AnonymousMemory.reserve((size + PAGE - 1) / PAGE);
    }

    /** Sets the state of all pages of which a stretch has any bytes. */
    public void set(long offset, long size, PageState state) {
        long first = offset / PAGE;
        MemorySegment pages = states.bytes().asSlice(first, (offset + size - 1) / PAGE - first + 1);
        pages.fill((byte) state.ordinal());
    }

    /** The state of the page around {@code offset}. */
    public PageState at(long offset) {
        return STATES[states.bytes().get(ValueLayout.JAVA_BYTE, offset / PAGE)];
    }

    /** The run of pages in one state from {@code offset} on, or as much of it as one look shows. */
    public RegionContents.Run runAt(long offset, long remaining) {
        MemorySegment bytes = states.bytes();
        long limit = Math.min(remaining, LONGEST_RUN);
        long page = offset / PAGE;
        byte state = bytes.get(ValueLayout.JAVA_BYTE, page);
        long eight = (state & 0xffL) * 0x0101010101010101L;
        page++;
        while (page * PAGE - offset < limit) {
            boolean whole = (page & Long.BYTES - 1) == 0 && page + Long.BYTES <= bytes.byteSize();
            if (whole && bytes.get(ValueLayout.JAVA_LONG_UNALIGNED, page) == eight) {
                page += Long.BYTES;
            } else if (bytes.get(ValueLayout.JAVA_BYTE, page) == state) {
                page++;
            } else {
                break;
            }
        }
        return new RegionContents.Run(STATES[state], Math.min(limit, page * PAGE - offset));
    }

    @Override
    public void close() {
        states.close();
    }
}
