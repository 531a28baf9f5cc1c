package dev.guestcore.file;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Progress;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.SourceException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;

/** Bytes that are no file of this machine, read through the one door. */
class MemoryBytesTest {

    /** Bytes that can only be read, of which those from an offset on are lost. */
    private record Unmapped(byte[] bytes, long lostFrom) implements RandomAccessBytes {

        @Override
        public String name() {
            return "far.core";
        }

        @Override
        public long size() {
            return bytes.length;
        }

        @Override
        public long read(long offset, MemorySegment target, long length) {
            long count = Math.clamp(lostFrom - offset, 0, length);
            MemorySegment.copy(MemorySegment.ofArray(bytes), offset, target, 0, count);
            return count;
        }

        @Override
        public SourceException incomplete(long offset) {
            return new SourceException("far.core: lost at " + offset);
        }

        @Override
        public RandomAccessBytes reopen() {
            return this;
        }

        @Override
        public void close() {}
    }

    private static byte[] count() {
        byte[] bytes = new byte[1 << 10];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) i;
        }
        return bytes;
    }

    private static void assertCounts(FileBytes file) {
        assertEquals(0x0504, file.u16(4, ByteOrder.LITTLE_ENDIAN, "two"));
        assertEquals(0x04050607L, file.u32(4, ByteOrder.BIG_ENDIAN, "four"));
        assertEquals(255, file.u8(255, "one"));
        assertArrayEquals(new byte[] {8, 9, 10}, file.bytes(8, 3, "three"));
        byte[] target = new byte[16];
        assertEquals(8, file.read(1016, MemorySegment.ofArray(target)));
        assertEquals((byte) 255, target[7]);
        assertThrows(MalformedDumpException.class, () -> file.u8(1024, "behind"));
    }

    @Test
    void memoryReadsAsAFileDoes() {
        try (FileBytes file = FileBytes.of("in memory", MemorySegment.ofArray(count()))) {
            assertCounts(file);
            assertEquals("in memory", file.name());
            assertTrue(file.view(0, 16, "view").isPresent());
        }
    }

    @Test
    void bytesThatCanOnlyBeReadReadAsAFileDoes() {
        try (FileBytes file = FileBytes.of(new Unmapped(count(), 1 << 10), Progress.none());
                FileBytes again = file.reopen()) {
            assertCounts(file);
            assertCounts(again);
            assertTrue(file.view(0, 16, "view").isEmpty());
        }
    }

    @Test
    void whatIsLostIsAnErrorOfTheBytes() {
        try (FileBytes file = FileBytes.of(new Unmapped(count(), 512), Progress.none())) {
            assertEquals("far.core: lost at 512",
                    assertThrows(SourceException.class, () -> file.u16(511, ByteOrder.BIG_ENDIAN, "two")).getMessage());
            assertEquals("far.core: lost at 512",
                    assertThrows(SourceException.class, () -> file.bytes(510, 4, "four")).getMessage());
        }
    }

    @Test
    void compressedBytesAreDecompressedWhereverTheyAre() throws IOException {
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(packed)) {
            gzip.write(count());
        }
        try (FileBytes file = FileBytes.of(new Unmapped(packed.toByteArray(), packed.size()), Progress.none())) {
            assertCounts(file);
            assertEquals("gzip", file.compression().orElseThrow());
            assertTrue(file.findings().getFirst().message().startsWith("far.core: compressed by gzip"));
        }
    }

    @Test
    void aFlattenedStreamInMemoryIsAssembled() {
        byte[] stream = new byte[4096 + 16 + 4 + 16];
        MemorySegment.copy(MemorySegment.ofArray("makedumpfile".getBytes(StandardCharsets.US_ASCII)), 0,
                MemorySegment.ofArray(stream), 0, 12);
        ByteBuffer buffer = ByteBuffer.wrap(stream);
        buffer.putLong(16, 1).putLong(24, 1).putLong(4096, 100).putLong(4104, 4).putInt(4112, 0x01020304);
        buffer.putLong(4116, -1).putLong(4124, -1);
        try (FileBytes file = FileBytes.of(new Unmapped(stream, stream.length), Progress.none())) {
            assertTrue(file.isFlattened());
            assertEquals(104, file.size());
            assertEquals(0x01020304L, file.u32(100, ByteOrder.BIG_ENDIAN, "piece"));
            assertEquals(0, file.u32(0, ByteOrder.BIG_ENDIAN, "gap"));
        }
    }
}
