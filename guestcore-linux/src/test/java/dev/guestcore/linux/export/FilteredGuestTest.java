package dev.guestcore.linux.export;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.linux.LinuxException;
import dev.guestcore.linux.PageKinds;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A guest some of whose pages are left out. */
class FilteredGuestTest {

    private static final int PAGE = 4096;
    private static final long BASE = 0x10_0000;

    /** Pages are zero but for these. */
    private static Guest guest(int pages, int... full) {
        byte[] ram = new byte[pages * PAGE];
        for (int page : full) {
            ram[page * PAGE + PAGE - 1] = 1;
        }
        return Guest.builder().ram(BASE, MemorySegment.ofArray(ram)).build();
    }

    private static FilteredGuest withoutZeros(Guest guest) {
        return PageFilter.of(Set.of()).withZeros().apply(guest, Progress.none());
    }

    private static PageRun run(long first, long pages, PageState state) {
        return new PageRun(AddressRange.ofSize(BASE + first * PAGE, pages * PAGE), state);
    }

    @Test
    void pagesOfZerosAreLeftOut() {
        try (FilteredGuest less = withoutZeros(guest(600, 0, 3, 300))) {
            assertEquals(597L * PAGE, less.zerosLeftOut());
            assertEquals(Map.of(), less.leftOut());
            assertEquals(run(0, 1, PageState.PRESENT), less.memory().runAt(BASE));
            assertEquals(run(1, 2, PageState.EXCLUDED), less.memory().runAt(BASE + PAGE));
            assertEquals(run(3, 1, PageState.PRESENT), less.memory().contentRunAt(BASE + 3 * PAGE));
            assertEquals(run(4, 296, PageState.EXCLUDED), less.memory().runAt(BASE + 4 * PAGE));
            assertEquals(run(301, 299, PageState.EXCLUDED), less.memory().runAt(BASE + 301 * PAGE));
            assertTrue(less.findings().contains(Finding.note("left out as asked: " + 597 * PAGE + " bytes of zeros")));
        }
    }

    @Test
    void readsEndWhereSomethingIsLeftOut() {
        try (FilteredGuest less = withoutZeros(guest(4, 0, 1, 3))) {
            assertEquals(2 * PAGE - 10,
                    less.memory().readAvailable(BASE + 10, MemorySegment.ofArray(new byte[3 * PAGE])));
            assertEquals(0, less.memory().readAvailable(BASE + 2 * PAGE + 5, MemorySegment.ofArray(new byte[1])));
            assertEquals(PAGE, less.memory().readAvailable(BASE + 3 * PAGE, MemorySegment.ofArray(new byte[2 * PAGE])));
            MemoryAccessException error = assertThrows(
                    MemoryAccessException.class, () -> less.memory().readByte(BASE + 2 * PAGE));
            assertEquals(PageState.EXCLUDED, error.state());
            assertTrue(less.memory().view(BASE + PAGE, 2 * PAGE).isEmpty());
        }
    }

    @Test
    void setsOfPagesCrossBlocksOfBits() {
        PageSet set = new PageSet();
        MemorySegment ram = MemorySegment.ofArray(new byte[2200 * PAGE]);
        try (Guest guest = Guest.builder().ram(32_000L * PAGE, ram).build()) {
            assertEquals(2000L * PAGE, set.add(guest.memory(), 32_000, 2000));
            assertEquals(100L * PAGE, set.add(guest.memory(), 33_900, 200));
            assertEquals(32_000L * PAGE - 1, set.lastAlike(BASE, Long.MAX_VALUE));
            assertEquals(34_100L * PAGE - 1, set.lastAlike(32_000L * PAGE, Long.MAX_VALUE));
            assertEquals(-1L, set.lastAlike(34_100L * PAGE, -1L));
            // Behind the end of memory there is nothing to leave out.
            assertEquals(0, set.add(guest.memory(), 1L << 40, 1000));
        }
    }

    @Test
    void kindsNeedAKernel() {
        try (Guest guest = guest(4, 1)) {
            PageFilter filter = PageFilter.of(EnumSet.of(PageKinds.Kind.FREE));
            assertThrows(LinuxException.class, () -> filter.apply(guest, Progress.none()));
        }
    }
}
