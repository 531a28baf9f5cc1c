package dev.guestcore.format.kdump;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

class PageCodecTest {

    private static final int PAGE = 4096;
    private static final int GUARD = 64;

    /** Pages as guests have them: pointers, text, noise, runs. */
    private static byte[] page(Random random) {
        byte[] page = new byte[PAGE];
        int kind = random.nextInt(5);
        if (kind == 0) {
            random.nextBytes(page);
            return page;
        }
        int at = 0;
        while (at < PAGE) {
            int length = Math.min(PAGE - at, 1 + random.nextInt(kind == 1 ? 9 : 700));
            if (at > 0 && random.nextInt(3) > 0) {
                int distance = 1 + random.nextInt(random.nextBoolean() ? Math.min(at, 12) : at);
                for (int i = 0; i < length; i++) {
                    page[at + i] = page[at + i - distance];
                }
            } else {
                for (int i = 0; i < length; i++) {
                    page[at + i] = (byte) (random.nextInt(kind * 20) - kind);
                }
            }
            at += length;
        }
        return page;
    }

    private static byte[] encode(PageCodec codec, byte[] page) {
        try (Arena arena = Arena.ofConfined()) {
            PageCodec.Encoder encoder = codec.encoder();
            MemorySegment source = arena.allocate(PAGE, 8).copyFrom(MemorySegment.ofArray(page));
            MemorySegment target = arena.allocate(encoder.bound(PAGE), 8);
            byte[] encoded = new byte[encoder.encode(source, target)];
            MemorySegment.copy(target, 0, MemorySegment.ofArray(encoded), 0, encoded.length);
            return encoded;
        }
    }

