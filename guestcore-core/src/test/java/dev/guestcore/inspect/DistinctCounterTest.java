package dev.guestcore.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class DistinctCounterTest {

    private static final int SLOTS = 1 << 14;

    @Test
    void isExactWhileItFits() {
        try (Arena arena = Arena.ofConfined()) {
            DistinctCounter counter = new DistinctCounter(arena, SLOTS);
            SplittableRandom random = new SplittableRandom(1);
            counter.add(0);
            for (int i = 0; i < 10_000; i++) {
                long hash = random.nextLong();
                counter.add(hash);
                counter.add(hash);
            }
            assertTrue(counter.isExact());
            assertEquals(10_001, counter.count());
        }
    }

    @Test
    void estimatesBeyondAndDoesNotDependOnTheOrder() {
        int distinct = 1_000_000;
        long[] hashes = new SplittableRandom(2).longs(distinct).toArray();
        try (Arena arena = Arena.ofConfined()) {
            DistinctCounter forward = new DistinctCounter(arena, SLOTS);
            DistinctCounter backward = new DistinctCounter(arena, SLOTS);
            for (int i = 0; i < distinct; i++) {
                forward.add(hashes[i]);
                forward.add(hashes[i / 2]);
                backward.add(hashes[distinct - 1 - i]);
            }
            assertFalse(forward.isExact());
            // About 9,000 hashes are kept, so five standard errors of 1.2 / sqrt(9000) are a generous 6.3 percent.
            assertEquals(distinct, forward.count(), 0.063 * distinct);
            assertEquals(forward.count(), backward.count());
        }
    }
}
