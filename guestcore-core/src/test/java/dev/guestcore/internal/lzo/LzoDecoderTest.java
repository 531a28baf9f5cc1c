package dev.guestcore.internal.lzo;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.airlift.compress.v3.lzo.LzoCompressor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Pages that the library compressed come back, whatever forms of instruction they take. */
class LzoDecoderTest {

    private static final int PAGE = 4096;

    private final LzoCompressor encoder = new LzoCompressor();

    private final LzoDecoder decoder = new LzoDecoder();

    private byte[] roundTrip(byte[] page) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment source = arena.allocate(Math.max(1, page.length)).asSlice(0, page.length);
            source.copyFrom(MemorySegment.ofArray(page));
            MemorySegment target = arena.allocate(encoder.maxCompressedLength(page.length));
            MemorySegment block = target.asSlice(0, encoder.compress(source, target));
            MemorySegment decoded = arena.allocate(Math.max(1, page.length)).asSlice(0, page.length);
            assertTrue(decoder.decode(block, decoded));
            assertArrayEquals(page, decoded.toArray(ValueLayout.JAVA_BYTE));
            return block.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    /** Runs, copies from near and far, literals, each as long as it takes to reach every form of instruction. */
    @Test
    void anyPageComesBack() {
        Random random = new Random(5);
        for (int i = 0; i < 3000; i++) {
            byte[] page = new byte[random.nextInt(4) > 0 ? PAGE : 1 + random.nextInt(PAGE)];
            int longest = 2 << random.nextInt(10);
            for (int at = 0; at < page.length;) {
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
}
