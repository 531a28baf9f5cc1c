package dev.guestcore.internal.ranges;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class LayeredExtentsTest {

    private static final int SPACE = 200;

    /** Against the obvious way: paint every range on an array, one address at a time. */
    @Test
    void seesWhatPaintingShows() {
        Random random = new Random(20260101);
        for (int round = 0; round < 3000; round++) {
            LayeredExtents.Precedence precedence = LayeredExtents.Precedence.values()[round % 2];
            long[] painted = new long[SPACE];
            Arrays.fill(painted, -1000);
            try (Arena arena = Arena.ofConfined()) {
                LayeredExtents layers = new LayeredExtents(arena);
                int ranges = random.nextInt(12);
                for (int i = 0; i < ranges; i++) {
                    int first = random.nextInt(SPACE);
                    int last = first + random.nextInt(Math.min(60, SPACE - first));
                    long value = random.nextInt(4) == 0 ? -2 : 1000L * (i + 1);
                    layers.add(first, last, value);
                    for (int address = first; address <= last; address++) {
                        if (painted[address] == -1000 || precedence == LayeredExtents.Precedence.LATER) {
                            painted[address] = value < 0 ? value : value + (address - first);
                        }
                    }
                }
                Extents extents = layers.build(arena, precedence);
                for (int address = 0; address < SPACE; address++) {
                    long index = extents.floor(address);
                    long found = !extents.contains(index, address) ? -1000
                            : extents.value(index) < 0 ? extents.value(index)
                                    : extents.value(index) + (address - extents.first(index));
                    assertEquals(painted[address], found, "round " + round + ", address " + address);
                }
            }
        }
    }

    @Test
    void reachesTheLastAddress() {
        try (Arena arena = Arena.ofConfined()) {
            LayeredExtents layers = new LayeredExtents(arena);
            layers.add(-16L, -1L, 100);
            layers.add(-8L, -1L, 500);
            layers.add(0, 3, 0);
            Extents extents = layers.build(arena, LayeredExtents.Precedence.LATER);
            assertEquals(3, extents.count());
            assertEquals(-9L, extents.last(1));
            assertEquals(500, extents.value(2));
            assertEquals(-1L, extents.last(2));
        }
    }

    @Test
    @Tag("slow")
    void takesAMillionNestedRangesInItsStride() {
        try (Arena arena = Arena.ofConfined()) {
            LayeredExtents layers = new LayeredExtents(arena);
            int count = 1_000_000;
            for (int i = 0; i < count; i++) {
                layers.add(i, 2L * count - i, 10L * count * i);
            }
            Extents extents = layers.build(arena, LayeredExtents.Precedence.LATER);
            assertEquals(2L * count - 1, extents.count());
            assertTrue(extents.contains(extents.floor(2L * count), 2L * count));
        }
    }
}
