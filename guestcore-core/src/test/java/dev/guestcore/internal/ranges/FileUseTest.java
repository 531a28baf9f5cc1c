package dev.guestcore.internal.ranges;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.api.Test;

class FileUseTest {

    private static final int SIZE = 120;

    /** Against the obvious way: write the mark of each place on every byte. */
    @Test
    void findsWhatMarkingEveryByteShows() {
        Random random = new Random(7);
        for (int round = 0; round < 3000; round++) {
            try (Arena arena = Arena.ofConfined()) {
                FileUse use = new FileUse(arena);
                long[] marks = new long[SIZE + 40];
                boolean contradicts = false;
                for (int i = random.nextInt(9); i > 0; i--) {
                    int offset = random.nextInt(SIZE);
                    int size = random.nextInt(30);
                    long mark = 1 + random.nextInt(3);
                    use.add(offset, size, mark);
                    for (int at = offset; at < offset + size; at++) {
                        contradicts |= marks[at] != 0 && marks[at] != mark;
                        marks[at] = marks[at] == 0 ? mark : marks[at];
                    }
                }
                FileUse.Result result = use.result(SIZE, (offset, size, next) -> false);
                int unused = 0;
                int first = -1;
                for (int at = SIZE - 1; at >= 0; at--) {
                    unused += marks[at] == 0 ? 1 : 0;
                    first = marks[at] == 0 ? at : first;
                }
                assertEquals(contradicts, result.overlaps() > 0, "round " + round);
                assertEquals(unused, result.gapBytes(), "round " + round);
                assertEquals(first, result.gapAt(), "round " + round);
                assertTrue(result.complete());
            }
        }
    }

    @Test
    void namesTheFirstContradictionAndTheTail() {
        try (Arena arena = Arena.ofConfined()) {
            FileUse use = new FileUse(arena);
            use.add(100, 50, 5);
            use.add(0, 40, 1);
            use.add(140, 20, 6);
            FileUse.Result result = use.result(200, (offset, size, next) -> next == 5);
            assertEquals(1, result.overlaps());
            assertEquals(140, result.overlapAt());
            assertEquals(6, result.overlapMark());
            assertEquals(5, result.overlappedMark());
            assertEquals(1, result.gaps());
            assertEquals(160, result.gapAt());
            assertEquals(40, result.tail());
        }
    }
}
