package dev.guestcore.source.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.MemoryRegion;
import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.json.JsonMapper;

/** The flat view shows the whole range of a virtio-mem device, plugged or not. */
class RamLayoutTest {

    private static final String VIEW =
            """
            FlatView #0
             AS "memory", root: system
              0000000000000000-0000000003ffffff (prio 0, ram): pc.ram
              0000000100000000-000000013fffffff (prio 0, ram): hotplug
            """;

    private static RamLayout layout(long plugged) {
        return RamLayout.of(
                VIEW,
                new JsonMapper()
                        .readTree("[{\"type\": \"dimm\", \"data\": {\"addr\": 0, \"size\": 0}},"
                                + " {\"type\": \"virtio-mem\", \"data\": {\"id\": \"vm0\", \"memaddr\": 4294967296,"
                                + " \"max-size\": 1073741824, \"block-size\": 2097152, \"size\": " + plugged + "}}]"));
    }

    @Test
    void whatIsNotPluggedIsNoRam() {
        RamLayout none = layout(0);
        assertEquals(MemoryRegion.Kind.RAM, none.regions().getFirst().kind());
        assertFalse(none.regions().getLast().hasContent());
        assertEquals("hotplug (virtio-mem, unplugged)", none.regions().getLast().name());
        assertEquals(List.of(), none.findings());
    }

    @Test
    void whatIsPluggedIs() {
        RamLayout whole = layout(1 << 30);
        assertTrue(whole.regions().getLast().hasContent());
        assertEquals(List.of(), whole.findings());
        RamLayout part = layout(256 << 20);
        assertTrue(part.regions().getLast().hasContent());
        String message = part.findings().getFirst().message();
        assertTrue(message.contains("1 GiB of virtio-mem device vm0 at 0x100000000 the guest has 256 MiB"), message);
        assertFalse(part.equals(whole), "plugging is a change of the layout");
    }
}
