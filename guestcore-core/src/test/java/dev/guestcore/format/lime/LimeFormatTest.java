package dev.guestcore.format.lime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.format.Loss;
import dev.guestcore.format.Probe;
import dev.guestcore.format.WriteReport;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.ElfFiles;
import dev.guestcore.testing.Patterns;
import io.airlift.compress.v3.snappy.SnappyFramedInputStream;
import io.airlift.compress.v3.snappy.SnappyFramedOutputStream;
import io.airlift.compress.v3.snappy.SnappyJavaCompressor;
import io.airlift.compress.v3.snappy.SnappyJavaDecompressor;
import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LimeFormatTest {

    private static final CoreFormat LIME = new LimeFormat();
    private static final CoreFormat AVML = new AvmlFormat();

    @TempDir
    private Path folder;

    private Path file(byte[]... parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        return ElfFiles.write(folder.resolve("image"), all.toByteArray());
    }

    private static byte[] header(int magic, int version, long first, long last) {
        return ByteBuffer.allocate(32)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(magic)
                .putInt(version)
                .putLong(first)
                .putLong(last)
                .array();
    }

    private static byte[] lime(long first, byte[] content) {
        byte[] header = header(0x4c694d45, 1, first, first + content.length - 1);
        return join(header, content);
    }

    private static byte[] join(byte[]... parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        return all.toByteArray();
    }

    /** A block whose stream was made by a framing program that is not ours. */
    private static byte[] avml(long first, byte[] content) throws IOException {
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        try (OutputStream frames = new SnappyFramedOutputStream(new SnappyJavaCompressor(), stream)) {
            frames.write(content);
        }
        byte[] length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(stream.size()).array();
        return join(header(0x4c4d5641, 2, first, first + content.length - 1), stream.toByteArray(), length);
    }

    private static byte[] read(Guest guest, long address, int size) {
        byte[] bytes = new byte[size];
        guest.memory().read(address, MemorySegment.ofArray(bytes));
        return bytes;
    }

    /** Compressible, with stretches that are not, and zeros. */
    private static byte[] mixed(int size) {
        byte[] bytes = Patterns.bytes(size, 3);
        byte[] noise = new byte[size / 4];
        new Random(5).nextBytes(noise);
        System.arraycopy(noise, 0, bytes, size / 4, noise.length);
        Arrays.fill(bytes, size / 2, size * 3 / 4, (byte) 0);
        return bytes;
    }

    @Test
    void readsBlocksInAnyOrder() {
        byte[] one = Patterns.bytes(0x1000, 1);
        byte[] two = Patterns.bytes(0x2345, 2);
        try (Guest guest = Guests.open(file(lime(0x100000000L, one), lime(0x1000, two)))) {
            assertEquals("lime", guest.provenance().format());
            assertArrayEquals(one, read(guest, 0x100000000L, one.length));
            assertArrayEquals(two, read(guest, 0x1000, two.length));
            assertEquals(
                    List.of(new AddressRange(0x1000, 0x3344), new AddressRange(0x100000000L, 0x100000fffL)),
                    guest.memory().regions().stream().map(MemoryRegion::range).toList());
            assertEquals(PageState.ABSENT, guest.memory().runAt(0x3345).state());
            assertTrue(guest.findings().isEmpty(), guest.findings()::toString);
        }
    }

    @Test
    void readsStreamsOfAnotherFramer() throws Exception {
        byte[] one = mixed(0x50000);
        byte[] two = mixed(0x12345);
        try (Guest guest = Guests.open(file(avml(0x1000, one), avml(0x80000000L, two)))) {
            assertEquals("avml", guest.provenance().format());
            assertArrayEquals(one, read(guest, 0x1000, one.length));
            assertArrayEquals(two, read(guest, 0x80000000L, two.length));
            assertArrayEquals(Arrays.copyOfRange(one, 0x1ffff, 0x20003), read(guest, 0x20fff, 4));
            assertEquals(2, guest.memory().regions().size());
            assertEquals(new AddressRange(0x1000, 0x50fff), guest.memory().regionAt(0x2000).orElseThrow().range());
            assertTrue(guest.findings().isEmpty(), guest.findings()::toString);
        }
    }

    @Test
    void anotherFramerReadsOurStreams() throws Exception {
        byte[] content = mixed(0x50123);
        Path target = folder.resolve("ours");
        try (Guest guest = Guest.builder().ram(0x1000, MemorySegment.ofArray(content)).build()) {
            WriteReport report = AVML.writer(Map.of()).write(guest, target, Progress.none());
            assertEquals(Files.size(target), report.bytes());
            assertTrue(report.bytes() <= AVML.writer(Map.of()).plan(guest).size());
        }
        byte[] image = Files.readAllBytes(target);
        assertArrayEquals(header(0x4c4d5641, 2, 0x1000, 0x51122), Arrays.copyOf(image, 32));
        ByteBuffer tail = ByteBuffer.wrap(image, image.length - 8, 8).order(ByteOrder.LITTLE_ENDIAN);
        assertEquals(image.length - 32 - 8, tail.getLong());
        byte[] stream = Arrays.copyOfRange(image, 32, image.length - 8);
        try (SnappyFramedInputStream frames = new SnappyFramedInputStream(
                new SnappyJavaDecompressor(), new ByteArrayInputStream(stream))) {
            assertArrayEquals(content, frames.readAllBytes());
        }
    }

    @Test
    void writesAndReadsBack() {
        for (CoreFormat format : List.of(LIME, AVML)) {
            try (Guest guest = Guest.builder()
                    .ram(0, MemorySegment.ofArray(mixed(0x9f000)))
                    .device(0xa0000, 0x20000, "vga")
                    .rom(0xf0000, MemorySegment.ofArray(mixed(0x10000)))
                    .ram(0x100000000L, MemorySegment.ofArray(mixed(0x200000)))
                    .vcpu(Patterns.longMode(1))
                    .build()) {
                Path target = folder.resolve(format.name());
                WriteReport report = format.writer(Map.of()).write(guest, target, Progress.none());
                assertEquals(
                        List.of("device range 0xa0000-0xbffff", "kind ROM of 0xf0000-0xfffff", "names of 4 regions",
                                "registers of 1 vCPUs"),
                        report.losses().stream().map(Loss::what).toList());
                try (Guest copy = Guests.open(target)) {
                    assertEquals(Patterns.contents(guest.memory()), Patterns.contents(copy.memory()));
                    assertTrue(copy.findings().isEmpty(), copy.findings()::toString);
                }
                try (FileBytes file = FileBytes.open(target)) {
                    List<Check> checks = format.rules(file, true, Progress.none());
                    assertTrue(checks.stream().allMatch(check -> check.result() == Check.Result.PASS),
                            checks::toString);
                    assertEquals(format == LIME ? 5 : 6, checks.size());
                }
            }
        }
    }

    @Test
    void leavesOutWhatCannotBeRead() {
        RegionContents half = new RegionContents() {
            @Override
            public long readAvailable(long offset, MemorySegment target) {
                long count = Math.min(target.byteSize(), Math.max(0, 0x2000 - offset));
                target.asSlice(0, count).fill((byte) 7);
                return count;
            }

            @Override
            public Run runAt(long offset, long remaining) {
                return offset < 0x2000
                        ? new Run(PageState.PRESENT, Math.min(remaining, 0x2000 - offset))
                        : new Run(PageState.UNREADABLE, remaining);
            }
        };
        MemoryRegion region = new MemoryRegion(new AddressRange(0x1000, 0x4fff), MemoryRegion.Kind.RAM, "");
        for (CoreFormat format : List.of(LIME, AVML)) {
            try (Guest guest = Guest.builder().region(region, half).build()) {
                Path target = folder.resolve("half." + format.name());
                WriteReport report = format.writer(Map.of()).write(guest, target, Progress.none());
                assertEquals(List.of(new AddressRange(0x3000, 0x4fff)), report.unreadable());
                assertEquals("state unreadable of 8192 bytes", report.losses().getFirst().what());
                try (Guest copy = Guests.open(target)) {
                    assertEquals(new AddressRange(0x1000, 0x2fff), copy.memory().regions().getFirst().range());
                    assertEquals(PageState.ABSENT, copy.memory().runAt(0x3000).state());
                }
            }
        }
    }

    /** Of what is there twice the first is shown; other bytes in the second are damage, the same ones are not. */
    @Test
    void saysWhereBlocksContradictEachOther() throws Exception {
        byte[] content = mixed(0x4000);
        byte[] other = Arrays.copyOfRange(content, 0x1000, 0x3000);
        other[0x1005] ^= 1;
        String contradiction = "1 page is there twice with different bytes, the first at guest-physical address 0x2005";
        for (CoreFormat format : List.of(LIME, AVML)) {
            byte[] first = format == LIME ? lime(0, content) : avml(0, content);
            for (byte[] part : List.of(Arrays.copyOfRange(content, 0x1000, 0x3000), other)) {
                Path path = file(first, format == LIME ? lime(0x1000, part) : avml(0x1000, part));
                boolean same = part != other;
                try (Guest guest = Guests.open(path)) {
                    assertArrayEquals(content, read(guest, 0, content.length));
                    assertEquals(same, guest.findings().isEmpty(), guest.findings()::toString);
                    assertTrue(same || guest.findings().getFirst().message().contains(contradiction),
                            guest.findings()::toString);
                }
                try (FileBytes file = FileBytes.open(path)) {
                    assertEquals(same ? List.of() : List.of(format.name() + "-00", format.name() + "-05"),
                            format.verify(file, true, Progress.none()).stream()
                                    .filter(check -> check.result() == Check.Result.FAIL)
                                    .map(Check::id)
                                    .toList());
                }
            }
        }
    }

    @Test
    void findsADamagedChunkWhenItIsRead() throws Exception {
        byte[] content = mixed(0x40000);
        byte[] image = avml(0, content);
        image[32 + 10 + 4 + 4 + 100] ^= 0x40;
        try (Guest guest = Guests.open(file(image))) {
            byte[] bytes = new byte[0x1000];
            assertEquals(0, guest.memory().readAvailable(0x2000, MemorySegment.ofArray(bytes)));
            assertEquals(PageState.UNREADABLE, guest.memory().runAt(0x2000).state());
            assertArrayEquals(Arrays.copyOfRange(content, 0x10000, 0x11000), read(guest, 0x10000, 0x1000));
        }
        try (FileBytes file = FileBytes.open(folder.resolve("image"))) {
            Check last = AVML.rules(file, true, Progress.none()).getLast();
            assertEquals(Check.Result.FAIL, last.result());
            assertEquals("65536 bytes lost, first at guest-physical address 0x0", last.found());
        }
    }

    @Test
    void saysWhatIsWrong() throws Exception {
        byte[] good = lime(0x1000, new byte[64]);
        Path cut = file(Arrays.copyOf(good, good.length - 4));
        try (Guest guest = Guests.open(cut)) {
            assertEquals(
                    cut + ": at offset 0x5c: content of the block at 0x1000: expected 64 bytes of memory, found the end of"
                            + " the file after 60; the file is cut short; everything from here on is lost",
                    guest.findings().getFirst().message());
            assertEquals(PageState.UNREADABLE, guest.memory().runAt(0x103c).state());
        }
        Path foreign = file(good, new byte[32]);
        try (Guest guest = Guests.open(foreign)) {
            assertEquals(
                    foreign + ": at offset 0x60: magic and version of a block: expected 4c694d45 and 1, or 4c4d5641 and 2,"
                            + " found 00000000 and 0; everything from here on is lost",
                    guest.findings().getFirst().message());
        }
        Path disk = file(good, new byte[(2 << 20) - good.length]);
        try (Guest guest = Guests.open(disk)) {
            assertEquals(Severity.NOTE, guest.findings().getFirst().severity());
            assertEquals(1, guest.findings().size());
            assertEquals(1, guest.memory().regions().size());
        }
        byte[] soon = new byte[(1 << 20) - good.length];
        soon[soon.length - 1] = 1;
        try (Guest guest = Guests.open(file(good, soon))) {
            assertEquals(Severity.DAMAGE, guest.findings().getFirst().severity());
        }
        Path backwards = file(header(0x4c694d45, 1, 0x2000, 0x1000));
        assertEquals(
                backwards
                        + ": at offset 0x0: first block: expected a block of memory, found none that can be read; there"
                        + " is nothing to read in this file",
                assertThrows(MalformedDumpException.class, () -> Guests.open(backwards)).getMessage());
        Path newer = file(header(0x4c694d45, 9, 0, 0xfff));
        try (FileBytes file = FileBytes.open(newer)) {
            assertEquals("a LiME image of version 9, of which Guestcore knows only 1", LIME.probe(file).reason());
            assertEquals(Probe.Match.NO, AVML.probe(file).match());
        }
        Path length = file(avml(0, new byte[100]), avml(0x1000, new byte[100]));
        byte[] bytes = Files.readAllBytes(length);
        bytes[bytes.length / 2 - 8] ^= 1;
        Files.write(length, bytes);
        try (Guest guest = Guests.open(length)) {
            assertEquals(Severity.NOTE, guest.findings().getFirst().severity());
            assertEquals(2, guest.memory().regions().size());
        }
    }

    /** The module writes headers in the byte order of its machine. */
    @Test
    void readsTheHeadersOfABigEndianMachine() {
        byte[] first = ByteBuffer.allocate(32).putInt(0x4c694d45).putInt(1).putLong(0x1000).putLong(0x1fff).array();
        byte[] second = ByteBuffer.allocate(32).putInt(0x4c694d45).putInt(1).putLong(0x9fc00).putLong(0x9fcff).array();
        Path path = file(first, Patterns.bytes(0x1000, 1), second, Patterns.bytes(0x100, 2));
        try (Guest guest = Guests.open(path)) {
            byte[] bytes = new byte[0x100];
            guest.memory().read(0x9fc00, MemorySegment.ofArray(bytes));
            assertArrayEquals(Patterns.bytes(0x100, 2), bytes);
            assertEquals("version 1, big-endian", guest.provenance().layout());
            assertEquals(ByteOrder.BIG_ENDIAN, guest.memory().byteOrder());
            assertEquals(List.of(), guest.findings());
        }
        try (FileBytes file = FileBytes.open(path)) {
            assertTrue(LIME.verify(file, true, Progress.none()).stream()
                    .allMatch(check -> check.result() == Check.Result.PASS));
        }
    }

    private void openAndReadAll(byte[] content) {
        Path path = file(content);
        for (CoreFormat format : List.of(LIME, AVML)) {
            try (FileBytes file = FileBytes.open(path)) {
                format.rules(file, true, new Limit());
                if (format.probe(file).match() == Probe.Match.EXACT) {
                    try (Guest guest = format.open(file)) {
                        byte[] page = new byte[4096];
                        guest.memory().regions().forEach(region -> guest.memory().readAvailable(region.range().first(),
                                MemorySegment.ofArray(page)));
                    }
                }
            } catch (GuestcoreException e) {
                assertTrue(e.getMessage().startsWith(path.toString()), e.getMessage());
            }
        }
    }

    private static final class Limit implements Progress {
        @Override
        public void begin(String phase, long totalBytes) {
            assertFalse(phase.isEmpty());
        }

        @Override
        public void advance(long bytes) {
            assertTrue(bytes > 0 || bytes < 0, "goes on");
        }
    }

    @Test
    @Tag("slow")
    void survivesEveryTruncation() throws Exception {
        byte[] image = join(avml(0x1000, mixed(600)), lime(0x8000, mixed(100)), avml(0x4000, mixed(300)));
        for (int length = 0; length < image.length; length++) {
            openAndReadAll(Arrays.copyOf(image, length));
        }
    }

    @Test
    @Tag("slow")
    void survivesFlippedBytes() throws Exception {
        byte[] image = join(avml(0x1000, mixed(600)), lime(0x8000, mixed(100)), avml(0x4000, mixed(300)));
        Random random = new Random(20260103);
        for (int round = 0; round < 3000; round++) {
            byte[] damaged = image.clone();
            for (int i = 0; i < 1 + round % 3; i++) {
                damaged[random.nextInt(image.length)] = (byte) random.nextInt();
            }
            openAndReadAll(damaged);
        }
    }

    @Test
    void opensAMillionBlocksWithinTheHeap() throws Exception {
        int count = 1_000_000;
        Path path = folder.resolve("million");
        byte[] block = lime(0, new byte[8]);
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(path), 1 << 20)) {
            for (int i = 0; i < count; i++) {
                ByteBuffer.wrap(block).order(ByteOrder.LITTLE_ENDIAN).putLong(8, i * 16L).putLong(16, i * 16L + 7);
                out.write(block);
            }
        }
        try (Guest guest = Guests.open(path)) {
            assertEquals(count, guest.memory().regions().size());
            assertEquals(8, read(guest, (count - 1) * 16L, 8).length);
        }
    }

    @Test
    void refusesWhatItCannotWrite() {
        try (Guest guest = Guest.builder().device(0, 0x1000, "x").build()) {
            assertThrows(UnsupportedRequestException.class, () -> LIME.writer(Map.of()).plan(guest));
        }
        assertEquals(
                "format avml has no option 'codec'; it has none",
                assertThrows(UnsupportedRequestException.class, () -> AVML.writer(Map.of("codec", "x"))).getMessage());
    }
}
