package dev.guestcore.internal.lzo;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.internal.lzo.LzoDecoder;
import io.airlift.compress.v3.lzo.LzoDecompressor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class LzoEncoderTest {

    private static final int PAGE = 4096;

    /** One for all pages, as in a dump: what it remembers of one must not show in the next. */
    private final LzoEncoder encoder = new LzoEncoder();

    private final LzoDecoder decoder = new LzoDecoder();

    private byte[] roundTrip(byte[] page) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment source = arena.allocate(Math.max(1, page.length)).asSlice(0, page.length);
            source.copyFrom(MemorySegment.ofArray(page));
            MemorySegment target = arena.allocate(encoder.bound(page.length));
            MemorySegment block = target.asSlice(0, encoder.encode(source, target));
            MemorySegment decoded = arena.allocate(Math.max(1, page.length)).asSlice(0, page.length);
            assertTrue(decoder.decode(block, decoded));
            assertArrayEquals(page, decoded.toArray(ValueLayout.JAVA_BYTE));
            byte[] bytes = block.toArray(ValueLayout.JAVA_BYTE);
            byte[] foreign = new byte[page.length];
            int size = new LzoDecompressor().decompress(bytes, 0, bytes.length, foreign, 0, foreign.length);
            assertEquals(page.length, size);
            assertArrayEquals(page, foreign);
            return bytes;
        }
    }

    /** Runs, copies from near and far, literals, each as long as it takes to reach every form of instruction. */
    @Test
    void anyPageComesBack() {
        Random random = new Random(5);
        for (int i = 0; i < 3000; i++) {
            byte[] page = new byte[random.nextInt(4) > 0 ? PAGE : 1 + random.nextInt(PAGE)];
            int longest = 2 << random.nextInt(10);
            for (int at = 0; at < page.length; ) {
                int length = Math.min(page.length - at, 1 + random.nextInt(longest));
                if (at > 0 && random.nextInt(3) > 0) {
                    int distance = 1 + random.nextInt(random.nextBoolean() ? Math.min(at, 9) : at);
                    for (int j = 0; j < length; j++) {
                        page[at + j] = page[at + j - distance];
                    }
                } else {
                    byte[] literals = new byte[length];
                    random.nextBytes(literals);
                    System.arraycopy(literals, 0, page, at, length);
                }
                at += length;
            }
            roundTrip(page);
        }
    }

    @Test
    void shortPagesComeBack() {
        for (int size = 1; size < 64; size++) {
            roundTrip(new byte[size]);
            byte[] counting = new byte[size];
            for (int i = 0; i < size; i++) {
                counting[i] = (byte) i;
            }
            roundTrip(counting);
        }
    }

    /** First runs of every length that has a form of its own, and all around. */
    @Test
    void literalsOfEveryLengthComeBack() {
        Random random = new Random(9);
        for (int count = 1; count < 800; count++) {
            byte[] page = new byte[PAGE];
            byte[] literals = new byte[count];
            random.nextBytes(literals);
            System.arraycopy(literals, 0, page, 0, count);
            System.arraycopy(literals, 0, page, PAGE - count, count);
            roundTrip(page);
        }
    }

    @Test
    void shrinksWhatRepeats() {
        byte[] page = new byte[PAGE];
        assertTrue(roundTrip(page).length < 40);
        for (int i = 0; i < PAGE; i++) {
            page[i] = (byte) (i % 100 + i / 1000);
        }
        assertTrue(roundTrip(page).length < PAGE / 8);
    }

    @Test
    void whatCannotBeShrunkStaysWithinTheBound() {
        byte[] page = new byte[PAGE];
        Random random = new Random(13);
        for (int i = 0; i < 100; i++) {
            random.nextBytes(page);
            int size = roundTrip(page).length;
            assertTrue(size > PAGE && size <= PAGE + 32, size + " bytes");
        }
    }

    /** The dearest page there is: matches as short as they come, each with too many literals to ride in it. */
    @Test
    void shortMatchesBetweenLiteralsStayWithinTheBound() {
        Random random = new Random(17);
        for (int gap = 0; gap < 24; gap++) {
            byte[] page = new byte[PAGE];
            random.nextBytes(page);
            for (int at = 2100; at + gap + 4 <= PAGE; at += gap + 4) {
                int from = random.nextInt(at - 8);
                System.arraycopy(Arrays.copyOfRange(page, from, from + 4), 0, page, at, 4);
            }
            assertTrue(roundTrip(page).length <= encoder.bound(PAGE));
        }
    }
}
