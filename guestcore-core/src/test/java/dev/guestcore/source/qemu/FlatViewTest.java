package dev.guestcore.source.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.MemoryRegion;
import dev.guestcore.MemoryRegion.Kind;
import dev.guestcore.error.SourceException;
import java.util.List;
import org.junit.jupiter.api.Test;

class FlatViewTest {

    private static final String OTHER_VIEW =
            """
            FlatView #0
             AS "I/O", root: io
             Root memory region: io
              0000000000000000-0000000000000007 (prio 0, i/o): dma-chan

            """;

    @Test
    void kindsNamesOffsetsAndTheMarkOfKvm() {
        List<MemoryRegion> regions = FlatView.parse(OTHER_VIEW
                + """
                FlatView #1
                 AS "memory", root: system
                 AS "cpu-memory-0", root: system
                 Root memory region: system
                  0000000000000000-000000000009ffff (prio 0, ram): pc.ram KVM
                  00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem
                  00000000000c0000-00000000000dffff (prio 1, rom): pc.rom KVM KVM
                  0000000000100000-00000000bfffffff (prio 0, ram): pc.ram @0000000000100000 KVM
                  00000000e0000000-00000000e0000fff (prio -1, ramd): 0000:01:00.0 BAR 0 mmaps[0]
                  00000000ffc00000-00000000ffffffff (prio 0, romd): system.flash0
                  0000000100000000-000000013fffffff (prio 0, nv-ram): nv dimm @00000000c0000000
                  fffffffffffff000-ffffffffffffffff (prio 0, something new): last
                """);
        assertEquals(
                List.of(
                        region(0, 0x9ffff, Kind.RAM, "pc.ram"),
                        region(0xa0000, 0xbffff, Kind.DEVICE, "vga-lowmem"),
                        region(0xc0000, 0xdffff, Kind.ROM, "pc.rom"),
                        region(0x100000, 0xbfffffffL, Kind.RAM, "pc.ram"),
                        region(0xe0000000L, 0xe0000fffL, Kind.DEVICE, "0000:01:00.0 BAR 0 mmaps[0]"),
                        region(0xffc00000L, 0xffffffffL, Kind.ROM, "system.flash0"),
                        region(0x100000000L, 0x13fffffffL, Kind.RAM, "nv dimm"),
                        region(0xfffffffffffff000L, -1L, Kind.DEVICE, "last")),
                regions);
    }

    @Test
    void anAddressSpaceWithItsPath() {
        assertEquals(
                1,
                FlatView.parse(OTHER_VIEW
                        + """
                                FlatView #1
                                 AS "/machine/memory", root: system
                                  0000000000000000-000000000009ffff (prio 0, ram): pc.ram
                                """)
                        .size());
    }

    @Test
    void theFirstCpusViewWhereMemoryHasNone() {
        assertEquals(
                2,
                FlatView.parse(OTHER_VIEW
                        + """
                                FlatView #1
                                 AS "cpu-memory-0", root: system
                                  0000000000000000-000000000009ffff (prio 0, ram): pc.ram
                                  0000000000100000-00000000001fffff (prio 0, ram): pc.ram

                                FlatView #2
                                 AS "memory", root: system
                                  No rendered FlatView
                                """)
                        .size());
    }

    @Test
    void nonsenseIsRefused() {
        refused("unknown command: 'info mtree'", "no flat view");
        refused(OTHER_VIEW, "no flat view");
        refused("", "no flat view");
        refused(
                """
                FlatView #1
                 AS "memory", root: system
                  0000000000100000-000000000009ffff (prio 0, ram): pc.ram
                """,
                "ends before it starts");
        refused(
                """
                FlatView #1
                 AS "memory", root: system
                  0000000000000000-000000000009ffff (prio 0, ram): pc.ram
                  0000000000090000-00000000000fffff (prio 0, ram): pc.ram
                """,
                "not in ascending order");
    }

    private static void refused(String text, String message) {
        SourceException error = assertThrows(SourceException.class, () -> FlatView.parse(text));
        assertTrue(error.getMessage().contains(message), error.getMessage());
    }

    private static MemoryRegion region(long first, long last, Kind kind, String name) {
        return new MemoryRegion(new AddressRange(first, last), kind, name);
    }

    private static String memory(String lines) {
        return "FlatView #0\n AS \"memory\", root: system\n" + lines;
    }

    @Test
    void whatNoMachineHasIsRefused() {
        refused(memory("  0000000000000000-ffffffffffffffff (prio 0, ram): a\n"), "more than 52 bits");
        refused(memory("  0010000000000000-0010000000000fff (prio 0, rom): a\n"), "more than 52 bits");
        StringBuilder many = new StringBuilder();
        for (int i = 0; i <= FlatView.MOST_REGIONS; i++) {
            many.append("  %016x-%016x (prio 0, ram): a\n".formatted(i * 8192, i * 8192 + 4095));
        }
        refused(memory(many.toString()), "more than 4096 regions");
        assertEquals(
                1,
                FlatView.parse(memory("  0000000000000000-ffffffffffffffff (prio 0, i/o): io\n")).size(),
                "devices may lie anywhere");
    }

    /** A pattern would look at such a line for hours. */
    @Test
    void endlessLinesArePassedOver() {
        String line = "  0000000000000000-0000000000000fff (prio 0, ram): a" + " KVM".repeat(500_000) + "x\n";
        refused(memory(line), "no flat view");
        refused(memory("\n".repeat(2_000_000)), "no flat view");
    }
}
