package dev.guestcore.format.kdump;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.Random;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;

class IncompressiblePagesTest {

    private static final int PAGE = 4096;

    private final IncompressiblePages incompressible = new IncompressiblePages();

    private boolean contains(byte[] page) {
        return incompressible.contains(MemorySegment.ofArray(page));
    }

    private static byte[] random(int seed, int size) {
        byte[] bytes = new byte[size];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    private static int deflated(byte[] page) {
        try (Deflater deflater = new Deflater(Deflater.BEST_SPEED)) {
            deflater.setInput(page);
            deflater.finish();
            return deflater.deflate(new byte[2 * PAGE]);
        }
    }

    @Test
    void randomPagesAre() {
        for (int seed = 0; seed < 1000; seed++) {
            assertTrue(contains(random(seed, PAGE)), "seed " + seed);
        }
    }

    @Test
    void compressedPagesMostlyAre() throws IOException {
        ByteArrayOutputStream compressed = new ByteArrayOutputStream();
        try (GZIPOutputStream zip = new GZIPOutputStream(compressed)) {
            Random random = new Random(5);
            for (int i = 0; i < 20_000; i++) {
                zip.write(Long.toString(random.nextLong()).getBytes(StandardCharsets.US_ASCII));
            }
        }
        byte[] bytes = compressed.toByteArray();
        int pages = 0;
        int found = 0;
        for (int at = PAGE; at + 2 * PAGE <= bytes.length; at += PAGE) {
            pages++;
            byte[] page = Arrays.copyOfRange(bytes, at, at + PAGE);
            if (contains(page)) {
                found++;
                assertTrue(deflated(page) > PAGE * 0.98, deflated(page) + " bytes");
            }
        }
        assertTrue(pages > 10 && found > pages / 2, found + " of " + pages);
    }

    @Test
    void whatZlibShrinksIsNot() {
        assertFalse(contains(new byte[PAGE]));
        assertFalse(contains(Base64.getEncoder().encode(random(1, PAGE / 4 * 3))), "base 64");
        byte[] halfZero = Arrays.copyOf(random(2, PAGE / 2), PAGE);
        assertFalse(contains(halfZero), "half of it zero");
        byte[] repeated = new byte[PAGE];
        for (int at = 0; at < PAGE; at += 256) {
            System.arraycopy(random(3, 256), 0, repeated, at, 256);
        }
        assertFalse(contains(repeated), "256 random bytes, repeated");
        byte[] sevenBits = random(4, PAGE);
        for (int i = 0; i < PAGE; i++) {
            sevenBits[i] &= 0x7f;
        }
        assertFalse(contains(sevenBits), "seven bits of eight");
    }

    @Test
    void findsAllLongRepetitions() {
        Random random = new Random(8);
        for (int i = 0; i < 2000; i++) {
            byte[] page = random(i, PAGE);
            int from = random.nextInt(PAGE - 1000);
            int to = from + 500 + random.nextInt(PAGE - 999 - from);
            System.arraycopy(page, from, page, to, 500);
            assertFalse(contains(page), "from " + from + " to " + to);
        }
    }

    /** What is passed over costs the file next to nothing: of all kinds of pages, what zlib would have saved on those. */
    @Test
    void littleIsLost() {
        Random random = new Random(21);
        long lost = 0;
        long pages = 0;
        for (int i = 0; i < 2000; i++) {
            byte[] page = random(1000 + i, PAGE);
            // A share of it is text, zeros, or copied from elsewhere in the page.
            int share = random.nextInt(PAGE);
            int kind = random.nextInt(3);
            for (int at = random.nextInt(512); at < share; at++) {
                page[at] = switch (kind) {
                    case 0 -> 0;
                    case 1 -> (byte) (' ' + (page[at] & 0x3f));
                    default -> page[PAGE - 1 - share / 2 + at % (share / 2 + 1)];
                };
            }
            pages += PAGE;
            if (contains(page)) {
                lost += Math.max(0, PAGE - deflated(page));
            }
        }
        assertTrue(lost < pages / 100, lost + " of " + pages);
    }
}