    @ParameterizedTest
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    void pagesComeBackAsTheyWere(PageCodec codec) {
        Random random = new Random(7);
        PageCodec.Decoder decoder = codec.decoder();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment target = arena.allocate(PAGE, 8);
            for (int i = 0; i < 300; i++) {
                byte[] page = page(random);
                byte[] encoded = encode(codec, page);
                MemorySegment source = arena.allocate(encoded.length, 8).copyFrom(MemorySegment.ofArray(encoded));
                assertTrue(decoder.decode(source, target), "page " + i);
                assertEquals(-1, target.mismatch(MemorySegment.ofArray(page)), "page " + i);
            }
        }
    }

    /** Damage ends in "no" or in some page; never in bytes before or behind the target, nor in what lies behind the source. */
    @ParameterizedTest
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    void damagedPagesReachNoOtherMemory(PageCodec codec) {
        Random random = new Random(11);
        PageCodec.Decoder decoder = codec.decoder();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment targetRoom = arena.allocate(PAGE + 2 * GUARD, 8);
            MemorySegment target = targetRoom.asSlice(GUARD, PAGE);
            MemorySegment sourceRoom = arena.allocate(3 * PAGE, 8);
            int refused = 0;
            for (int i = 0; i < 4000; i++) {
                byte[] encoded = encode(codec, page(random));
                int flips = random.nextInt(4);
                for (int flip = 0; flip < flips; flip++) {
                    encoded[random.nextInt(encoded.length)] = (byte) random.nextInt();
                }
                int size = random.nextInt(3) > 0 ? encoded.length : random.nextInt(encoded.length + 1);
                boolean[] answers = new boolean[2];
                byte[][] pages = new byte[2][];
                for (int round = 0; round < 2; round++) {
                    sourceRoom.fill((byte) (round == 0 ? 0x11 : 0xee));
                    MemorySegment source = sourceRoom.asSlice(PAGE, size);
                    MemorySegment.copy(MemorySegment.ofArray(encoded), 0, source, 0, size);
                    targetRoom.fill((byte) 0x5a);
                    answers[round] = decoder.decode(source, target);
                    pages[round] = target.toArray(ValueLayout.JAVA_BYTE);
                    for (int guard = 0; guard < GUARD; guard++) {
                        assertEquals(0x5a, targetRoom.get(ValueLayout.JAVA_BYTE, guard));
                        assertEquals(
                                0x5a,
                                targetRoom.get(ValueLayout.JAVA_BYTE, GUARD + PAGE + guard));
                    }
                }
                assertEquals(answers[0], answers[1], "answer depends on what lies behind the page");
                if (answers[0]) {
                    assertTrue(Arrays.equals(pages[0], pages[1]), "page depends on what lies behind it");
                } else {
                    refused++;
                }
            }
            assertTrue(refused > 1000, refused + " refused");
        }
    }

    @ParameterizedTest
    @EnumSource(mode = Mode.EXCLUDE, names = "NONE")
    void aPageThatBecomesLongerOrShorterThanAPageIsRefused(PageCodec codec) {
        byte[] page = page(new Random(3));
        byte[] encoded = encode(codec, page);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment source = arena.allocate(encoded.length, 8).copyFrom(MemorySegment.ofArray(encoded));
            for (int size : new int[] {512, PAGE - 1, PAGE + 1, 2 * PAGE}) {
                assertFalse(codec.decoder().decode(source, arena.allocate(size, 8)), "into " + size);
            }
        }
    }

    /** Every kind of instruction, put together by hand after the kernel's description of the format. */
    @Test
    void lzoInstructions() {
        ByteArrayOutputStream block = new ByteArrayOutputStream();
        ByteArrayOutputStream expected = new ByteArrayOutputStream();
        // First byte: 25 - 17 = 8 literals.
        literals(block, expected, new int[] {25}, 8, 1);
        // 0000DDSS after four and more literals: 3 bytes from (0 << 2) + 0 + 2049 back need 2049 bytes first.
        // 001LLLLL, L 0: 33 + 255 * 8 + 200 = 2273 bytes from (0 >> 2) + 1 back, then 1 literal.
        byte[] longRun = new byte[] {0x20, 0, 0, 0, 0, 0, 0, 0, 0, (byte) 200, 1, 0};
        block.writeBytes(longRun);
        repeat(expected, 1, 33 + 8 * 255 + 200);
        literal(block, expected, 0x41);
        // 0000DDSS after one literal: 2 bytes from (2 << 2) + 1 + 1 = 10 back, no literals.
        block.writeBytes(new byte[] {0b0100, 2});
        repeat(expected, 10, 2);
        // 0000LLLL after no literals: 3 + 7 of them.
        literals(block, expected, new int[] {7}, 10, 50);
        // 0000DDSS after a run: 3 bytes from (5 << 2) + 2 + 2049 back, then 2 literals.
        block.writeBytes(new byte[] {0b1010, 5});
        repeat(expected, 20 + 2 + 2049, 3);
        literal(block, expected, 0x42);
        literal(block, expected, 0x43);
        // 01LDDDSS: 3 + 1 bytes from (3 << 3) + 5 + 1 back, then 3 literals.
        block.writeBytes(new byte[] {0b0111_0111, 3});
        repeat(expected, 30, 4);
        literal(block, expected, 0x44);
        literal(block, expected, 0x45);
        literal(block, expected, 0x46);
        // 1LLDDDSS: 5 + 3 bytes from (0 << 3) + 2 + 1 back: a pattern that the copy itself makes.
        block.writeBytes(new byte[] {(byte) 0b1110_1000, 0});
        repeat(expected, 3, 8);
        // 0000LLLL with L 0: 3 + 15 + 255 + 2 literals.
        literals(block, expected, new int[] {0, 0, 2}, 275, 90);
        // 0001HLLL with L 0: 9 + 255 * 60 + 100 more bytes from 16384 + 1 back need that many first: fill up.
        block.writeBytes(new byte[] {0x20});
        block.writeBytes(new byte[60]);
        block.writeBytes(new byte[] {100, 0, 0});
        repeat(expected, 1, 33 + 60 * 255 + 100);
        block.writeBytes(new byte[] {0x10, 0, 5, (byte) (100 << 2), 0});
        repeat(expected, 16384 + 100, 9 + 255 + 5);
        // The end: 16384 back.
        block.writeBytes(new byte[] {0x11, 0, 0});
        byte[] whole = expected.toByteArray();
        try (Arena arena = Arena.ofConfined()) {
            byte[] bytes = block.toByteArray();
            MemorySegment source = arena.allocate(bytes.length).copyFrom(MemorySegment.ofArray(bytes));
            MemorySegment target = arena.allocate(whole.length);
            assertTrue(PageCodec.LZO.decoder().decode(source, target));
            assertEquals(-1, target.mismatch(MemorySegment.ofArray(whole)));
            MemorySegment short1 = source.asSlice(0, bytes.length - 3);
            assertFalse(PageCodec.LZO.decoder().decode(short1, target), "without the mark of its end");
        }
    }

    private static void literals(
            ByteArrayOutputStream block, ByteArrayOutputStream expected, int[] code, int count, int seed) {
        for (int part : code) {
            block.write(part);
        }
        for (int i = 0; i < count; i++) {
            literal(block, expected, seed + 31 * i);
        }
    }

    private static void literal(ByteArrayOutputStream block, ByteArrayOutputStream expected, int value) {
        block.write(value);
        expected.write(value);
    }

    private static void repeat(ByteArrayOutputStream expected, int distance, int count) {
        for (int i = 0; i < count; i++) {
            byte[] soFar = expected.toByteArray();
            expected.write(soFar[soFar.length - distance]);
        }
    }
}
