package dev.guestcore.format.kdump;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.file.FileBytes;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PageBitmapTest {

    private static final int PAGES = 4096 * 5 + 77;

    @TempDir
    private Path folder;

    /** Bits of every kind of neighbourhood: noise, long runs of both kinds, runs that end at words and blocks. */
    private static BitSet bits(int kind) {
        Random random = new Random(kind);
        BitSet bits = new BitSet();
        switch (kind) {
            case 0 -> bits.set(0, PAGES);
            case 1 -> {}
            case 2 -> random.ints(PAGES / 2, 0, PAGES).forEach(bits::set);
            case 3 -> bits.set(4096, 3 * 4096);
            case 4 -> bits.set(63, 4096 * 2 + 1);
            default -> {
                for (int at = 0; at < PAGES; at += 1 + random.nextInt(9000)) {
                    bits.set(at, Math.min(PAGES, at + random.nextInt(5000)));
                }
            }
        }
        return bits;
    }

    @Test
    void everyQuestionIsAnsweredAsByLookingAtEveryBit() throws IOException {
        for (int kind = 0; kind < 8; kind++) {
            BitSet expected = bits(kind);
            byte[] stored = Arrays.copyOf(expected.toByteArray(), 4096 + 16);
            // What follows the last page means nothing, whatever it is.
            int behind = PAGES >>> 3;
            stored[behind] |= (byte) (0xff << (PAGES & 7));
            Arrays.fill(stored, behind + 1, stored.length, (byte) 0xff);
            Path path = Files.write(folder.resolve("bits" + kind), stored);
            try (FileBytes file = FileBytes.open(path); Arena arena = Arena.ofConfined()) {
                check(new PageBitmap(file, 0, stored.length, PAGES, arena), expected, new Random(kind));
            }
        }
    }

    private static void check(PageBitmap bitmap, BitSet expected, Random random) {
        assertEquals(expected.cardinality(), bitmap.total());
        for (int i = 0; i < 4000; i++) {
            int page = i < 200 ? Math.min(PAGES - 1, i * 64 + i % 3) : random.nextInt(PAGES);
            assertEquals(expected.get(page), bitmap.get(page), "bit " + page);
            assertEquals(expected.get(0, page).cardinality(), bitmap.rank(page), "rank of " + page);
            int limit = page + random.nextInt(PAGES - page + 1);
            int set = expected.nextSetBit(page);
            assertEquals(set < 0 ? limit : Math.min(set, limit), bitmap.next(page, true, limit), "set from " + page);
            assertEquals(
                    Math.min(expected.nextClearBit(page), limit), bitmap.next(page, false, limit),
                    "clear from " + page);
            if (expected.get(page)) {
                assertEquals(page, bitmap.select(bitmap.rank(page)), "select of " + page);
            }
        }
        assertEquals(expected.cardinality(), bitmap.rank(PAGES));
    }
}
