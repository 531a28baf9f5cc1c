package dev.guestcore.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.airlift.compress.v3.xxhash.XxHash64Hasher;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

class XxHash64Test {

    @Test
    void givesThePublishedValues() {
        assertEquals(0xEF46DB3751D8E999L, hash(new byte[0]));
        assertEquals(0x44BC2CF5AD770999L, hash("abc".getBytes(StandardCharsets.US_ASCII)));
    }

    @Test
    void agreesWithAnotherImplementationAtEveryLength() {
        byte[] bytes = new byte[300];
        new Random(7).nextBytes(bytes);
        for (int length = 0; length <= bytes.length; length++) {
            long expected = XxHash64Hasher.hash(bytes, 0, length);
            assertEquals(expected, XxHash64.hash(MemorySegment.ofArray(bytes), 0, length), "length " + length);
        }
        assertEquals(XxHash64Hasher.hash(bytes, 5, 201), XxHash64.hash(MemorySegment.ofArray(bytes), 5, 201));
    }

    private static long hash(byte[] bytes) {
        return XxHash64.hash(MemorySegment.ofArray(bytes), 0, bytes.length);
    }
}
