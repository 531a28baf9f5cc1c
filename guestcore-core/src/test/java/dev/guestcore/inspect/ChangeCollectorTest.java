package dev.guestcore.inspect;

import static dev.guestcore.inspect.MadeUp.MIB;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class ChangeCollectorTest {

    private static final long PAGE = 4096;

    /** RAM of 128 pages at 0, of 8 pages at 1 MiB, and a device at 2 MiB. */
    private static Guest guest() {
        return Guest.builder()
                .region(MadeUp.ram(0, 128 * PAGE), MadeUp.pages(page -> 0))
                .region(MadeUp.ram(MIB, 8 * PAGE), MadeUp.pages(page -> 0))
                .device(2 * MIB, MIB, "vga")
                .build();
    }

    private static List<MemoryMap.Area> areas(MemoryMap map) {
        List<MemoryMap.Area> areas = new ArrayList<>();
        map.rows().forEach(row -> {
            if (row instanceof MemoryMap.Area area) {
                areas.add(area);
            }
        });
        return areas;
    }

    private static AreaChanges changes(ChangeCollector collector, int area) {
        return areas(collector.map()).get(area).changes().orElseThrow();
    }

    @Test
    void countsPagesInTheirCells() {
        ChangeCollector collector = new ChangeCollector(guest());
        collector.add(new AddressRange(3 * PAGE, 4 * PAGE - 1));
        collector.add(new AddressRange(8 * PAGE, 12 * PAGE - 1));
        AreaChanges changes = changes(collector, 0);
        assertEquals(5, changes.changedPages());
        assertEquals(128, changes.pages());
        List<Double> expected = new ArrayList<>(Collections.nCopies(64, 0.0));
        expected.set(1, 0.5);
        expected.set(4, 1.0);
        expected.set(5, 1.0);
        assertEquals(expected, changes.profile());
        assertEquals(0, changes(collector, 1).changedPages());
        assertTrue(areas(collector.map()).get(2).changes().isEmpty(), "nobody knows whether a device changed");
    }

    @Test
    void aRangeMayReachOverAreasHolesAndTheEnd() {
        ChangeCollector collector = new ChangeCollector(guest());
        collector.add(new AddressRange(127 * PAGE, -1L));
        assertEquals(1, changes(collector, 0).changedPages());
        assertEquals(8, changes(collector, 1).changedPages());
        assertEquals(1.0, changes(collector, 1).share());
        assertEquals(List.of(1.0), changes(collector, 1).profile().stream().distinct().toList());
    }

    @Test
    void whatLiesOutsideIsLeftOut() {
        ChangeCollector collector = new ChangeCollector(guest());
        collector.add(new AddressRange(128 * PAGE, MIB - 1));
        collector.add(new AddressRange(100 * MIB, 101 * MIB));
        assertEquals(0, changes(collector, 0).changedPages() + changes(collector, 1).changedPages());
    }

    @Test
    void theLargestAreaTakesNoLonger() {
        MemoryRegion all = new MemoryRegion(new AddressRange(0, Long.MAX_VALUE - 1), MemoryRegion.Kind.RAM, "all");
        Guest guest = Guest.builder().region(all, MadeUp.pages(page -> 0)).build();
        assertTimeoutPreemptively(Duration.ofSeconds(10), () -> {
            ChangeCollector collector = new ChangeCollector(guest);
            collector.add(new AddressRange(0, 1L << 62));
            List<Double> profile = changes(collector, 0).profile();
            assertEquals(1.0, profile.getFirst());
            assertEquals(0.0, profile.getLast());
        });
    }

    @Test
    void aComparisonTellsEveryKindOfDifference() {
        Guest a = guest();
        Guest b = Guest.builder()
                .region(MadeUp.ram(0, 128 * PAGE), MadeUp.pages(page -> page == 64 ? 1 : 0))
                .build();
        ChangeCollector collector = new ChangeCollector(a);
        GuestComparison.compare(a, b, collector::add, Progress.none());
        assertEquals(1, changes(collector, 0).changedPages());
        assertEquals(1.0 / 2, changes(collector, 0).profile().get(32));
        assertEquals(8, changes(collector, 1).changedPages(), "the other guest does not have it");
    }

    @Test
    void bothPicturesShowWhereItChanged() {
        ChangeCollector collector = new ChangeCollector(guest());
        assertFalse(SvgMap.render(collector.map()).contains("class=\"changed\" x=\"200\""));
        collector.add(new AddressRange(0, 2 * PAGE - 1));
        collector.add(new AddressRange(MIB, MIB + 8 * PAGE - 1));
        String svg = SvgMap.render(collector.map());
        assertTrue(svg.contains("changed physical memory"), svg);
        assertTrue(svg.contains("2 pages changed, 2 %"), svg);
        assertTrue(svg.contains("8 pages changed, 100 %"), svg);
        // The first 64th of a bar of 384, and a whole one.
        assertTrue(svg.contains("<rect class=\"changed\" x=\"200\" y=\"156\" width=\"6\""), svg);
        assertTrue(svg.matches("(?s).*<rect class=\"changed\" x=\"200\" y=\"\\d+\" width=\"384\".*"), svg);
        List<String> lines = TextMap.render(collector.map(), new TextMap.Style(80, false, true)).lines().toList();
        String first = lines.stream().filter(line -> line.startsWith("0x000000000000 ")).findFirst().orElseThrow();
        // One of the three 64ths under the first character changed.
        assertTrue(first.contains("▒···") && first.contains("   2%"), first);
        String second = lines.stream().filter(line -> line.startsWith("0x000000100000 ")).findFirst().orElseThrow();
        assertTrue(second.contains("██") && second.contains("100%"), second);
    }
}
