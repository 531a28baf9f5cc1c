package dev.guestcore.file;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.testing.FlattenedFiles;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FlattenedStreamTest {

    @TempDir
    private Path folder;

    private static byte[] read(FileBytes file, long offset, int size) {
        byte[] bytes = new byte[size];
        assertEquals(size, file.read(offset, MemorySegment.ofArray(bytes)));
        return bytes;
    }

    /** Against a plain file into which the same pieces were written in the same order. */
    @Test
    void readsLikeTheFileThatTheWritesMake() throws Exception {
        Random random = new Random(7);
        for (int round = 0; round < 50; round++) {
            byte[] assembled = new byte[1000];
            int size = 0;
            FlattenedFiles stream = new FlattenedFiles();
            int pieces = 1 + random.nextInt(30);
            for (int i = 0; i < pieces; i++) {
                int offset = random.nextInt(900);
                byte[] bytes = new byte[1 + random.nextInt(100)];
                random.nextBytes(bytes);
                stream.piece(offset, bytes);
                System.arraycopy(bytes, 0, assembled, offset, bytes.length);
                size = Math.max(size, offset + bytes.length);
            }
            try (FileBytes file = FileBytes.open(stream.end().write(folder.resolve("stream" + round)))) {
                assertTrue(file.isFlattened());
                assertTrue(file.findings().isEmpty(), file.findings()::toString);
                assertEquals(size, file.size());
                assertArrayEquals(Arrays.copyOf(assembled, size), read(file, 0, size));
                ByteBuffer expected = ByteBuffer.wrap(assembled).order(ByteOrder.LITTLE_ENDIAN);
                for (int offset = 0; offset + 8 <= size; offset++) {
                    assertEquals(expected.get(offset) & 0xff, file.u8(offset, "byte"));
                    assertEquals(expected.getShort(offset) & 0xffff,
                            file.u16(offset, ByteOrder.LITTLE_ENDIAN, "short"));
                    assertEquals(
                            expected.getInt(offset) & 0xffffffffL, file.u32(offset, ByteOrder.LITTLE_ENDIAN, "int"));
                    assertEquals(expected.getLong(offset), file.u64(offset, ByteOrder.LITTLE_ENDIAN, "long"));
                    byte[] small = read(file, offset, 8);
                    file.view(offset, 8, "view").ifPresent(view -> assertEquals(
                            -1, view.mismatch(MemorySegment.ofArray(small))));
                    assertArrayEquals(Arrays.copyOfRange(assembled, offset, offset + 8), small);
                }
            }
        }
    }

    @Test
    @Tag("slow")
    void givesWhatAStreamThatIsCutShortHolds() throws Exception {
        byte[] bytes = {1, 2, 3, 4, 5, 6, 7, 8};
        Path whole = new FlattenedFiles().piece(0, bytes).piece(8, bytes).end().write(folder.resolve("whole"));
        byte[] stream = Files.readAllBytes(whole);
        for (int length = 0; length < stream.length; length++) {
            Path cut = Files.write(folder.resolve("cut"), Arrays.copyOf(stream, length));
            if (length < 16) {
                try (FileBytes file = FileBytes.open(cut)) {
                    assertFalse(file.isFlattened());
                }
            } else if (length <= 4096 + 16) {
                assertThrows(MalformedDumpException.class, () -> FileBytes.open(cut));
            } else {
                try (FileBytes file = FileBytes.open(cut)) {
                    assertEquals(1, file.findings().size(), "at length " + length);
                    int present = length - 4096 - 16;
                    assertArrayEquals(Arrays.copyOf(bytes, Math.min(8, present)), read(file, 0, Math.min(8, present)));
                }
            }
        }
    }

    @Test
    void namesWhatIsWrong() {
        Path otherType = new FlattenedFiles(2, 1).end().write(folder.resolve("type"));
        assertEquals(
                otherType + ": at offset 0x10: type of the flattened stream: expected 1, found 2; rearrange it with the"
                        + " program that wrote it (makedumpfile -R)",
                assertThrows(MalformedDumpException.class, () -> FileBytes.open(otherType)).getMessage());
        Path empty = new FlattenedFiles().end().write(folder.resolve("empty"));
        assertEquals(
                empty + ": at offset 0x1000: first piece of the flattened stream: expected an offset, a size and bytes,"
                        + " found none; the stream holds nothing; write it again",
                assertThrows(MalformedDumpException.class, () -> FileBytes.open(empty)).getMessage());
    }

    @Test
    void refusesPiecesThatLieNowhere() {
        long[][] wrong = {{-5, 8}, {0, 0}, {0, -7}, {Long.MAX_VALUE, 8}, {8, Long.MAX_VALUE}, {1L << 60, 8}};
        for (long[] piece : wrong) {
            Path path = new FlattenedFiles()
                    .piece(0, new byte[] {1})
                    .pieceHeader(piece[0], piece[1])
                    .end()
                    .write(folder.resolve("wrong" + piece[0] + piece[1]));
            try (FileBytes file = FileBytes.open(path)) {
                assertEquals(1, file.size());
                assertEquals(
                        path + ": at offset 0x1011: piece of the flattened stream: expected a size above 0 and an end at"
                                + " most at " + ((1L << 30) + 256 * (4096 + 17 + 32)) + ", found offset " + piece[0]
                                + ", size " + piece[1] + "; everything from here on is lost",
                        file.findings().getFirst().message());
            }
        }
    }

    @Test
    void survivesFlippedBytes() throws Exception {
        Random random = new Random(99);
        byte[] stream = Files.readAllBytes(new FlattenedFiles()
                .piece(4, new byte[64])
                .piece(0, new byte[16])
                .piece(100, new byte[4])
                .end()
                .write(folder.resolve("good")));
        for (int round = 0; round < 2000; round++) {
            byte[] damaged = stream.clone();
            damaged[4096 + random.nextInt(stream.length - 4096)] ^= (byte) (1 << random.nextInt(8));
            Path path = Files.write(folder.resolve("flipped"), damaged);
            try (FileBytes file = FileBytes.open(path)) {
                read(file, 0, (int) Math.min(file.size(), 1000));
            } catch (GuestcoreException e) {
                assertTrue(e.getMessage().startsWith(path.toString()));
            }
        }
    }
}
