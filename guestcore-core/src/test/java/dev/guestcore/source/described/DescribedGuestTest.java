package dev.guestcore.source.described;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.SourceException;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.facts.VirtualBoxFacts;
import dev.guestcore.facts.XenFacts;
import dev.guestcore.open.Guests;
import dev.guestcore.source.GuestSource;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
class DescribedGuestTest {

    private static final long GIB = 1L << 30;

    @TempDir
    private Path folder;

    @BeforeEach
    void writeTheFileOfTheExample() throws IOException {
        byte[] kernel = new byte[64];
        for (int i = 0; i < kernel.length; i++) {
            kernel[i] = (byte) (100 + i);
        }
        Files.write(folder.resolve("kernel.bin"), kernel);
    }

    /** The example of the documentation, taken out of it. */
    private static String example() throws IOException {
        String page = Files.readString(Path.of("..", "docs", "described-guest.md"));
        int begin = page.indexOf("```json\n") + "```json\n".length();
        return page.substring(begin, page.indexOf("```", begin));
    }

    private GuestSource source(String json) throws IOException {
        Path file = folder.resolve("guest.json");
        Files.writeString(file, json);
        return Guests.source("file:" + file);
    }

    private Guest open(String json) throws IOException {
        Path file = folder.resolve("guest.json");
        Files.writeString(file, json);
        return Guests.open("file:" + file);
    }

    private static byte[] read(GuestMemory memory, long address, int size) {
        byte[] bytes = new byte[size];
        memory.read(address, MemorySegment.ofArray(bytes));
        return bytes;
    }

