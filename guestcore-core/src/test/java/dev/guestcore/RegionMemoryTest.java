package dev.guestcore;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

class RegionMemoryTest {

    private static final byte[] LOW = {1, 2, 3, 4};
    private static final byte[] NEXT = {5, 6};
    private static final byte[] TOP = {7, 8};

    private final Guest guest = Guest.builder()
            .ram(0x1000, MemorySegment.ofArray(LOW))
            .rom(0x1004, MemorySegment.ofArray(NEXT))
            .device(0x2000, 0x10, "vga")
            .ram(-2L, MemorySegment.ofArray(TOP))
            .build();

    @Test
    void readsAcrossNeighbouringRegions() {
        byte[] bytes = new byte[6];
        guest.memory().read(0x1000, MemorySegment.ofArray(bytes));
        assertArrayEquals(new byte[] {1, 2, 3, 4, 5, 6}, bytes);
    }

    @Test
    void stopsAtTheFirstAddressThatGivesNothing() {
        byte[] bytes = new byte[16];
        assertEquals(5, guest.memory().readAvailable(0x1001, MemorySegment.ofArray(bytes)));
        assertEquals(0, guest.memory().readAvailable(0x2000, MemorySegment.ofArray(bytes)));
        MemoryAccessException error = assertThrows(
                MemoryAccessException.class, () -> guest.memory().read(0x1001, MemorySegment.ofArray(bytes)));
        assertEquals(0x1006, error.address());
        assertEquals(PageState.ABSENT, error.state());
    }

    @Test
    void readsUpToTheLastAddress() {
        byte[] bytes = new byte[4];
        assertEquals(2, guest.memory().readAvailable(-2L, MemorySegment.ofArray(bytes)));
        assertEquals(8, bytes[1]);
        assertEquals(new PageRun(new AddressRange(-1L, -1L), PageState.PRESENT), guest.memory().runAt(-1L));
    }

    @Test
    void tellsHolesAndDevicesApartByRegion() {
        assertEquals(new PageRun(new AddressRange(0x1006, 0x1fff), PageState.ABSENT), guest.memory().runAt(0x1006));
        assertEquals("vga", guest.memory().regionAt(0x200f).orElseThrow().name());
        assertEquals(new PageRun(new AddressRange(0x2010, -3L), PageState.ABSENT), guest.memory().runAt(0x2010));
    }

    @Test
    void refusesOverlap() {
        GuestBuilder builder = Guest.builder().device(0, 0x1000, "one").device(0xfff, 1, "two");
        assertThrows(IllegalArgumentException.class, builder::build);
    }
}
