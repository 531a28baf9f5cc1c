package dev.guestcore.format.vmstate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.SourceException;
import dev.guestcore.error.UnrecognizedFormatException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.ForeignTools;
import dev.guestcore.testing.MigrationFiles;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VmStateFormatTest {

    private static final int PAGE = 4096;
    private static final int SIZE = 2 << 20;

    @TempDir
    private Path folder;

    private static byte[] page(int seed) {
        byte[] page = new byte[PAGE];
        new Random(seed).nextBytes(page);
        return page;
    }

    private static MigrationFiles begun() {
        return new MigrationFiles("pc-i440fx-7.2").blocks("pc.ram", SIZE, "pc.bios", 2 * PAGE);
    }

    private static MigrationFiles devices(MigrationFiles file) {
        return file.device("vga", 0, 2, fields -> fields.numbers("latch", 4, 0))
                .device("cpu", 0, 12, fields -> MigrationFiles.cpu(fields, 0))
                .device("0000:00:00.0/I440FX", 0, 3, fields -> fields.pciDevice(MigrationFiles.i440fx(3)))
                .device("mc146818rtc", 0, 3,
                        fields -> fields.bytes("cmos_data", "buffer", MigrationFiles.cmos(SIZE, 0)));
    }

    /** Pages in runs of ten, every eleventh zero, some sent twice. */
    private static MigrationFiles ram() {
        MigrationFiles file = begun();
        for (int i = 0; i < SIZE / PAGE; i++) {
            if (i % 11 == 10) {
                file.fill("pc.ram", (long) i * PAGE, 0);
            } else {
                file.page("pc.ram", (long) i * PAGE, page(i));
            }
        }
        file.page("pc.bios", 0, page(1001)).fill("pc.bios", PAGE, 0xea).nextRun();
        return file.page("pc.ram", 3 * PAGE, page(2003))
                .page("pc.ram", 10 * PAGE, page(2010))
                .fill("pc.ram", 5 * PAGE, 0)
                .endOfRam();
    }

    private static byte[] expected(int index) {
        return switch (index) {
            case 3, 10 -> page(2000 + index);
            case 5 -> new byte[PAGE];
            default -> index % 11 == 10 ? new byte[PAGE] : page(index);
        };
    }

    private static byte[] stream() {
        return devices(ram()).finish();
    }

    private Path write(byte[] content) {
        return write("stream", content);
    }

    private Path write(String name, byte[] content) {
        try {
            return Files.write(folder.resolve(name), content);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] read(GuestMemory memory, long address, int size) {
        byte[] bytes = new byte[size];
        memory.read(address, MemorySegment.ofArray(bytes));
        return bytes;
    }

    private static void checkMemory(Guest guest) {
        GuestMemory memory = guest.memory();
        for (int i = 0; i < SIZE / PAGE; i++) {
            if (i < 0xa0 || i >= 0xc0) {
                assertArrayEquals(expected(i), read(memory, (long) i * PAGE, PAGE), "page " + i);
            }
        }
        byte[] across = read(memory, 0xc0000 + 100, 70_000);
        for (int i = 0; i < across.length; i++) {
            int address = 0xc0000 + 100 + i;
            if (across[i] != expected(address / PAGE)[address % PAGE]) {
                assertEquals(expected(address / PAGE)[address % PAGE], across[i], "byte " + address);
            }
            i += address % PAGE == 7 ? 4000 : 0;
        }
        assertArrayEquals(page(1001), read(memory, 0xffffe000L, PAGE));
        byte[] filled = new byte[PAGE];
        Arrays.fill(filled, (byte) 0xea);
        assertArrayEquals(filled, read(memory, 0xfffff000L, PAGE));
        assertEquals(PageState.ZERO, memory.runAt(5 * PAGE).state());
        assertEquals(PageState.PRESENT, memory.runAt(3 * PAGE).state());
        assertEquals(PageState.ABSENT, memory.runAt(0xa0000).state());
        assertEquals(0x200, guest.vcpus().getFirst().registers().get(X86.RIP));
    }

    @Test
    void opensAStream() {
        try (Guest guest = Guests.open(write(stream()))) {
            checkMemory(guest);
            assertEquals(List.of(), guest.findings());
            assertEquals("vmstate", guest.provenance().format());
            assertEquals("QEMU", guest.provenance().hypervisor().orElseThrow());
            assertEquals("machine pc-i440fx-7.2, memory split by CMOS", guest.provenance().layout());
            assertEquals(new AddressRange(0, 0x9ffff), guest.memory().regions().getFirst().range());
            assertArrayEquals(page(7), guest.memory().view(7 * PAGE, PAGE).orElseThrow()
                    .toArray(ValueLayout.JAVA_BYTE));
        }
    }

    private interface Compressor {
        OutputStream over(OutputStream target) throws IOException;
    }

    private static byte[] compress(Compressor compressor, byte[] content) throws IOException {
        ByteArrayOutputStream target = new ByteArrayOutputStream();
        try (OutputStream stream = compressor.over(target)) {
            stream.write(content);
        }
        return target.toByteArray();
    }

    private static byte[] gzip(byte[] content) throws IOException {
        return compress(GZIPOutputStream::new, content);
    }

    /** The programs that users and libvirt run. */
    @Test
    @Tag("foreign")
    void opensWhatTheirProgramsCompressed() throws IOException {
        Path plain = write("plain", stream());
        for (String program : List.of("gzip", "bzip2", "xz", "lzop", "zstd")) {
            ForeignTools.require(program);
            Path packed = folder.resolve("packed." + program);
            ForeignTools.Answer answer = ForeignTools.run("sh", "-c", program + " -c " + plain + " > " + packed);
            assertEquals(0, answer.exitCode(), answer.text());
            try (Guest guest = Guests.open(packed)) {
                checkMemory(guest);
                assertEquals(program + ", machine pc-i440fx-7.2, memory split by CMOS", guest.provenance().layout());
            }
            byte[] image = libvirt(List.of("", "gzip", "bzip2", "xz", "lzop", "zstd").indexOf(program),
                    Files.readAllBytes(packed), ByteOrder.LITTLE_ENDIAN, 2);
            try (Guest guest = Guests.open(write(image))) {
                checkMemory(guest);
            }
            damagedPacking(program, Files.readAllBytes(packed));
        }
    }

    private void damagedPacking(String program, byte[] packed) {
        Random random = new Random(3);
        for (int i = 0; i < 20; i++) {
            byte[] broken =
                    random.nextBoolean() ? Arrays.copyOf(packed, random.nextInt(packed.length)) : packed.clone();
            if (broken.length == packed.length) {
                broken[random.nextInt(packed.length)] ^= (byte) (1 << random.nextInt(8));
            }
            try (Guest guest = Guests.open(write(broken))) {
                guest.vcpus();
            } catch (GuestcoreException e) {
                assertFalse(e.getMessage().isEmpty(), program);
            }
        }
        byte[] half = Arrays.copyOf(packed, packed.length / 2);
        try (Guest guest = Guests.open(write(half))) {
            assertTrue(guest.findings().stream()
                    .anyMatch(finding -> finding.severity() == Severity.DAMAGE), program);
        } catch (MalformedDumpException e) {
            // All is in one block.
            assertTrue(List.of("bzip2", "zstd").contains(program), e.getMessage());
            assertTrue(e.getMessage().contains(program + " data: expected something to decompress"), e.getMessage());
        }
    }

    @Test
    void leavesNoTemporaryFileBehind() throws IOException {
        Path packed = write(gzip(stream()));
        Path temporary = Path.of(System.getProperty("java.io.tmpdir"));
        try (Guest guest = Guests.open(packed); Stream<Path> files = Files.list(temporary)) {
            assertEquals(List.of(), files.filter(file -> file.toString().endsWith(".spool")).toList());
            checkMemory(guest);
        }
    }

    private static byte[] libvirt(int compression, byte[] stream, ByteOrder order, int version) {
        return libvirt(compression, stream, order, version, "");
    }

    private static byte[] libvirt(int compression, byte[] stream, ByteOrder order, int version, String devices) {
        byte[] xml = ("<domain type='kvm'><name>web\u0007server</name>" + devices + "</domain>\0")
                .getBytes(StandardCharsets.UTF_8);
        ByteBuffer image = ByteBuffer.allocate(92 + xml.length + stream.length).order(order);
        image.put("LibvirtQemudSave".getBytes(StandardCharsets.US_ASCII)).putInt(version).putInt(xml.length).putInt(1)
                .putInt(compression);
        return image.put(92, xml).put(92 + xml.length, stream).array();
    }

    @Test
    void opensSaveImagesOfLibvirt() {
        for (ByteOrder order : List.of(ByteOrder.LITTLE_ENDIAN, ByteOrder.BIG_ENDIAN)) {
            try (Guest guest = Guests.open(write(libvirt(0, stream(), order, 2)))) {
                checkMemory(guest);
                assertEquals(List.of(), guest.findings());
                assertEquals("libvirt save image of web?server, machine pc-i440fx-7.2, memory split by CMOS",
                        guest.provenance().layout());
            }
        }
        byte[] unfinished = libvirt(0, stream(), ByteOrder.LITTLE_ENDIAN, 2);
        System.arraycopy("Part".getBytes(StandardCharsets.US_ASCII), 0, unfinished, 12, 4);
        try (Guest guest = Guests.open(write(unfinished))) {
            checkMemory(guest);
            assertEquals(Severity.DAMAGE, guest.findings().getFirst().severity());
        }
    }

    @Test
    void refusesSaveImagesThatItDoesNotKnow() {
        assertTrue(assertThrows(UnsupportedRequestException.class,
                () -> Guests.open(write(libvirt(0, stream(), ByteOrder.LITTLE_ENDIAN, 3))))
                .getMessage().contains("libvirt's version 3"));
        assertTrue(assertThrows(UnsupportedRequestException.class,
                () -> Guests.open(write(libvirt(6, stream(), ByteOrder.LITTLE_ENDIAN, 2))))
                .getMessage().contains("libvirt's method 6"));
        byte[] cut = libvirt(0, new byte[0], ByteOrder.LITTLE_ENDIAN, 2);
        ByteBuffer.wrap(cut).order(ByteOrder.LITTLE_ENDIAN).putInt(20, -1);
        assertTrue(assertThrows(MalformedDumpException.class, () -> Guests.open(write(cut)))
                .getMessage().contains("size of the domain's description: expected at most"));
    }

    @Test
    void keepsTheMemoryOfAStreamThatIsCutShort() {
        MigrationFiles file = begun().page("pc.ram", 0, page(0)).fill("pc.ram", PAGE, 0);
        byte[] whole = file.page("pc.ram", 2 * PAGE, page(2)).bytes();
        try (Guest guest = Guests.open(write(Arrays.copyOf(whole, whole.length - 1)))) {
            assertArrayEquals(page(0), read(guest.memory(), 0, PAGE));
            assertEquals(PageState.ZERO, guest.memory().runAt(PAGE).state());
            assertEquals(PageState.UNREADABLE, guest.memory().runAt(2 * PAGE).state());
            assertEquals(List.of(), guest.vcpus());
            assertTrue(guest.findings().getFirst().message().contains("page: expected 4096 bytes, found 4095 bytes"));
        }
        byte[] early = Arrays.copyOf(whole, 60);
        assertThrows(MalformedDumpException.class, () -> Guests.open(write(early)));
    }

    private static byte[] joined(byte[] first, byte[] second) {
        byte[] joined = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, joined, first.length, second.length);
        return joined;
    }

    /** The file is all there is: how QEMU or libvirt can load it is said. */
    @Test
    void aMachineThatIsNotKnownIsRefusedWithAWayOut() {
        byte[] stream = new MigrationFiles("vexpress-a15").blocks("vexpress.highmem", SIZE)
                .fill("vexpress.highmem", 0, 0).endOfRam()
                .finish();
        String message = assertThrows(UnsupportedRequestException.class, () -> Guests.open(write(stream))).getMessage();
        assertTrue(message.startsWith(folder.resolve("stream") + ": "), message);
        assertTrue(message.contains("-S -incoming 'exec:cat FILE', then dump-guest-memory vm.elf"), message);
        assertTrue(message.contains("virsh restore FILE --paused"), message);
    }

    /** A stream on a volume that is larger: what lies behind it may be zeros, noise, or the end of a longer, older one. */
    @Test
    void theStreamSaysWhereItEnds() throws IOException {
        byte[] stream = stream();
        byte[] noise = new byte[100_000];
        new Random(11).nextBytes(noise);
        byte[] older = Arrays.copyOfRange(stream, stream.length - 5000, stream.length);
        for (byte[] tail : List.of(new byte[1], new byte[70_000], noise, older, joined(noise, older))) {
            try (Guest guest = Guests.open(write(joined(stream, tail)))) {
                checkMemory(guest);
                assertEquals(1, guest.findings().size(), guest.findings()::toString);
                assertEquals(
                        folder.resolve("stream") + ": the stream ends at offset 0x" + Integer.toHexString(stream.length)
                                + "; what follows is not part of it",
                        guest.findings().getFirst().message());
                assertEquals(Severity.NOTE, guest.findings().getFirst().severity());
            }
        }
        Path volume = write(stream);
        try (FileChannel channel = FileChannel.open(volume, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(1), 200L << 20);
        }
        try (Guest guest = Guests.open(volume)) {
            checkMemory(guest);
            assertEquals(1, guest.findings().size(), guest.findings()::toString);
        }
    }

    /** Proxmox saves the state of its backup server before that of memory, and does not cut the volume behind the stream. */
    @Test
    void aStateOfProxmoxIsRead() {
        MigrationFiles file = new MigrationFiles("pc-i440fx-9.2+pve1");
        file.u8(1).i32(7).text("pbs-state").i32(0).i32(1).i64(5000).raw(page(5)).raw(new byte[5000 - PAGE]).u8(0x7e)
                .i32(7);
        file.blocks("pc.ram", SIZE).page("pc.ram", 1 << 20, page(77)).endOfRam();
        byte[] stream = devices(file).finish();
        try (Guest guest = Guests.open(write(joined(stream, new byte[100_000])))) {
            assertArrayEquals(page(77), read(guest.memory(), 1 << 20, PAGE));
            assertEquals(0x200, guest.vcpus().getFirst().registers().get(X86.RIP));
            assertTrue(guest.findings().stream().anyMatch(finding -> finding.severity() == Severity.NOTE
                    && finding.message().contains("what follows is not part of it")), guest.findings()::toString);
        }
    }

    /** More state of devices than is kept costs the registers, not the memory. */
    @Test
    void endlessDevicesLeaveTheMemory() throws IOException {
        Path path = write(ram().u8(4).i32(9).text("vfio").i32(0).i32(1).bytes());
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(1), 100L << 20);
        }
        try (Guest guest = Guests.open(path)) {
            assertArrayEquals(expected(7), read(guest.memory(), 7 * PAGE, PAGE));
            assertTrue(guest.findings().stream().anyMatch(finding -> finding.severity() == Severity.DAMAGE
                    && finding.message().contains("not within 64 MiB after the memory")), guest.findings()::toString);
        }
    }

    @Test
    void tellsPagesThatWereNeverSent() {
        byte[] stream = devices(begun().page("pc.ram", 0, page(0)).fill("pc.ram", 2 * PAGE, 0).endOfRam()).finish();
        try (Guest guest = Guests.open(write(stream))) {
            assertEquals(PageState.EXCLUDED, guest.memory().runAt(PAGE).state());
            assertEquals(PAGE, guest.memory().runAt(PAGE).range().size());
            int missing = SIZE / PAGE - 2 + 2;
            assertTrue(guest.findings().getFirst().message().contains(missing + " pages were never sent"));
        }
    }

    /** Pages of the capability "compress" lie in the spool, the others in the file. */
    @Test
    void opensPagesThatQemuCompressed() {
        byte[] stream = devices(begun().deflated("pc.ram", 0, page(0)).page("pc.ram", PAGE, page(1))
                .deflated("pc.ram", 2 * PAGE, page(2)).endOfRam()).finish();
        try (Guest guest = Guests.open(write(stream))) {
            for (int i = 0; i < 3; i++) {
                assertArrayEquals(page(i), read(guest.memory(), (long) i * PAGE, PAGE));
            }
        }
    }

    @Test
    void recognizesByContent() throws IOException {
        byte[] other = gzip("no stream".getBytes(StandardCharsets.US_ASCII));
        assertTrue(assertThrows(UnrecognizedFormatException.class, () -> Guests.open(write(other)))
                .getMessage().contains("compressed by gzip; inside, a text file, not a dump"));
        byte[] torn = Arrays.copyOf(gzip(stream()), 12);
        assertThrows(MalformedDumpException.class, () -> Guests.open(write(torn)));
    }

    @Test
    void boundsTheSizeOfMemory() {
        byte[] stream = devices(new MigrationFiles("pc-i440fx-7.2").blocks("pc.ram", 1L << 53)
                .fill("pc.ram", 0, 0).endOfRam()).finish();
        assertTrue(assertThrows(UnsupportedRequestException.class, () -> Guests.open(write(stream)))
                .getMessage().contains("2^52"));
        byte[] large = devices(new MigrationFiles("pc-i440fx-7.2").blocks("pc.ram", 1L << 51)
                .page("pc.ram", (1L << 51) - PAGE, page(9)).endOfRam()).finish();
        try (Guest guest = Guests.open(write(large))) {
            long last = guest.memory().regions().getLast().range().last();
            assertArrayEquals(page(9), read(guest.memory(), last + 1 - PAGE, PAGE));
        }
    }

    private static byte[] withBlocks(Object... more) {
        List<Object> blocks = new ArrayList<>(List.of("pc.ram", SIZE));
        blocks.addAll(List.of(more));
        return devices(new MigrationFiles("pc-i440fx-7.2").blocks(blocks.toArray()).page("pc.ram", 0, page(1))
                .page((String) more[0], 0, page(77)).endOfRam()).finish();
    }

    /** What open() calls damaged must not pass: a stream with memory of which nobody says where it lies. */
    @Test
    void verifyFailsWhereMemoryHasNoAddress() throws IOException {
        try (FileBytes file = FileBytes.open(write(withBlocks("m1", 2L << 20, "m2", 4L << 20)))) {
            assertEquals(List.of("vmstate-00", "vmstate-07"), new VmStateFormat().verify(file, false, Progress.none())
                    .stream()
                    .filter(check -> check.result() == Check.Result.FAIL)
                    .map(Check::id)
                    .toList());
        }
    }

    @Test
    void findsDimmsByRuleAndByTheirAddressInTheDescriptionOfTheDomain() throws IOException {
        try (Guest guest = Guests.open(write(withBlocks("/objects/m1", 2L << 20)))) {
            assertArrayEquals(page(77), read(guest.memory(), 4L << 30, PAGE));
            assertTrue(guest.findings().getFirst().message().contains("m1 is taken for a DIMM"));
        }
        String xml = "<devices><memory model='dimm' discard='yes'><target><size unit='KiB'>2048</size></target>"
                + "<alias name='dimm0'/><address type='dimm' slot='0' base='0x280000000'/></memory>\n"
                + "<memory model='dimm'>\n<alias name='dimm1'/><address type='dimm' slot='1' base='0x140000000'/></memory>"
                + "</devices>";
        byte[] stream = withBlocks("memdimm1", 4L << 20, "memdimm0", 2L << 20);
        try (Guest guest = Guests.open(write(libvirt(0, stream, ByteOrder.LITTLE_ENDIAN, 2, xml)))) {
            assertArrayEquals(page(77), read(guest.memory(), 0x140000000L, PAGE));
            assertEquals("memdimm0", guest.memory().regionAt(0x280000000L).orElseThrow().name());
            assertTrue(guest.findings().stream().noneMatch(finding -> finding.message().contains("DIMM")));
        }
    }

    /** A stream that cannot be read at all has failed, not been skipped. */
    @Test
    void verifyFailsWhatItCannotRead() throws IOException {
        byte[] foreign = new MigrationFiles("vexpress-a15").blocks("vexpress.highmem", SIZE).endOfRam().finish();
        try (FileBytes file = FileBytes.open(write(foreign))) {
            List<Check> checks = new VmStateFormat().verify(file, false, Progress.none());
            assertEquals(List.of(Check.Result.FAIL), checks.stream().map(Check::result).toList());
            assertTrue(checks.getFirst().found().contains("it is not known where machine 'vexpress-a15'"),
                    checks::toString);
        }
    }

    @Test
    void verifies() throws IOException {
        try (FileBytes file = FileBytes.open(write(stream()))) {
            List<Check> checks = new VmStateFormat().verify(file, true, Progress.none());
            assertEquals(8, checks.size());
            assertTrue(checks.stream().allMatch(check -> check.result() == Check.Result.PASS), checks::toString);
        }
        byte[] cut = Arrays.copyOf(stream(), 100_000);
        try (FileBytes file = FileBytes.open(write(cut))) {
            List<Check> checks = new VmStateFormat().verify(file, true, Progress.none());
            assertEquals(List.of("vmstate-00", "vmstate-02", "vmstate-03", "vmstate-04", "vmstate-06"), checks.stream()
                    .filter(check -> check.result() == Check.Result.FAIL)
                    .map(Check::id)
                    .toList());
        }
        assertThrows(UnsupportedRequestException.class, () -> new VmStateFormat().writer(Map.of()));
    }

    @Test
    void throwsNothingButItsOwnErrors() {
        byte[] stream = libvirt(0, devices(begun().page("pc.ram", 0, page(0)).fill("pc.ram", PAGE, 0).endOfRam())
                .finish(), ByteOrder.LITTLE_ENDIAN, 2);
        Random random = new Random(11);
        int opened = 0;
        for (int i = 0; i < 400; i++) {
            byte[] broken = stream.clone();
            for (int j = random.nextInt(4); j >= 0; j--) {
                broken[random.nextInt(i % 2 == 0 ? 300 : broken.length)] = (byte) random.nextInt();
            }
            try (Guest guest = Guests.open(write(broken))) {
                opened++;
                guest.memory().readAvailable(0, MemorySegment.ofArray(new byte[8192]));
            } catch (SourceException e) {
                throw new AssertionError("a damaged file is no failing disk", e);
            } catch (GuestcoreException e) {
                assertFalse(e.getMessage().isEmpty());
            }
        }
        assertTrue(opened > 50, "opened " + opened);
    }
}
