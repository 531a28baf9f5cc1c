package dev.guestcore.format.kdump;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PageCodecTest {

    private static final int PAGE = 4096;

    /** Seeds at which Zstandard's decoder throws this and that: IllegalStateException the first, for one. */
    private static final int[] REMARKABLE = {24663, 3607, 11751, 936, 1696, 5312};

    @ParameterizedTest
    @EnumSource(value = PageCodec.class, names = "NONE", mode = EnumSource.Mode.EXCLUDE)
    void damagedPagesAreToldAndNothingElseHappens(PageCodec codec) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(PAGE);
            MemorySegment back = arena.allocate(PAGE);
            PageCodec.Encoder encoder = codec.encoder();
            PageCodec.Decoder decoder = codec.decoder();
            MemorySegment compressed = arena.allocate(encoder.bound(PAGE));
            IntStream.concat(IntStream.of(REMARKABLE), IntStream.range(0, 300)).forEach(seed -> {
                Random random = new Random(seed);
                fill(page, random);
                int size = encoder.encode(page, compressed);
                assertTrue(decoder.decode(compressed.asSlice(0, size), back));
                assertEquals(-1, page.mismatch(back));
                int changes = 1 + random.nextInt(6);
                for (int i = 0; i < changes; i++) {
                    compressed.set(ValueLayout.JAVA_BYTE, random.nextInt(size), (byte) random.nextInt(256));
                }
                assertDoesNotThrow(() -> decoder.decode(compressed.asSlice(0, size), back), () -> "seed " + seed);
                assertDoesNotThrow(() -> decoder.decode(compressed.asSlice(0, size / 2), back),
                        () -> "half of " + seed);
            });
        }
    }

    /** Text that repeats itself, with slips. */
    private static void fill(MemorySegment page, Random random) {
        int at = 0;
        while (at < PAGE) {
            int run = Math.min(1 + random.nextInt(16), PAGE - at);
            int from = at == 0 ? -1 : random.nextInt(at);
            for (int i = 0; i < run; i++, at++) {
                boolean fresh = from < 0 || random.nextInt(8) == 0;
                page.set(
                        ValueLayout.JAVA_BYTE,
                        at,
                        fresh ? (byte) "etaoin shrdlu".charAt(random.nextInt(13))
                                : page.get(ValueLayout.JAVA_BYTE, from + i));
            }
        }
    }
}
