package dev.guestcore.inspect;

import static dev.guestcore.inspect.MadeUp.KIB;
import static dev.guestcore.inspect.MadeUp.MIB;
import static dev.guestcore.inspect.MadeUp.TIB;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.RegionContents;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class MemorySummaryTest {

    @Test
    void addsUpKindsStatesAndHoles() {
        MemorySummary summary = MemorySummary.of(MadeUp.pc().memory());
        assertEquals(9, summary.regionCount());
        assertEquals(new MemorySummary.KindTotal(3, 640 * KIB + 71 * MIB), summary.kinds().get(MemoryRegion.Kind.RAM));
        assertEquals(new MemorySummary.KindTotal(2, 128 * KIB), summary.kinds().get(MemoryRegion.Kind.ROM));
        assertEquals(new MemorySummary.KindTotal(4, 137 * KIB), summary.kinds().get(MemoryRegion.Kind.DEVICE));
        assertEquals(640 * KIB, summary.bytes(PageState.ZERO));
        assertEquals(63 * MIB + 128 * KIB, summary.bytes(PageState.PRESENT));
        assertEquals(8 * MIB, summary.bytes(PageState.EXCLUDED));
        assertEquals(0, summary.bytes(PageState.ABSENT));
        assertTrue(summary.statesComplete());
        assertEquals(5, summary.holeCount());
        long covered = summary.kinds().values().stream().mapToLong(MemorySummary.KindTotal::bytes).sum();
        assertEquals(0x1_0080_0000L - covered, summary.holeBytes());
        assertEquals(Optional.of(new AddressRange(0, 0x1_007f_ffffL)), summary.span());
    }

    @Test
    void readsNoPage() {
        RegionContents unread = (offset, target) -> {
            throw new AssertionError("a page was read");
        };
        Guest guest = Guest.builder().region(MadeUp.ram(0, TIB), unread).build();
        assertEquals(TIB, MemorySummary.of(guest.memory()).bytes(PageState.PRESENT));
    }

    @Test
    void emptyMemoryHasNoSpan() {
        MemorySummary summary = MemorySummary.of(Guest.builder().build().memory());
        assertEquals(0, summary.regionCount());
        assertEquals(Optional.empty(), summary.span());
    }

    @Test
    void sumsStopAtTheLargestNumber() {
        Guest guest = Guest.builder()
                .region(new MemoryRegion(new AddressRange(0, -1L), MemoryRegion.Kind.RAM, ""), wholeSpace())
                .build();
        MemorySummary summary = MemorySummary.of(guest.memory());
        assertEquals(Long.MAX_VALUE, summary.bytes(MemoryRegion.Kind.RAM));
        assertEquals(0, summary.holeCount());
    }

    private static RegionContents wholeSpace() {
        return new RegionContents() {
            @Override
            public long readAvailable(long offset, java.lang.foreign.MemorySegment target) {
                return 0;
            }

            @Override
            public Run runAt(long offset, long remaining) {
                // A run cannot be longer than 2^63 - 1 bytes.
                return new Run(PageState.UNREADABLE, remaining <= 0 ? Long.MAX_VALUE : remaining);
            }
        };
    }

    @Test
    void takesAMillionRegionsWithoutKeepingThem() {
        MadeUp.ManyRegions memory = new MadeUp.ManyRegions(1_000_000, 3 * KIB * 4, RegionContents.zeros());
        MemorySummary summary = MemorySummary.of(memory);
        assertEquals(1_000_000, summary.regionCount());
        assertEquals(1_000_000L * 4096, summary.bytes(PageState.ZERO));
        assertEquals(999_999, summary.holeCount());
        assertEquals(999_999L * 8192, summary.holeBytes());

        MemorySummary bounded = MemorySummary.of(memory, 1000);
        assertFalse(bounded.statesComplete());
        assertEquals(1000L * 4096, bounded.bytes(PageState.ZERO));
        assertEquals(1_000_000L * 4096, bounded.bytes(MemoryRegion.Kind.RAM));
    }
}