    private static long u64(byte[] bytes, int offset) {
        return MemorySegment.ofArray(bytes)
                .get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), offset);
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    @Test
    void readsTheExampleOfTheDocumentation() throws IOException {
        try (Guest guest = open(example())) {
            GuestMemory memory = guest.memory();
            assertEquals(
                    List.of(
                            "0x0-0x9ffff RAM low",
                            "0xa0000-0xbffff DEVICE vga",
                            "0xf0000-0xfffff ROM bios",
                            "0x100000000-0x100ffffffff RAM high"),
                    memory.regions().stream()
                            .map(region -> region.range() + " " + region.kind() + " " + region.name())
                            .toList());

            byte[] page = read(memory, 0x9000, 4096);
            assertArrayEquals(ascii("MYPAGE: "), Arrays.copyOf(page, 8));
            assertEquals(0x9000, u64(page, 8));
            for (int i = 16; i < page.length; i++) {
                assertEquals((byte) (9 * 7 + 13), page[i]);
            }
            assertEquals(new PageRun(new AddressRange(0x3000, 0x3fff), PageState.ZERO), memory.runAt(0x3000));
            assertArrayEquals(new byte[4096], read(memory, 0x3000, 4096));
            assertEquals(new PageRun(new AddressRange(0x5000, 0x5fff), PageState.UNREADABLE), memory.runAt(0x5000));
            assertArrayEquals(
                    new byte[] {(byte) 0xfa, (byte) 0xf4, (byte) 0xeb, (byte) 0xfd}, read(memory, 0x7c00, 4));
            byte[] slice = read(memory, 0x8000, 33);
            assertEquals(116, slice[0]);
            assertEquals((byte) 147, slice[31]);
            assertEquals((byte) (8 * 7 + 13), slice[32]);
            assertArrayEquals(ascii("BIOS 1.2"), read(memory, 0xf0000, 8));
            assertEquals((byte) 0xff, read(memory, 0xf0008, 1)[0]);
            byte[] repeated = {(byte) 0xde, (byte) 0xad, (byte) 0xbe, (byte) 0xef};
            assertArrayEquals(repeated, read(memory, 4 * GIB + 0xffffc, 4));
            assertArrayEquals(repeated, read(memory, 4 * GIB + 0x1000, 4));
            long address = 4 * GIB + (1 << 20) + 0x128;
            assertEquals(address * 0x9e3779b97f4a7c15L ^ 0xff, u64(read(memory, address, 8), 0));
            assertArrayEquals(
                    Arrays.copyOfRange(read(memory, address, 24), 3, 19), read(memory, address + 3, 16));

            assertEquals(2, guest.vcpus().size());
            RegisterState registers = guest.vcpus().getFirst().registers();
            assertEquals(0x7c00, registers.get(X86.RIP));
            assertEquals(0x9b, registers.get(X86.CS_ATTRIBUTES));
            for (int i = 0; i < 16; i++) {
                assertEquals(i, registers.bytes(X86.XMM0)[i]);
            }
            assertFalse(registers.knows(X86.RAX));
            assertEquals(-1L, guest.vcpus().get(1).registers().get(X86.RAX));
            assertArrayEquals(
                    new byte[] {0, 1, 2, 3},
                    guest.vcpus().getFirst().rawContext("example.context").orElseThrow().bytes());

            assertEquals("My emulator", guest.provenance().hypervisor().orElseThrow());
            assertEquals(Instant.parse("2026-01-31T12:00:00Z"), guest.provenance().takenAt().orElseThrow());
            VirtualBoxFacts virtualBox = guest.facts(VirtualBoxFacts.class).orElseThrow();
            assertEquals("7.0.10 r158379", virtualBox.versionText());
            assertEquals("7.0", virtualBox.layout());
            assertEquals(62, virtualBox.elfMachine());
            assertXen(guest);
        }
    }

    private static void assertXen(Guest guest) {
        XenFacts xen = guest.facts(XenFacts.class).orElseThrow();
        assertTrue(xen.paravirtualized());
        assertEquals("4.17.7", xen.version().text());
        assertArrayEquals(new byte[8], xen.sharedInfo().orElseThrow());
        FrameTable frames = xen.frames().orElseThrow();
        long[] pfns = {0, 1, 2, 3, 4, 6, 7, 8, 9, 10};
        long[] mfns = {0x1000, 0x1001, 0x1002, 0x1003, 0x1004, 0x2002, 0x2000, 0x2001, -1, -1};
        assertEquals(pfns.length, frames.size());
        for (int i = 0; i < pfns.length; i++) {
            assertEquals(pfns[i], frames.pfn(i));
            assertEquals(mfns[i], frames.mfn(i));
        }
        GuestMemory machine = guest.machineMemory().orElseThrow();
        assertArrayEquals(read(guest.memory(), 0x1ff0, 0x20), read(machine, 0x1001ff0L, 0x20));
        assertArrayEquals(read(guest.memory(), 0x7000, 0x1000), read(machine, 0x2000000L, 0x1000));
        assertEquals(PageState.ABSENT, machine.runAt(0x1005000).state());
        assertEquals(PageState.ZERO, machine.runAt(0x1003000).state());
    }

    @Test
    void terabytesCostNothing() throws IOException {
        String json = """
                { "regions": [
                  { "kind": "ram", "address": 0, "size": "8388607T" },
                  { "kind": "rom", "address": "0x8000000000000000", "size": "0x7fffffffffffffff", "contents": [
                    { "pageNumber": {}, "pages": { "modulo": "0x4000000000", "remainders": ["0x3000000000"] } } ] } ] }
                """;
        try (Guest guest = open(json)) {
            assertEquals(PageState.ZERO, guest.memory().runAt(0x123456789abcdL).state());
            assertEquals((1L << 63) - (1L << 40) - 1, guest.memory().runAt(0).range().last());
            PageRun run = guest.memory().runAt(0x8000000000000000L);
            assertEquals(PageState.ZERO, run.state());
            assertEquals(0x8003000000000000L - 1, run.range().last());
            assertEquals(
                    new PageRun(new AddressRange(0x8003000000000000L, 0x8003000000000fffL), PageState.PRESENT),
                    guest.memory().runAt(0x8003000000000000L));
            assertEquals(0xfffffffffffffffeL, guest.memory().regions().getLast().range().last());
            assertEquals(1, guest.memory().readAvailable(-2L, MemorySegment.ofArray(new byte[5])));
        }
    }

    /** Pieces of all kinds in random places, compared with the plainest possible model, byte by byte. */
    @Test
    void layersGiveWhatAModelByteByByteGives() throws IOException {
        Random random = new Random(20260131);
        for (int round = 0; round < 60; round++) {
            int size = 1 + random.nextInt(40_000);
            long address = random.nextInt(4) * 0x1000L + (random.nextBoolean() ? random.nextInt(4096) : 0);
            byte[] model = new byte[size];
            PageState[] states = new PageState[size];
            Arrays.fill(states, PageState.ZERO);
            StringBuilder pieces = new StringBuilder();
            for (int piece = random.nextInt(12); piece > 0; piece--) {
                int offset = random.nextInt(size);
                int length = 1 + random.nextInt(size - offset);
                int modulo = 1 + random.nextInt(5);
                int remainder = random.nextInt(modulo);
                int inPage = random.nextInt(4096);
                int part = 1 + random.nextInt(4096 - inPage);
                boolean choosing = random.nextInt(3) == 0;
                int kind = random.nextInt(6);
                String filling = List.of(
                        "\"zero\": true",
                        "\"unreadable\": true",
                        "\"fill\": 165",
                        "\"repeat\": \"010203\"",
                        "\"address\": {\"multiply\": 3, \"add\": 5, \"xor\": 9}",
                        "\"pageNumber\": {\"multiply\": 5, \"add\": 1}")
                        .get(kind);
                pieces.append(pieces.isEmpty() ? "" : ",")
                        .append("{\"offset\":" + offset + ",\"size\":" + length + "," + filling)
                        .append(choosing
                                ? ",\"pages\":{\"modulo\":" + modulo + ",\"remainders\":[" + remainder
                                        + "],\"offset\":" + inPage + ",\"size\":" + part + "}"
                                : "")
                        .append("}");
                for (int i = offset; i < offset + length; i++) {
                    long at = address + i;
                    long within = at & 0xfff;
                    if (choosing
                            && ((at >> 12) % modulo != remainder || within < inPage || within >= inPage + part)) {
                        continue;
                    }
                    long position = choosing ? within - inPage : i - offset;
                    states[i] = kind == 0 ? PageState.ZERO : kind == 1 ? PageState.UNREADABLE : PageState.PRESENT;
                    model[i] = (byte) switch (kind) {
                        case 2 -> 165;
                        case 3 -> 1 + position % 3;
                        case 4 -> ((at & -8) * 3 + 5 ^ 9) >>> 8 * (at & 7);
                        case 5 -> (at >> 12) * 5 + 1;
                        default -> 0;
                    };
                }
            }
            String json = "{\"regions\":[{\"kind\":\"ram\",\"address\":" + address + ",\"size\":" + size
                    + ",\"contents\":[" + pieces + "]}]}";
            try (Guest guest = open(json)) {
                assertModel(guest.memory(), address, model, states, json, random);
            }
        }
    }

    private static void assertModel(
            GuestMemory memory, long address, byte[] model, PageState[] states, String json, Random random) {
        int at = 0;
        while (at < model.length) {
            PageRun run = memory.runAt(address + at);
            for (int i = at; i <= run.range().last() - address; i++) {
                assertEquals(states[i], run.state(), "state at " + i + " of " + json);
            }
            at = (int) (run.range().last() - address) + 1;
        }
        for (int attempt = 0; attempt < 20; attempt++) {
            int from = random.nextInt(model.length);
            byte[] bytes = new byte[1 + random.nextInt(model.length - from)];
            int readable = 0;
            while (readable < bytes.length && states[from + readable].isReadable()) {
                readable++;
            }
            assertEquals(readable, memory.readAvailable(address + from, MemorySegment.ofArray(bytes)), json);
            assertArrayEquals(
                    Arrays.copyOfRange(model, from, from + readable), Arrays.copyOf(bytes, readable), json);
        }
    }

    @Test
    void everyErrorNamesThePlaceAndTheRule() throws IOException {
        assertRefused("", "top level: expected an object, found nothing");
        assertRefused("[]", "top level: expected an object, found an array");
        assertRefused("{", "line 1");
        assertRefused("{\"regions\":[]} x", "line 1");
        assertRefused("{\"regions\":[],\"regions\":[]}", "uplicate");
        assertRefused("{\"regions\":[],\"cpus\":[]}", "architecture, provenance, background, regions, vcpus");
        assertRefused("{\"regions\":[],\"cpus\":[]}", "found 'cpus'");
        assertRefused("{}", "top level: expected the key 'regions'");
        assertRefused("{\"regions\":3}", "regions: expected an array, found 3");
        assertRefused("{\"regions\":[],\"architecture\":\"vax\"}", "architecture: expected one of x86, arm64");
        assertRegion("\"address\":0,\"size\":1", "regions[0]: expected the key 'kind'");
        assertRegion("\"kind\":\"flash\",\"address\":0,\"size\":1", "regions[0].kind: expected one of ram, rom,");
        assertRegion("\"kind\":\"ram\",\"address\":-1,\"size\":1", "regions[0].address: expected an unsigned 64-bit");
        assertRegion("\"kind\":\"ram\",\"address\":1.5,\"size\":1", "found 1.5");
        assertRegion("\"kind\":\"ram\",\"address\":0,\"size\":0", "regions[0].size: expected a number from 1");
        assertRegion("\"kind\":\"ram\",\"address\":0,\"size\":\"16777216T\"", "regions[0].size");
        assertRegion("\"kind\":\"ram\",\"address\":0,\"size\":\"9223372036854775808\"", "regions[0].size");
        assertRegion("\"kind\":\"ram\",\"address\":\"0xfffffffffffff000\",\"size\":4097", "ends below 2^64");
        assertRegion("\"kind\":\"device\",\"address\":0,\"size\":1,\"contents\":[]", "no contents for a device");
        assertRefused(
                "{\"regions\":[{\"kind\":\"ram\",\"address\":4095,\"size\":2},"
                        + "{\"kind\":\"rom\",\"address\":0,\"size\":4096}]}",
                "regions[0]: expected regions that do not overlap, found 0xfff-0x1000 over 0x0-0xfff of regions[1]");
        assertContents("{}", "exactly one of the keys zero, unreadable, fill");
        assertContents("{\"zero\":true,\"fill\":1}", "found zero and fill");
        assertContents("{\"zero\":false}", "regions[0].contents[0].zero: expected true, found false");
        assertContents("{\"fill\":256}", "contents[0].fill: expected a number from 0 to 255, found 256");
        assertContents("{\"fill\":1,\"size\":8193}", "contents[0].size: expected 1 to 8192 bytes");
        assertContents("{\"fill\":1,\"offset\":8192}", "contents[0].offset: expected an offset in the region");
        assertContents("{\"fill\":1,\"offset\":1,\"size\":\"0xffffffffffffffff\"}", "contents[0].size");
        assertContents("{\"fill\":1,\"length\":1}", "only the keys fill, offset, size, pages, found 'length'");
        assertContents("{\"repeat\":\"\"}", "expected at least one byte");
        assertContents("{\"repeat\":\"abc\"}", "two hexadecimal digits for each byte");
        assertContents("{\"repeat\":\"xy\"}", "expected hexadecimal digits");
        assertContents("{\"text\":\"ab\",\"offset\":8191}", "1 to 1 bytes");
        assertContents("{\"text\":\"ab\",\"size\":1}", "as long as its bytes");
        assertContents("{\"fill\":1,\"pages\":{\"modulo\":0}}", "pages.modulo: expected a number from 1");
        assertContents("{\"fill\":1,\"pages\":{\"modulo\":2}}", "the key 'remainders'");
        assertContents("{\"fill\":1,\"pages\":{\"modulo\":2,\"remainders\":[2]}}", "remainders[0]");
        assertContents("{\"fill\":1,\"pages\":{\"modulo\":2,\"remainders\":[]}}", "at least one remainder");
        assertContents("{\"fill\":1,\"pages\":{\"offset\":4096}}", "pages.offset");
        assertContents("{\"text\":\"ab\",\"pages\":{\"offset\":4095}}", "at most 1 bytes");
        assertContents("{\"file\":\"kernel.bin\",\"pages\":{}}", "contents[0].pages: expected no choice of pages");
        assertContents("{\"file\":\"none.bin\"}", "no such file");
        assertContents("{\"file\":\"../guest.json\"}", "contents[0].file: expected a file in the folder");
        assertContents("{\"file\":\"/etc/passwd\"}", "contents[0].file: expected a file in the folder");
        assertContents("{\"file\":\"\"}", "contents[0].file: expected a file in the folder");
        assertContents("{\"file\":\"kernel.bin\",\"fileOffset\":64}", "contents[0].fileOffset: expected an offset in");
        assertContents("{\"file\":\"kernel.bin\",\"fileOffset\":60,\"size\":5}", "size: expected 1 to 4 bytes");
        assertContents("{\"file\":\"kernel.bin\",\"offset\":8190}", "1 to 2 bytes");
        assertVcpu("\"registers\":{\"eax\":1}", "vcpus[0].registers.eax: expected the name of a register");
        assertVcpu("\"registers\":{\"cs\":65536}", "vcpus[0].registers.cs: expected at most 16 bits");
        assertVcpu("\"registers\":{\"rax\":\"zero\"}", "vcpus[0].registers.rax: expected an unsigned 64-bit number");
        assertVcpu("\"registers\":{\"xmm0\":\"0x100000000000000000000000000000000\"}", "at most 128 bits");
        assertVcpu("\"rawContexts\":[{\"kind\":\"a\"}]", "rawContexts[0]: expected either 'hex' or 'file'");
        assertVcpu("\"rawContexts\":[{\"hex\":\"00\"}]", "rawContexts[0]: expected the key 'kind'");
        assertFact("\"virtualbox\":{\"version\":\"7.0.10\"}", "virtualbox: expected the key 'revision'");
        assertFact("\"virtualbox\":{\"version\":\"7.256.1\",\"revision\":1}", "virtualbox.version: expected a version");
        assertFact("\"xen\":{\"version\":{\"major\":4}}", "xen.version: expected the key 'minor'");
        assertFact("\"xen\":{\"guestWidth\":5,\"version\":{}}", "xen.guestWidth: expected 4 or 8, found 5");
        assertFact("\"xen\":{\"version\":{\"major\":4,\"minor\":1,\"extra\":\"12345678901234567\"}}", "16 Latin");
        assertFrames("{\"pfn\":1},{\"pfn\":2,\"mfn\":1}", "frames[1]: expected machine frames in all elements");
        assertFrames("{\"pfn\":1,\"count\":\"5000T\"}", "frames[0].count");
        assertFrames("{\"pfn\":1,\"mfn\":7},{\"pfn\":2,\"mfn\":7}", "xen.frames: expected each machine frame once");
        assertFact("\"provenance\":{\"takenAt\":\"yesterday\"}", "provenance.takenAt: expected a time such as");
    }

    private void assertRegion(String region, String part) throws IOException {
        assertRefused("{\"regions\":[{" + region + "}]}", part);
    }

    private void assertContents(String piece, String part) throws IOException {
        assertRegion("\"kind\":\"ram\",\"address\":0,\"size\":8192,\"contents\":[" + piece + "]", part);
    }

    private void assertVcpu(String vcpu, String part) throws IOException {
        assertRefused("{\"regions\":[],\"vcpus\":[{" + vcpu + "}]}", part);
    }

    private void assertFact(String fact, String part) throws IOException {
        assertRefused("{\"regions\":[]," + fact + "}", part);
    }

    private void assertFrames(String frames, String part) throws IOException {
        assertFact(
                "\"xen\":{\"paravirtualized\":true,\"version\":{\"major\":4,\"minor\":1},\"frames\":[" + frames + "]}",
                part);
    }

    private void assertRefused(String json, String part) throws IOException {
        String message = assertThrows(SourceException.class, () -> source(json), part)
                .getMessage();
        assertTrue(message.startsWith(folder.resolve("guest.json").toString() + ": "), message);
        assertTrue(message.contains(part), message);
        assertEquals(1, message.lines().count(), message);
    }

    @Test
    @Tag("slow")
    void damagedDescriptionsEndInOneLine() throws IOException {
        String example = example();
        Random random = new Random(7);
        String values = "{}[]\",:-019xK \u0000eT\n";
        int refused = 0;
        for (int round = 0; round < 3000; round++) {
            StringBuilder damaged = new StringBuilder(example);
            for (int change = 1 + random.nextInt(3); change > 0; change--) {
                int at = random.nextInt(damaged.length());
                switch (random.nextInt(3)) {
                    case 0 -> damaged.setCharAt(at, values.charAt(random.nextInt(values.length())));
                    case 1 -> damaged.deleteCharAt(at);
                    default -> damaged.setLength(at + 1);
                }
            }
            try (Guest guest = open(damaged.toString())) {
                guest.memory().runAt(0x1000);
            } catch (SourceException e) {
                assertEquals(1, e.getMessage().lines().count(), e.getMessage());
                refused++;
            }
        }
        assertTrue(refused > 1000);
    }

    @Test
    void sizesThatAreClaimedAreNotAllocated() throws IOException {
        assertRefused("[".repeat(100_000), "nesting depth");
        assertRefused("{\"regions\":[" + "{},".repeat(1_000_000) + "{}]}", "400000");
        Files.write(folder.resolve("guest.json"), new byte[5 << 20]);
        SourceException error = assertThrows(
                SourceException.class, () -> Guests.source("file:" + folder.resolve("guest.json")));
        assertTrue(error.getMessage().contains("at most 4194304 bytes, found 5242880"), error.getMessage());
    }

    @Test
    void thousandsOfPiecesAreFoundQuickly() throws IOException {
        StringBuilder pieces = new StringBuilder("{\"fill\":1}");
        for (int i = 0; i < 30_000; i++) {
            pieces.append(",{\"offset\":" + i * 8192L + ",\"size\":4096,\"fill\":" + (i & 0xff) + "}");
        }
        try (Guest guest = open("{\"regions\":[{\"kind\":\"ram\",\"address\":0,\"size\":\"1G\",\"contents\":[" + pieces
                + "]}]}")) {
            for (int i = 0; i < 30_000; i++) {
                assertEquals((byte) i, read(guest.memory(), i * 8192L + 4095, 1)[0]);
                assertEquals(1, read(guest.memory(), i * 8192L + 4096, 1)[0]);
            }
        }
    }

    @Test
    void refusesWhatIsNotAFile() {
        assertThrows(SourceException.class, () -> Guests.source("file:" + folder));
        assertThrows(SourceException.class, () -> Guests.source("file:" + folder.resolve("none.json")));
        assertThrows(SourceException.class, () -> Guests.source("file:\0"));
    }

    @Test
    void aFileThatShrinksIsNotZeros() throws IOException {
        try (Guest guest = open(example())) {
            Files.write(folder.resolve("kernel.bin"), new byte[20]);
            String message = assertThrows(SourceException.class, () -> read(guest.memory(), 0x8000, 32))
                    .getMessage();
            assertTrue(message.contains("kernel.bin: the file became shorter"), message);
        }
    }

    @Test
    void aClosedGuestGivesNothing() throws IOException {
        GuestSource source = source(example());
        assertFalse(source.isLive());
        assertEquals(2, source.vcpuCount());
        Guest one = source.freeze();
        Guest other = source.freeze();
        one.close();
        assertThrows(IllegalStateException.class, () -> one.memory().runAt(0));
        assertEquals(MemoryRegion.Kind.RAM, other.memory().regionAt(0).orElseThrow().kind());
        source.close();
        assertThrows(IllegalStateException.class, () -> other.memory().runAt(0));
        source.close();
    }
}
