package dev.guestcore.file;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.CancelledException;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.source.GuestSource;
import dev.guestcore.testing.ElfFiles;
import dev.guestcore.testing.ForeignTools;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that their programs compressed are read as what they were, and as far as they are whole. */
class CompressedFilesTest {

    @TempDir
    Path folder;

    /** Noise, text, and zeros that are worth a hole; not a whole number of anything. */
    private static byte[] content(int seed) {
        byte[] content = new byte[900_017];
        Random random = new Random(seed);
        byte[] noise = new byte[500_000];
        random.nextBytes(noise);
        System.arraycopy(noise, 0, content, 0, noise.length);
        for (int i = 700_000; i < content.length; i++) {
            content[i] = (byte) "some text that compresses, line %d".charAt(i % 31 + random.nextInt(2));
        }
        return content;
    }

    private Path packed(String command, byte[] content) throws IOException {
        ForeignTools.require(command.split(" ")[0]);
        Path plain = Files.write(folder.resolve("plain"), content);
        Path packed = folder.resolve("packed");
        ForeignTools.Answer answer = ForeignTools.run("sh", "-c", command + " < " + plain + " > " + packed);
        assertEquals(0, answer.exitCode(), answer.text());
        return packed;
    }

    private static byte[] read(FileBytes file) {
        byte[] all = new byte[(int) file.size()];
        assertEquals(all.length, file.read(0, MemorySegment.ofArray(all)));
        return all;
    }

