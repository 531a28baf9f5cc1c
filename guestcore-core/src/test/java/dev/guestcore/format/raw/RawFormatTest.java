package dev.guestcore.format.raw;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.OutputException;
import dev.guestcore.error.SourceException;
import dev.guestcore.error.UnrecognizedFormatException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.Loss;
import dev.guestcore.format.WriteReport;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.ElfFiles;
import dev.guestcore.testing.Patterns;
import java.io.BufferedWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RawFormatTest {

    private static final RawFormat RAW = new RawFormat();

    @TempDir
    private Path folder;

    /** A region of eight pages: two of each state, of which one page promises bytes and then gives none. */
    private static final class Mixed implements RegionContents {

        @Override
        public Run runAt(long offset, long remaining) {
            PageState state = switch ((int) (offset >> 13)) {
                case 0 -> PageState.PRESENT;
                case 1 -> PageState.ZERO;
                case 2 -> PageState.EXCLUDED;
                default -> PageState.UNREADABLE;
            };
            return new Run(state, Math.min(remaining, 0x2000 - (offset & 0x1fff)));
        }

        @Override
        public long readAvailable(long offset, MemorySegment target) {
            if (offset >= 0x1000 && offset < 0x2000) {
                return 0;
            }
            long end = offset < 0x1000 ? 0x1000 : 0x4000;
            long count = Math.min(target.byteSize(), Math.max(0, end - offset));
            target.asSlice(0, count).fill((byte) (offset < 0x1000 ? 9 : 0));
            return count;
        }
    }

    private static Guest guest() {
        return Guest.builder()
                .ram(0, MemorySegment.ofArray(Patterns.bytes(0x9f000, 1)))
                .device(0xa0000, 0x20000, "vga \"text\"")
                .rom(0xf0000, MemorySegment.ofArray(Patterns.bytes(0x10000, 2)))
                .region(new MemoryRegion(new AddressRange(0x100000, 0x107fff), MemoryRegion.Kind.RAM, "mixed"),
                        new Mixed())
                .ram(0x200000, MemorySegment.ofArray(Patterns.bytes(0x3000, 3)))
                .vcpu(Patterns.longMode(1))
                .build();
    }

    @Test
    void keepsEverythingAboutMemory() {
        for (String layout : List.of("flat", "packed")) {
            Path target = folder.resolve(layout);
            try (Guest guest = guest()) {
                WriteReport report = RAW.writer(Map.of("layout", layout)).write(guest, target, Progress.none());
                assertEquals(
                        List.of(new AddressRange(0x101000, 0x101fff), new AddressRange(0x106000, 0x107fff)),
                        report.unreadable());
                assertEquals(
                        List.of("registers of 1 vCPUs"),
                        report.losses().stream().filter(loss -> !loss.kept()).map(Loss::what).toList());
                try (Guest copy = Guests.open(target)) {
                    assertEquals("raw", copy.provenance().format());
                    assertEquals(guest.memory().regions(), copy.memory().regions());
                    Map<String, String> expected = Patterns.contents(Guest.builder()
                            .ram(0, MemorySegment.ofArray(Patterns.bytes(0x9f000, 1)))
                            .rom(0xf0000, MemorySegment.ofArray(Patterns.bytes(0x10000, 2)))
                            .ram(0x200000, MemorySegment.ofArray(Patterns.bytes(0x3000, 3)))
                            .build()
                            .memory());
                    byte[] nines = new byte[0x1000];
                    Arrays.fill(nines, (byte) 9);
                    expected.put("0000000000100000", Patterns.sha256(nines));
                    expected.put("0000000000101000", "UNREADABLE");
                    for (String page : List.of("2", "3")) {
                        expected.put("000000000010" + page + "000", Patterns.sha256(new byte[0x1000]));
                    }
                    for (String page : List.of("4", "5")) {
                        expected.put("000000000010" + page + "000", "EXCLUDED");
                    }
                    for (String page : List.of("6", "7")) {
                        expected.put("000000000010" + page + "000", "UNREADABLE");
                    }
                    assertEquals(expected, Patterns.contents(copy.memory()));
                    assertEquals(PageState.ZERO, copy.memory().runAt(0x102000).state());
                    assertTrue(copy.findings().isEmpty(), copy.findings()::toString);
                }
            }
            try (FileBytes file = FileBytes.open(target)) {
                List<Check> checks = RAW.rules(file, true, Progress.none());
                assertEquals(List.of("raw-01", "raw-02", "raw-03", "raw-05"),
                        checks.stream().filter(check -> check.result() == Check.Result.PASS).map(Check::id).toList());
            }
        }
    }

    @Test
    void putsEveryByteAtItsAddress() throws Exception {
        Path target = folder.resolve("image");
        try (Guest guest = guest()) {
            RAW.writer(Map.of()).write(guest, target, Progress.none());
            byte[] image = Files.readAllBytes(target);
            assertEquals(0x203000, image.length);
            assertArrayEquals(Patterns.bytes(0x9f000, 1), Arrays.copyOf(image, 0x9f000));
            assertArrayEquals(new byte[0x51000], Arrays.copyOfRange(image, 0x9f000, 0xf0000));
            assertArrayEquals(Patterns.bytes(0x10000, 2), Arrays.copyOfRange(image, 0xf0000, 0x100000));
            assertArrayEquals(Patterns.bytes(0x3000, 3), Arrays.copyOfRange(image, 0x200000, 0x203000));
            Path streamed = folder.resolve("streamed");
            try (WritableByteChannel channel = Channels.newChannel(Files.newOutputStream(streamed))) {
                RAW.writer(Map.of()).write(guest, channel, Progress.none());
            }
            assertEquals(-1, Files.mismatch(target, streamed));
        }
        String map = Files.readString(folder.resolve("image.map.json"));
        assertTrue(map.contains("{\"address\":\"0x9f000\",\"size\":\"0x1000\",\"kind\":\"hole\"}"), map);
        assertTrue(map.contains("\"name\":\"vga \\\"text\\\"\""), map);
    }

    @Test
    void opensAnImageWithoutAMapOnlyOnRequest() {
        Path path = ElfFiles.write(folder.resolve("bare@7"), Patterns.bytes(0x2000, 4));
        UnrecognizedFormatException error =
                assertThrows(UnrecognizedFormatException.class, () -> Guests.open(path));
        assertTrue(error.getMessage().contains("open it with raw:" + path + "@0x0"), error.getMessage());
        try (Guest guest = Guests.open("raw:" + path + "@0x100000")) {
            assertEquals(new AddressRange(0x100000, 0x101fff), guest.memory().regions().getFirst().range());
            byte[] bytes = new byte[16];
            guest.memory().read(0x100010, MemorySegment.ofArray(bytes));
            assertArrayEquals(Arrays.copyOfRange(Patterns.bytes(32, 4), 16, 32), bytes);
            assertEquals("flat at 0x100000", guest.provenance().layout());
        }
        try (Guest guest = Guests.open("raw:" + path)) {
            assertEquals(0, guest.memory().regions().getFirst().range().first());
        }
        assertEquals(
                "'" + path
                        + "@5z' does not end in a base address; give each file its base address, as in raw:low@0,high@4G",
                assertThrows(SourceException.class, () -> Guests.open("raw:" + path + "@5z")).getMessage());
        assertEquals(
                path + ": 8192 bytes at base 0xffffffffffffffff would pass 2^64; choose a lower base",
                assertThrows(SourceException.class, () -> Guests.open("raw:" + path + "@0xffffffffffffffff"))
                        .getMessage());
    }

    private static byte[] read(Guest guest, long address, int size) {
        byte[] bytes = new byte[size];
        guest.memory().read(address, MemorySegment.ofArray(bytes));
        return bytes;
    }

    @Test
    void opensMemoryThatLiesInSeveralFiles() {
        Path low = ElfFiles.write(folder.resolve("DDRCS0.BIN"), Patterns.bytes(0x3000, 1));
        Path high = ElfFiles.write(folder.resolve("DDRCS1.BIN"), Patterns.bytes(0x1800, 2));
        try (Guest guest = Guests.open("raw:" + high + "@4G," + low + "@0x80000000")) {
            assertEquals(
                    List.of(new AddressRange(0x80000000L, 0x80002fffL),
                            new AddressRange(0x1_0000_0000L, 0x1_0000_17ffL)),
                    guest.memory().regions().stream().map(MemoryRegion::range).toList());
            assertArrayEquals(Patterns.bytes(0x3000, 1), read(guest, 0x80000000L, 0x3000));
            assertArrayEquals(Patterns.bytes(0x1800, 2), read(guest, 0x1_0000_0000L, 0x1800));
            assertEquals("pieces at 0x100000000, 0x80000000", guest.provenance().layout());
            assertEquals(List.of(), guest.findings());
        }
        // Pieces that touch are read across.
        try (Guest guest = Guests.open("raw:" + low + "@0x1000," + high + "@16KiB")) {
            assertArrayEquals(Patterns.bytes(0x1800, 2), read(guest, 0x4000, 0x1800));
            byte[] across = read(guest, 0x3ffe, 4);
            assertEquals(Patterns.bytes(0x3000, 1)[0x2ffe], across[0]);
            assertEquals(Patterns.bytes(0x1800, 2)[1], across[3]);
        }
        assertTrue(assertThrows(SourceException.class, () -> Guests.open("raw:" + low + "@0," + high + "@0x2fff"))
                .getMessage()
                .contains(" overlaps " + low + " at "));
        assertEquals(folder.resolve("none") + ": no such file", assertThrows(SourceException.class,
                () -> Guests.open("raw:" + low + "@0," + folder.resolve("none") + "@4G")).getMessage());
        assertTrue(assertThrows(SourceException.class, () -> Guests.open("raw:" + low + "@0," + high)).getMessage()
                .contains("does not end in a base address"));
        assertTrue(assertThrows(SourceException.class, () -> Guests.open("raw:" + low + "@00100")).getMessage()
                .contains("write 0x00100 if it is hexadecimal"));
    }

    /** Whatever a name looks like, the file that exists is meant. */
    @Test
    void namesMayHaveCommasAndAts() {
        Path odd = ElfFiles.write(folder.resolve("a@0,b@1"), Patterns.bytes(0x1000, 5));
        Path plain = ElfFiles.write(folder.resolve("c,d"), Patterns.bytes(0x1000, 6));
        try (Guest guest = Guests.open("raw:" + odd)) {
            assertArrayEquals(Patterns.bytes(0x1000, 5), read(guest, 0, 0x1000));
        }
        try (Guest guest = Guests.open("raw:" + odd + "@0x1000," + plain + "@1M")) {
            assertArrayEquals(Patterns.bytes(0x1000, 5), read(guest, 0x1000, 0x1000));
            assertArrayEquals(Patterns.bytes(0x1000, 6), read(guest, 1 << 20, 0x1000));
        }
    }

    @Test
    void aPieceOverTheHoleOfAPcIsNoted() throws IOException {
        Path path = folder.resolve("five gigabytes");
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(new byte[] {1}), (5L << 30) - 1);
        }
        try (Guest guest = Guests.open("raw:" + path)) {
            String note = guest.findings().getFirst().message();
            assertTrue(note.contains("if this is a PC, no RAM lies there"), note);
            assertTrue(note.contains("tail -c +3221225473 '" + path + "' > high) and open raw:low@0x0,high@4G"), note);
        }
        try (Guest guest = Guests.open("raw:" + path + "@4G")) {
            assertEquals(List.of(), guest.findings());
        }
    }

    @Test
    void usesTheMapBesideAlsoOnRequest() {
        Path target = folder.resolve("image");
        try (Guest guest = guest()) {
            RAW.writer(Map.of()).write(guest, target, Progress.none());
        }
        try (Guest copy = Guests.open("raw:" + target)) {
            assertEquals(5, copy.memory().regions().size());
        }
    }

    @Test
    void leavesNothingBehindWhereTheMapsNameIsTaken() throws Exception {
        Path target = folder.resolve("image");
        Files.writeString(folder.resolve("image.map.json"), "mine");
        try (Guest guest = guest()) {
            assertThrows(OutputException.class, () -> RAW.writer(Map.of()).write(guest, target, Progress.none()));
        }
        try (var files = Files.list(folder)) {
            assertEquals(List.of(folder.resolve("image.map.json")), files.toList());
        }
    }

    private Path withMap(String map) throws Exception {
        Path image = ElfFiles.write(folder.resolve("image"), Patterns.bytes(0x2000, 5));
        Files.writeString(folder.resolve("image.map.json"), map);
        return image;
    }

    private static String ranges(String ranges) {
        return "{\"format\":\"guestcore raw map\",\"version\":1,\"imageSize\":8192,\"ranges\":[" + ranges + "]}";
    }

    /** A map, the text at which the error is found, and the error. */
    private record Fault(String map, String place, String message) {}

    /** A page far up makes zeros without end of a flat image; a sparse file does not mind, a pipe does. */
    @Test
    void floodsNoPipeUnasked() {
        for (long far : new long[] {1L << 52, 1L << 36}) {
            try (Guest guest = Guest.builder()
                    .ram(0, MemorySegment.ofArray(Patterns.bytes(0x10000, 1)))
                    .ram(far, MemorySegment.ofArray(Patterns.bytes(0x1000, 2)))
                    .build()) {
                assertEquals(0x11000, RAW.writer(Map.of()).plan(guest).storedSize(), "holes take no room on a disk");
                ByteArrayOutputStream pipe = new ByteArrayOutputStream();
                UnsupportedRequestException refused = assertThrows(
                        UnsupportedRequestException.class,
                        () -> RAW.writer(Map.of()).write(guest, Channels.newChannel(pipe), Progress.none()));
                assertTrue(refused.getMessage().contains("option layout"), refused::getMessage);
                assertEquals(0, pipe.size());
                RAW.writer(Map.of("layout", "packed")).write(guest, Channels.newChannel(pipe), Progress.none());
                assertEquals(0x11000, pipe.size());
            }
        }
    }

    @Test
    void tellsOfNamesThatAreTooMany() {
        GuestBuilder builder = Guest.builder();
        for (int i = 0; i < 4100; i++) {
            builder.device(i * 0x2000L, 0x1000, "d" + i);
        }
        Path target = folder.resolve("names");
        try (Guest guest = builder.ram(1L << 32, MemorySegment.ofArray(new byte[4096])).build()) {
            RAW.writer(Map.of("layout", "packed")).write(guest, target, Progress.none());
        }
        try (Guest copy = Guests.open(target)) {
            assertEquals(1, copy.findings().size(), copy.findings()::toString);
            assertEquals(Severity.OMITTED, copy.findings().getFirst().severity());
            assertTrue(copy.findings().getFirst().message().contains("6 regions have names"),
                    copy.findings()::toString);
        }
    }

    @Test
    void namesWhatIsWrongWithAMap() throws Exception {
        List<Fault> faults = List.of(
                new Fault("[]", "[", "map of a raw image: expected an object, found start array"),
                new Fault("{\"format\":\"x\"}", "}", "format: expected \"guestcore raw map\", found \"x\""),
                new Fault("{\"format\":\"guestcore raw map\",\"version\":2}", "}", "version: expected 1, found 2"),
                new Fault(ranges("{\"address\":\"0x0\"}"), "}",
                        "size of a range: expected 1 to 2^63 - 1 bytes that end before 2^64, found 0x0 bytes at 0x0"),
                new Fault(ranges("{\"address\":\"0x0\",\"size\":\"0x10\"}"), "}",
                        "offset of a range: expected 0 to 2^63 - 1, found none"),
                new Fault(ranges("{\"address\":0,\"size\":16,\"offset\":0},{\"address\":15,\"size\":16,\"offset\":0}"),
                        "}]", "address of a range: expected one after the previous range, found 0xf"),
                new Fault(ranges("{\"address\":\"zero\"}"), "\"zero",
                        "address: expected a number such as \"0x1000\", found \"zero\""),
                new Fault(ranges("{\"kind\":\"tape\",\"size\":1}"), "}",
                        "kind: expected one of ram, rom, device, found \"tape\""));
        for (Fault fault : faults) {
            Path image = withMap(fault.map());
            assertEquals(
                    image + ".map.json: at offset 0x" + Integer.toHexString(fault.map().indexOf(fault.place())) + ": "
                            + fault.message()
                            + "; write the image again, or open it without its map as raw:FILE@BASE",
                    assertThrows(MalformedDumpException.class, () -> Guests.open(image)).getMessage());
        }
        Path broken = withMap("{\"format\":");
        assertTrue(assertThrows(MalformedDumpException.class, () -> Guests.open(broken))
                .getMessage()
                .contains("map of a raw image: expected JSON, found"));
    }

    /** One place of the image is one place of memory, and a field of the map has one value. */
    @Test
    void aMapThatContradictsItselfIsDamaged() throws Exception {
        String twoAddresses = ranges("{\"address\":\"0x0\",\"size\":\"0x20\",\"offset\":0},"
                + "{\"address\":\"0x1000\",\"size\":\"0x20\",\"offset\":16}");
        try (Guest guest = Guests.open(withMap(twoAddresses))) {
            assertTrue(guest.findings().stream().anyMatch(finding -> finding.severity() == Severity.DAMAGE
                    && finding.message().contains("the bytes at offset 0x10 are memory at 0x10 and at 0x1000 at once")),
                    guest.findings()::toString);
        }
        assertTrue(Guests.verify(folder.resolve("image").toString(), false, Progress.none()).checks().stream()
                .anyMatch(check -> check.id().equals("raw-05") && check.result() == Check.Result.FAIL));
        Path twice = withMap(ranges("{\"address\":\"0x0\",\"address\":\"0x1000\",\"size\":\"0x10\",\"offset\":0}"));
        assertTrue(
                assertThrows(MalformedDumpException.class, () -> Guests.open(twice)).getMessage().contains("address"));
    }

    @Test
    void reportsAnImageThatIsCutShort() throws Exception {
        Path image = withMap(
                ranges("{\"address\":0,\"size\":8192,\"offset\":0}").replace("8192,\"ranges", "12288,\"ranges"));
        Files.write(image, new byte[0x1800]);
        try (Guest guest = Guests.open(image)) {
            assertEquals(PageState.UNREADABLE, guest.memory().runAt(0x1800).state());
            assertEquals(
                    image + ": at offset 0x1800: size of the image: expected 12288 bytes, as its map says, found 6144"
                            + " bytes; the image is cut short; what follows is missing",
                    guest.findings().getFirst().message());
        }
        try (FileBytes file = FileBytes.open(image)) {
            assertEquals(
                    List.of("raw-02", "raw-03", "raw-04"),
                    RAW.rules(file, true, Progress.none()).stream()
                            .filter(check -> check.result() == Check.Result.FAIL)
                            .map(Check::id)
                            .toList());
        }
    }

    @Test
    @Tag("slow")
    void survivesDamagedMaps() throws Exception {
        Path target = folder.resolve("image");
        try (Guest guest = guest()) {
            RAW.writer(Map.of()).write(guest, target, Progress.none());
        }
        Path map = folder.resolve("image.map.json");
        byte[] good = Files.readAllBytes(map);
        Random random = new Random(20260104);
        for (int round = 0; round < 1500 + good.length; round++) {
            byte[] bad = round < good.length ? Arrays.copyOf(good, round) : good.clone();
            if (round >= good.length) {
                bad[random.nextInt(bad.length)] = (byte) random.nextInt();
            }
            Files.write(map, bad);
            try (Guest guest = Guests.open(target)) {
                byte[] page = new byte[4096];
                guest.memory().regions().forEach(
                        region -> guest.memory().readAvailable(region.range().first(), MemorySegment.ofArray(page)));
            } catch (GuestcoreException e) {
                assertFalse(e.getMessage().contains("\n"), e.getMessage());
            }
        }
    }

    @Test
    @Tag("slow")
    void opensAMapOfAMillionRangesWithinTheHeap() throws Exception {
        int count = 1_000_000;
        Path image = ElfFiles.write(folder.resolve("image"), Patterns.bytes(0x2000, 5));
        try (BufferedWriter map = Files.newBufferedWriter(folder.resolve("image.map.json"), StandardCharsets.UTF_8)) {
            map.write("{\"format\":\"guestcore raw map\",\"version\":1,\"imageSize\":8192,\"ranges\":[");
            for (int i = 0; i < count; i++) {
                map.write((i == 0 ? "" : ",") + "{\"address\":" + i * 32L + ",\"size\":16,\"offset\":" + i % 512
                        + ",\"name\":\"name " + i + "\"}");
            }
            map.write("]}");
        }
        try (Guest guest = Guests.open(image)) {
            assertEquals(count, guest.memory().regions().size());
            assertEquals("name 5", guest.memory().regions().get(5).name());
            assertEquals(PageState.PRESENT, guest.memory().runAt((count - 1) * 32L).state());
        }
    }

    @Test
    void refusesWhatItCannotWrite() {
        try (Guest guest = Guest.builder().ram(-4096L, MemorySegment.ofArray(new byte[4096])).build()) {
            assertEquals(
                    "a file cannot hold memory up to guest-physical address 0xffffffffffffffff at offsets equal to"
                            + " addresses; write it packed (option layout, value packed)",
                    assertThrows(UnsupportedRequestException.class, () -> RAW.writer(Map.of()).plan(guest))
                            .getMessage());
            Path target = folder.resolve("packed");
            RAW.writer(Map.of("layout", "packed")).write(guest, target, Progress.none());
            try (Guest copy = Guests.open(target)) {
                assertEquals(guest.memory().regions(), copy.memory().regions());
            }
        }
        assertThrows(UnsupportedRequestException.class, () -> RAW.writer(Map.of("layout", "loose")));
        assertThrows(UnsupportedRequestException.class, () -> RAW.writer(Map.of("base", "0")));
    }
}
