package dev.guestcore.internal.writer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.MemoryRegion.Kind;
import dev.guestcore.RegionContents;
import dev.guestcore.format.Loss;
import java.util.List;
import org.junit.jupiter.api.Test;

class CommonLossesTest {

    private static final long PAGE = 4096;

    private static List<String> of(MemoryRegion... regions) {
        var builder = Guest.builder();
        for (MemoryRegion region : regions) {
            builder.region(region, RegionContents.zeros());
        }
        return CommonLosses.ofRegions(builder.build().memory()).stream().map(Loss::toString).toList();
    }

    private static MemoryRegion region(long page, Kind kind, String name) {
        return new MemoryRegion(AddressRange.ofSize(page * PAGE, PAGE), kind, name);
    }

    @Test
    void ramWithoutANameLosesNothing() {
        assertEquals(List.of(), of(region(0, Kind.RAM, ""), region(2, Kind.RAM, "")));
    }

    /** One name is lost as two are. */
    @Test
    void everyNameCounts() {
        for (int named = 1; named <= 3; named++) {
            MemoryRegion[] regions = new MemoryRegion[3];
            for (int i = 0; i < regions.length; i++) {
                regions[i] = region(2L * i, Kind.RAM, i < named ? "pc.ram" : "");
            }
            List<String> losses = of(regions);
            assertEquals(1, losses.size());
            assertTrue(losses.getFirst().contains(named == 1 ? "1 region" : named + " regions"), losses.toString());
        }
    }

    @Test
    void everyKindCounts() {
        List<String> losses = of(region(0, Kind.ROM, ""), region(2, Kind.DEVICE, "apic"));
        assertEquals(3, losses.size(), losses.toString());
        assertTrue(losses.get(0).contains("ROM") && losses.get(1).contains("device"), losses.toString());
    }

    /** A list of thousands helps nobody, but none is passed over. */
    @Test
    void tellsHowManyMoreThereAre() {
        MemoryRegion[] regions = new MemoryRegion[40];
        for (int i = 0; i < regions.length; i++) {
            regions[i] = region(2L * i, Kind.ROM, "");
        }
        List<String> losses = of(regions);
        assertEquals(17, losses.size());
        assertTrue(losses.getLast().contains("24 more"), losses.toString());
    }
}