    private static List<Finding> damage(FileBytes file) {
        return file.findings().stream()
                .filter(finding -> finding.severity() == Severity.DAMAGE)
                .toList();
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "gzip -c", "bzip2 -c", "xz -c -2", "xz -c -2 -T2 --block-size=200000", "lzop -c", "zstd -c",
        "zstd -c -9 --no-check",
        "lz4 -c", "lz4 -c -9 -BD -B4", "lz4 -c -BD -BX --content-size --no-frame-crc"
    })
    void readsWhatTheProgramWrote(String command) throws IOException {
        byte[] content = content(1);
        Path packed = packed(command, content);
        try (FileBytes file = FileBytes.open(packed)) {
            assertEquals(command.split(" ")[0], file.compression().orElseThrow());
            assertArrayEquals(content, read(file));
            assertEquals(
                    List.of(packed + ": compressed by " + command.split(" ")[0]
                            + "; read from a temporary copy of 900017"
                            + " bytes in " + System.getProperty("java.io.tmpdir")),
                    file.findings().stream().map(Finding::message).toList());
            assertTrue(file.storedAt(530_000, 100_000).hole());
        }
        FileBytes first = FileBytes.open(packed);
        try (FileBytes again = first.reopen()) {
            first.close();
            assertArrayEquals(content, read(again));
        }
        // Programs that work in parallel write one part behind the other.
        byte[] once = Files.readAllBytes(packed);
        byte[] twice = Arrays.copyOf(once, 2 * once.length);
        System.arraycopy(once, 0, twice, once.length, once.length);
        if (command.startsWith("lzop")) {
            return;
        }
        byte[] expected = Arrays.copyOf(content, 2 * content.length);
        System.arraycopy(content, 0, expected, content.length, content.length);
        try (FileBytes file = FileBytes.open(Files.write(packed, twice))) {
            assertArrayEquals(expected, read(file));
            assertEquals(List.of(), damage(file));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"gzip -c", "xz -c -2 --block-size=100000", "bzip2 -c -1", "lzop -c", "zstd -c",
        "lz4 -c -BD -B4"})
    void damageCostsWhatLiesBehindIt(String command) throws IOException {
        byte[] content = content(2);
        byte[] whole = Files.readAllBytes(packed(command, content));
        // All but the last hundred thousand compressed bytes are noise, where compressed and plain bytes keep step.
        int[] places = {400_000, whole.length - 20};
        for (int place : places) {
            byte[] flipped = whole.clone();
            flipped[place] ^= 0x10;
            for (byte[] broken : List.of(flipped, Arrays.copyOf(whole, place))) {
                try (FileBytes file = FileBytes.open(Files.write(folder.resolve("broken"), broken))) {
                    assertEquals(1, damage(file).size(), command + " at " + place);
                    byte[] read = read(file);
                    int right = Arrays.mismatch(read, content);
                    assertTrue(right < 0 || right == read.length || broken == flipped, command + ": wrong at " + right);
                    assertTrue(read.length >= 100_000, command + " at " + place + ": " + read.length);
                }
            }
        }
    }

    /** Whatever the bytes are: our own errors, or a file and what is damaged of it. */
    @ParameterizedTest
    @ValueSource(strings = {"xz -c -2", "bzip2 -c -1", "lzop -c", "zstd -c", "lz4 -c -BD -B4"})
    void throwsNothingButItsOwnErrors(String command) throws IOException {
        byte[] whole = Files.readAllBytes(packed(command, Arrays.copyOfRange(content(7), 480_000, 720_000)));
        Random random = new Random(8);
        for (int i = 0; i < 60; i++) {
            byte[] broken = whole.clone();
            for (int flips = random.nextInt(4); flips >= 0; flips--) {
                int place = i % 2 == 0 ? random.nextInt(40) : random.nextInt(broken.length);
                broken[place] = (byte) random.nextInt();
            }
            try (FileBytes file = FileBytes.open(Files.write(folder.resolve("broken"), broken))) {
                assertTrue(file.size() < 1 << 20, command);
            } catch (GuestcoreException e) {
                assertFalse(e.getMessage().isEmpty(), command);
            }
        }
    }

    /** The library alone gives nothing of a frame that breaks within its first eight megabytes. */
    @Test
    void zstdGivesAllBlocksBeforeTheDamage() throws IOException {
        byte[] content = new byte[1 << 20];
        new Random(3).nextBytes(content);
        byte[] whole = Files.readAllBytes(packed("zstd -c -1", content));
        for (int blocks = 1; blocks < 8; blocks++) {
            int cut = 9 + blocks * (3 + (128 << 10)) + 1;
            try (FileBytes file = FileBytes.open(Files.write(folder.resolve("cut"), Arrays.copyOf(whole, cut)))) {
                assertArrayEquals(Arrays.copyOf(content, blocks << 17), read(file));
            }
        }
        byte[] checksum = whole.clone();
        checksum[checksum.length - 1] ^= 1;
        try (FileBytes file = FileBytes.open(Files.write(folder.resolve("sum"), checksum))) {
            assertArrayEquals(content, read(file));
            assertTrue(damage(file).getFirst().message().contains("Bad checksum"), damage(file)::toString);
        }
    }

    private static byte[] zlib(byte[] content) throws IOException {
        ByteArrayOutputStream target = new ByteArrayOutputStream();
        try (OutputStream stream = new DeflaterOutputStream(target)) {
            stream.write(content);
        }
        return target.toByteArray();
    }

    private static byte[] gzip(byte[] content) throws IOException {
        ByteArrayOutputStream target = new ByteArrayOutputStream();
        try (OutputStream stream = new GZIPOutputStream(target)) {
            stream.write(content);
        }
        return target.toByteArray();
    }

    @Test
    void anyFormatMayBeCompressed() throws IOException {
        byte[] memory = content(4);
        byte[] elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 1 << 20).load(0x100000, memory).build();
        try (Guest guest = Guests.open(Files.write(folder.resolve("elf.gz"), gzip(elf)))) {
            byte[] found = new byte[memory.length];
            guest.memory().read(0x100000, MemorySegment.ofArray(found));
            assertArrayEquals(memory, found);
            assertEquals(1, guest.findings().size(), guest.findings()::toString);
        }
        Path raw = Files.write(folder.resolve("raw.gz"), gzip(memory));
        try (Guest guest = Guests.open("raw:" + raw + "@0x5000")) {
            byte[] found = new byte[memory.length];
            guest.memory().read(0x5000, MemorySegment.ofArray(found));
            assertArrayEquals(memory, found);
        }
    }

    /** Two bytes of zlib say too little: only an image of LiME inside counts. */
    @Test
    void zlibIsTakenForLimeOnly() throws IOException {
        byte[] lime = new byte[32 + 4096];
        lime[0] = 'E';
        lime[1] = 'M';
        lime[2] = 'i';
        lime[3] = 'L';
        lime[4] = 1;
        lime[16] = (byte) 0xff;
        lime[17] = 0xf;
        lime[40] = 77;
        try (Guest guest = Guests.open(Files.write(folder.resolve("lime"), zlib(lime)))) {
            byte[] found = new byte[9];
            guest.memory().read(0, MemorySegment.ofArray(found));
            assertEquals(77, found[8]);
        }
        try (FileBytes file = FileBytes.open(Files.write(folder.resolve("other"), zlib(content(5))))) {
            assertEquals("", file.compression().orElse(""));
        }
    }

    @Test
    void whatCannotBeDecompressedIsSaid() throws IOException {
        Path torn = Files.write(folder.resolve("torn"), new byte[] {0x28, (byte) 0xb5, 0x2f, (byte) 0xfd, 0, 0});
        assertTrue(assertThrows(MalformedDumpException.class, () -> Guests.open(torn)).getMessage()
                .contains("zstd data: expected something to decompress, found "));
        Path empty = Files.write(folder.resolve("empty"), gzip(new byte[0]));
        assertTrue(assertThrows(MalformedDumpException.class, () -> Guests.open(empty)).getMessage()
                .contains("gzip data"));
    }

    /** Adds up what it is told, and stops after so many bytes. */
    private static final class Told implements Progress {

        private final List<String> phases = new ArrayList<>();
        private final long most;
        private long bytes;

        Told(long most) {
            this.most = most;
        }

        @Override
        public void begin(String phase, long totalBytes) {
            phases.add(phase + " " + totalBytes);
        }

        @Override
        public void advance(long more) {
            bytes += more;
            if (bytes > most) {
                throw new CancelledException();
            }
        }
    }

    @Test
    void decompressionIsToldAndCanBeStopped() throws IOException {
        byte[] memory = new byte[3 << 20];
        new Random(3).nextBytes(memory);
        byte[] elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 4 << 20).load(0, memory).build();
        Path core = Files.write(folder.resolve("core.gz"), gzip(elf));
        Told told = new Told(Long.MAX_VALUE);
        try (GuestSource source = Guests.source(core.toString(), Optional.empty(), told)) {
            assertFalse(source.isLive());
        }
        assertEquals(List.of("decompressing " + Files.size(core)), told.phases);
        assertEquals(Files.size(core), told.bytes);
        assertThrows(CancelledException.class,
                () -> Guests.source(core.toString(), Optional.empty(), new Told(1 << 20)));
        Told small = new Told(0);
        FileBytes.open(Files.write(folder.resolve("small.gz"), gzip(new byte[100])), small).close();
        assertEquals(List.of(), small.phases);
    }

    @Test
    void growthIsBounded() throws IOException {
        Path bomb = Files.write(folder.resolve("bomb"), gzip(new byte[3 << 20]));
        try (FileBytes file = FileBytes.openAsStored(bomb)) {
            String message = assertThrows(UnsupportedRequestException.class,
                    () -> SpooledFile.decompress(file, Compression.GZIP, 2 << 20, Progress.none())).getMessage();
            assertTrue(message.contains("larger than 2097152 bytes"), message);
            assertTrue(message.endsWith("(gzip -dc < " + bomb + " > vm.dump) and open the result"), message);
            try (SpooledFile whole = SpooledFile.decompress(file, Compression.GZIP, 3 << 20, Progress.none())) {
                assertEquals(3 << 20, whole.size());
                assertEquals(whole.size(), whole.nextData(0));
            }
        }
    }

    @Test
    void aWindowThatDoesNotFitIsRefused() throws IOException {
        byte[] content = new byte[1 << 20];
        byte[] noise = new byte[100_000];
        new Random(6).nextBytes(noise);
        System.arraycopy(noise, 0, content, 0, noise.length);
        Path packed = packed("zstd -c -1 --long=27", content);
        String message = assertThrows(UnsupportedRequestException.class, () -> FileBytes.open(packed)).getMessage();
        assertTrue(message.contains("a window of 128 MiB"), message);
        assertTrue(message.contains("zstd -dc --long=31 < " + packed + " > vm.dump"), message);
    }
}
