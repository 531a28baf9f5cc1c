package dev.guestcore.inspect;

import static dev.guestcore.inspect.MadeUp.MIB;
import static dev.guestcore.inspect.MadeUp.TIB;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.error.CancelledException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class MemoryScanTest {

    private static MemoryScan scan(Guest guest) {
        return MemoryScan.run(guest.memory(), Progress.none());
    }

    @Test
    void countsEveryKindOfPage() {
        Guest guest = Guest.builder()
                .region(MadeUp.ram(0, 16 * MIB), MadeUp.failing(page -> page % 10, Set.of(5L, 6L, 7L, 4095L)))
                .region(MadeUp.ram(16 * MIB, MIB), RegionContents.zeros())
                .region(MadeUp.ram(17 * MIB, MIB), MadeUp.in(PageState.EXCLUDED))
                .region(MadeUp.ram(18 * MIB, MIB), MadeUp.in(PageState.ABSENT))
                .region(MadeUp.ram(19 * MIB, MIB), MadeUp.in(PageState.UNREADABLE))
                .device(32 * MIB, MIB, "device")
                .build();
        MemoryScan scan = scan(guest);
        assertEquals(4096 + 4 * 256, scan.pages());
        assertEquals(410 + 256, scan.zeroPages());
        assertEquals(4 + 256, scan.unreadablePages());
        assertEquals(256, scan.excludedPages());
        assertEquals(256, scan.absentPages());
        assertEquals(4096 - 410 - 4, scan.presentPages());
        assertEquals(9, scan.distinctContents());
        assertEquals(4096 - 410 - 4 - 9, scan.duplicatePages());
        assertTrue(scan.exact());
        assertEquals(
                List.of(
                        new AddressRange(0x5000, 0x7fff),
                        new AddressRange(0xfff000, 0xffffff),
                        new AddressRange(19 * MIB, 20 * MIB - 1)),
                scan.unreadable().listed());
        assertEquals(4 + 256, scan.unreadable().pages());
        assertEquals(6, scan.regions().size());
        assertEquals(0, scan.regions().getLast().pages());
        assertEquals(4, scan.regions().getFirst().missingPages());
        assertEquals((4096 - 410 - 4) / 4096.0, scan.regions().getFirst().density());
    }

    @Test
    void equalPagesInDifferentRegionsAreDuplicates() {
        Guest guest = Guest.builder()
                .region(MadeUp.ram(0, 4096 * 3), MadeUp.pages(page -> page + 1))
                .region(MadeUp.ram(MIB, 4096 * 3), MadeUp.pages(page -> page + 2))
                .build();
        MemoryScan scan = scan(guest);
        assertEquals(4, scan.distinctContents());
        assertEquals(2, scan.duplicatePages());
    }

    @Test
    void aPageOfWhichAPartIsMissingIsMissingOnce() {
        byte[] bytes = new byte[4096 + 100];
        bytes[4096] = 1;
        Guest guest = Guest.builder()
                .region(MadeUp.ram(0, 3 * 4096), MadeUp.cut(bytes, PageState.UNREADABLE))
                .build();
        MemoryScan scan = scan(guest);
        assertEquals(3, scan.pages());
        assertEquals(1, scan.zeroPages());
        assertEquals(2, scan.unreadablePages());
        assertEquals(List.of(new AddressRange(4096, 3 * 4096 - 1)), scan.unreadable().listed());
    }

    @Test
    void regionsNeedNotBeginOrEndAtPages() {
        byte[] bytes = new byte[4096];
        bytes[4095] = 1;
        MemoryScan scan = scan(Guest.builder().ram(0x1800, MemorySegment.ofArray(bytes)).build());
        assertEquals(2, scan.pages());
        assertEquals(1, scan.zeroPages());
        assertEquals(1, scan.presentPages());

        MemoryScan top = scan(Guest.builder().ram(-4096L, MemorySegment.ofArray(bytes)).build());
        assertEquals(1, top.presentPages());
    }

    @Test
    void profileShowsWhereTheContentLies() {
        // 1,024 pages, 16 under each of the 64 cells; the first quarter is full, the second half full, the rest empty.
        RegionContents contents = MadeUp.pages(page -> page < 256 ? 7 : page < 512 ? page % 2 : 0);
        MemoryScan scan = scan(Guest.builder().region(MadeUp.ram(0, 4 * MIB), contents).build());
        List<Double> profile = scan.regions().getFirst().profile();
        assertEquals(64, profile.size());
        assertEquals(Set.of(1.0), Set.copyOf(profile.subList(0, 16)));
        assertEquals(Set.of(0.5), Set.copyOf(profile.subList(16, 32)));
        assertEquals(Set.of(0.0), Set.copyOf(profile.subList(32, 64)));
    }

    @Test
    @Tag("slow")
    void estimateIsLabelledAndClose() {
        long pages = 40_000;
        Guest guest = Guest.builder()
                .region(MadeUp.ram(0, pages * 4096), MadeUp.pages(page -> page / 2 + 1))
                .build();
        MemoryScan scan = MemoryScan.run(guest.memory(), Progress.none(), 1 << 12);
        assertFalse(scan.exact());
        // About 2,300 hashes are kept; four standard errors of 1.2 / sqrt(2300) are 10 percent.
        assertEquals(pages / 2, scan.distinctContents(), pages / 2 * 0.1);
        assertEquals(scan.presentPages(), scan.distinctContents() + scan.duplicatePages());
        MemoryScan again = MemoryScan.run(guest.memory(), Progress.none(), 1 << 12);
        assertEquals(scan, again);
    }

    @Test
    void knownZerosCostNothing() {
        Guest guest = Guest.builder()
                .region(MadeUp.ram(0, 64 * TIB), RegionContents.zeros())
                .build();
        MemoryScan scan = assertTimeoutPreemptively(Duration.ofSeconds(10), () -> scan(guest));
        assertEquals(64 * TIB / 4096, scan.zeroPages());
        assertEquals(Set.of(0.0), Set.copyOf(scan.regions().getFirst().profile()));
    }

    @Test
    void listOfUnreadableRangesIsBounded() {
        Set<Long> failing = LongStream.range(0, 2000).map(page -> page * 2).boxed().collect(Collectors.toSet());
        Guest guest = Guest.builder()
                .region(MadeUp.ram(0, 16 * MIB), MadeUp.failing(page -> 1, failing))
                .build();
        RangeTally unreadable = scan(guest).unreadable();
        assertEquals(2000, unreadable.rangeCount());
        assertEquals(2000 * 4096, unreadable.bytes());
        assertEquals(RangeTally.MOST_LISTED, unreadable.listed().size());
        assertTrue(unreadable.isCut());
    }

    @Test
    @Tag("slow")
    void takesAMillionRegions() {
        MadeUp.ManyRegions memory = new MadeUp.ManyRegions(1_000_000, 8192, (offset, target) -> {
            target.fill((byte) 3);
            return target.byteSize();
        });
        MemoryScan scan = MemoryScan.run(memory, Progress.none());
        assertEquals(1_000_000, scan.presentPages());
        assertEquals(1, scan.distinctContents());
        assertEquals(List.of(), scan.regions());
    }

    @Test
    void progressAddsUpAndCancels() {
        Guest guest = MadeUp.pc();
        MadeUp.Counting whole = new MadeUp.Counting(Long.MAX_VALUE);
        MemoryScan.run(guest.memory(), whole);
        assertEquals(whole.total, whole.done);
        MadeUp.Counting cancelling = new MadeUp.Counting(8 * MIB);
        assertThrows(CancelledException.class, () -> MemoryScan.run(guest.memory(), cancelling));
        assertTrue(cancelling.done < 10 * MIB);
    }

    @Test
    void errorOfTheSourceComesThrough() {
        RegionContents broken = (offset, target) -> {
            throw new IllegalStateException("the guest was closed");
        };
        Guest guest = Guest.builder()
                .region(new MemoryRegion(AddressRange.ofSize(0, 32 * MIB), MemoryRegion.Kind.RAM, ""), broken)
                .build();
        assertEquals(
                "the guest was closed",
                assertThrows(IllegalStateException.class, () -> scan(guest)).getMessage());
    }
}
