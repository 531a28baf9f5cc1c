package dev.guestcore.format.kdump;

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
import dev.guestcore.Provenance;
import dev.guestcore.RegionContents;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.Loss;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.kernel.UtsName;
import dev.guestcore.kernel.LinuxBanner;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.ElfFiles;
import dev.guestcore.testing.ForeignTools;
import dev.guestcore.testing.LinuxPages;
import dev.guestcore.testing.Patterns;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KdumpWriterTest {

    private static final int PAGE = 4096;
    private static final String VMCOREINFO =
            "OSRELEASE=6.1.0-test\nPAGESIZE=4096\nSYMBOL(init_uts_ns)=ffffffff81001000\n"
                    + "OFFSET(uts_namespace.name)=16\nNUMBER(phys_base)=-16777216\nNUMBER(SECTION_SIZE_BITS)=27\n";

    @TempDir
    private Path folder;

    private static byte[] pages(int count, int seed) {
        byte[] bytes = Patterns.bytes(count * PAGE, seed);
        Random random = new Random(seed);
        byte[] incompressible = new byte[PAGE];
        for (int page = 0; page < count; page += 6) {
            random.nextBytes(incompressible);
            System.arraycopy(incompressible, 0, bytes, page * PAGE, PAGE);
        }
        for (int page = 0; page < count; page++) {
            if (page % 3 == 1) {
                Arrays.fill(bytes, page * PAGE, (page + 1) * PAGE, (byte) 0);
            } else if (page % 3 == 2) {
                Arrays.fill(bytes, page * PAGE + 100, (page + 1) * PAGE, (byte) seed);
            }
        }
        return bytes;
    }

    private static MemorySegment segment(byte[] bytes) {
        return MemorySegment.ofArray(bytes);
    }

    private static GuestBuilder small() {
        return Guest.builder()
                .ram(0, segment(pages(700, 1)))
                .ram(0x1000000, segment(pages(300, 2)))
                .vcpu(Patterns.longMode(1))
                .vcpu(Patterns.longMode(2));
    }

    private static void assertSame(Guest expected, Guest found) {
        assertEquals(Patterns.contents(expected.memory()), Patterns.contents(found.memory()));
        assertEquals(expected.vcpus().size(), found.vcpus().size());
        for (int i = 0; i < expected.vcpus().size(); i++) {
            RegisterState registers = expected.vcpus().get(i).registers();
            RegisterState back = found.vcpus().get(i).registers();
            registers.known().forEach(register -> assertEquals(registers.get(register), back.get(register)));
        }
    }

    private WriteReport write(Guest guest, Path target, Map<String, String> options) {
        return new KdumpFormat().writer(options).write(guest, target, Progress.none());
    }

    private Path stream(Guest guest, String name, Map<String, String> options) {
        Path target = folder.resolve(name);
        try (FileChannel channel =
                FileChannel.open(target, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            new KdumpFormat().writer(options).write(guest, channel, Progress.none());
            return target;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<String> failures(Path path) {
        try (FileBytes file = FileBytes.open(path)) {
            return new KdumpFormat()
                    .verify(file, true, Progress.none()).stream()
                    .filter(check -> check.result() == Check.Result.FAIL)
                    .map(Check::toString)
                    .toList();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"none", "zlib", "lzo", "snappy", "zstd"})
    void comesBackFromEveryCompression(String compression) {
        Path file = folder.resolve(compression);
        try (Guest guest = small().build()) {
            WriteReport report = write(guest, file, Map.of("compression", compression));
            assertEquals(1000L * PAGE, report.memoryBytes());
            assertEquals(333L * PAGE, report.zeroBytes());
            assertEquals(List.of("names of 2 regions"), report.losses().stream().map(Loss::what).toList());
            assertEquals(sizeOf(file), report.bytes());
            try (Guest back = Guests.open(file)) {
                assertSame(guest, back);
                assertTrue(back.provenance().layout().startsWith("version 6"), back.provenance().layout());
            }
            assertEquals(List.of(), failures(file));
        }
    }

    private static long sizeOf(Path file) {
        try {
            return Files.size(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void zeroPagesShareOnePlace() {
        Path shared = folder.resolve("shared");
        try (Guest guest = small().build()) {
            write(guest, shared, Map.of("compression", "none"));
            assertTrue(sizeOf(shared) < 700L * PAGE, "zero pages are stored once");
        }
    }

    /** A region whose pages are, in turn, there, left out, unreadable. */
    private static final RegionContents STRIPED = new RegionContents() {
        @Override
        public Run runAt(long offset, long remaining) {
            long page = offset / PAGE;
            PageState state = List.of(PageState.PRESENT, PageState.EXCLUDED, PageState.UNREADABLE)
                    .get((int) (page % 3));
            return new Run(state, Math.min(remaining, PAGE - offset % PAGE));
        }

        @Override
        public long readAvailable(long offset, MemorySegment target) {
            Run run = runAt(offset, target.byteSize());
            if (run.state() != PageState.PRESENT) {
                return 0;
            }
            target.asSlice(0, run.size()).fill((byte) 0x77);
            return run.size();
        }
    };

    @Test
    void pagesWithoutContentAreLeftOutAndPartialPagesFilledUp() {
        MemoryRegion striped =
                new MemoryRegion(AddressRange.ofSize(0x100000, 9 * PAGE), MemoryRegion.Kind.RAM, "");
        Path file = folder.resolve("states");
        try (Guest guest = Guest.builder()
                .ram(0x800, segment(Patterns.bytes(0x1000, 5)))
                .region(striped, STRIPED)
                .build()) {
            WriteReport report = write(guest, file, Map.of());
            assertEquals(3L * PAGE, report.unreadableBytes());
            assertEquals(
                    List.of(0x102000L, 0x105000L, 0x108000L),
                    report.unreadable().stream().map(AddressRange::first).toList());
            assertTrue(report.losses().stream().anyMatch(loss -> loss.what().contains("unreadable")));
        }
        try (Guest back = Guests.open(file)) {
            byte[] low = new byte[0x2000];
            back.memory().read(0, segment(low));
            byte[] expected = new byte[0x2000];
            System.arraycopy(Patterns.bytes(0x1000, 5), 0, expected, 0x800, 0x1000);
            assertArrayEquals(expected, low);
            for (int page = 0; page < 9; page++) {
                assertEquals(
                        page % 3 == 0 ? PageState.PRESENT : PageState.EXCLUDED,
                        back.memory().runAt(0x100000 + (long) page * PAGE).state());
            }
        }
        assertEquals(List.of(), failures(file));
    }

    @Test
    @Tag("foreign")
    void aStreamIsTheFileFlattened() throws IOException {
        ForeignTools.require("makedumpfile");
        Path file = folder.resolve("file");
        Path assembled = folder.resolve("assembled");
        try (Guest guest = small().build()) {
            write(guest, file, Map.of());
            Path stream = stream(guest, "stream", Map.of());
            Process process = new ProcessBuilder("makedumpfile", "-R", assembled.toString())
                    .redirectInput(stream.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(folder.resolve("log").toFile())
                    .start();
            assertEquals(0, process.onExit().join().exitValue(), Files.readString(folder.resolve("log")));
            assertEquals(-1, Files.mismatch(file, assembled));
            try (Guest back = Guests.open(stream)) {
                assertSame(guest, back);
            }
        }
    }

    /** A segment of an ELF core may end within a page (p_filesz), or lie there with its whole size. */
    @Test
    void storesPagesThatAreThereInPart() {
        byte[] head = Patterns.bytes(0x1800, 1);
        byte[] end = Patterns.bytes(0x700, 2);
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 0x8000);
        elf.programHeader(1, elf.content(head), 0, 0x1000, 0x1800, 0x3000);
        elf.load(0x8100, end);
        Path core = ElfFiles.write(folder.resolve("part.core"), elf.build());
        Path file = folder.resolve("part");
        try (Guest guest = Guests.open(core)) {
            WriteReport report = write(guest, file, Map.of());
            assertEquals(
                    List.of("state excluded of 2048 bytes that share a page with content",
                            "ends of memory within a page"),
                    report.losses().stream().map(Loss::what).toList());
            assertEquals(0, report.unreadableBytes());
        }
        try (Guest back = Guests.open(file)) {
            byte[] expected = Arrays.copyOf(head, 0x2000);
            assertArrayEquals(expected, read(back, 0x1000, 0x2000));
            assertEquals(PageState.EXCLUDED, back.memory().runAt(0x3000).state());
            byte[] page = new byte[0x1000];
            System.arraycopy(end, 0, page, 0x100, end.length);
            assertArrayEquals(page, read(back, 0x8000, 0x1000));
        }
    }

    /** Of a file that is cut short within a page, what is there is stored, and the rest is told as lost. */
    @Test
    void storesWhatIsLeftOfADamagedPage() {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 0x8000);
        byte[] page = Patterns.bytes(0x1000, 1);
        elf.load(0x5000, page);
        byte[] whole = elf.build(64);
        Path core = ElfFiles.write(folder.resolve("cut.core"), Arrays.copyOf(whole, 0x200 + 0x123));
        Path file = folder.resolve("cut");
        try (Guest guest = Guests.open(core)) {
            WriteReport report = write(guest, file, Map.of());
            assertEquals(List.of(new AddressRange(0x5123, 0x5fff)), report.unreadable());
            assertEquals(0xedd, report.unreadableBytes());
        }
        try (Guest back = Guests.open(file)) {
            assertArrayEquals(Arrays.copyOf(Arrays.copyOf(page, 0x123), 0x1000), read(back, 0x5000, 0x1000));
        }
    }

    private static byte[] read(Guest guest, long address, int size) {
        byte[] bytes = new byte[size];
        guest.memory().read(address, MemorySegment.ofArray(bytes));
        return bytes;
    }

    @Test
    void factsAndForeignNotesTravel() {
        ElfFacts.Note erased = new ElfFacts.Note("ERASEINFO", 0, "erased\n".getBytes(StandardCharsets.US_ASCII));
        ElfFacts.Note mine = new ElfFacts.Note("MINE", 9, new byte[] {1, 2, 3});
        Instant taken = Instant.ofEpochSecond(1_600_000_000, 123_456_000);
        Path file = folder.resolve("facts");
        try (Guest guest = small()
                .facts(new VmcoreInfoFacts(VMCOREINFO.getBytes(StandardCharsets.US_ASCII)))
                .facts(new ElfFacts(62, ByteOrder.LITTLE_ENDIAN, List.of(mine, erased)))
                .provenance(new Provenance("x", "y", "", Optional.empty(), Optional.empty(), Optional.of(taken)))
                .build()) {
            write(guest, file, Map.of());
        }
        try (Guest back = Guests.open(file)) {
            assertEquals(VMCOREINFO, back.facts(VmcoreInfoFacts.class).orElseThrow().text());
            List<ElfFacts.Note> notes = back.facts(ElfFacts.class).orElseThrow().notes();
            assertEquals(List.of("MINE", "ERASEINFO"), notes.stream().map(ElfFacts.Note::name).toList());
            assertArrayEquals(erased.descriptor(), notes.get(1).descriptor());
            assertEquals(Optional.of(taken), back.provenance().takenAt());
            assertTrue(back.provenance().layout().contains("kernel 6.1.0-test"), back.provenance().layout());
            assertEquals(List.of(), back.findings());
        }
    }

    /** The kernel's own names, at init_uts_ns + 16, with a kernel that lies 16 MiB below where it was linked for. */
    @Test
    void utsnameComesFromMemory() {
        byte[] ram = new byte[64 * PAGE];
        String[] names = {"Linux", "myhost", "6.1.0-test", "#7 SMP", "x86_64", "mydomain"};
        for (int i = 0; i < names.length; i++) {
            byte[] name = names[i].getBytes(StandardCharsets.US_ASCII);
            System.arraycopy(name, 0, ram, 0x1000 + 16 + 65 * i, name.length);
        }
        assertEquals(List.of(names), utsname(ram, VMCOREINFO));
        assertEquals(
                List.of("Linux", "(unknown)", "5.5", "(unknown)", "x86_64", "(unknown)"),
                utsname(ram, VMCOREINFO.replace("6.1.0-test", "5.5")));
    }

    @Test
    void utsnameComesFromTheBanner() {
        byte[] ram = new byte[600 * PAGE];
        byte[] pattern = "Linux version %s (%s)\n".getBytes(StandardCharsets.US_ASCII);
        byte[] banner = "Linux version 4.19.0-6 (me@there) (gcc 8.3 (Debian)) #1 SMP Debian 4.19.67\n"
                .getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(pattern, 0, ram, 100, pattern.length);
        // Across the end of a piece of the search.
        System.arraycopy(banner, 0, ram, (1 << 20) - 20, banner.length);
        assertEquals(
                List.of("Linux", "(unknown)", "4.19.0-6", "#1 SMP Debian 4.19.67", "x86_64", "(unknown)"),
                utsname(ram, ""));
        assertEquals(List.of("", "", "", "", "x86_64", ""), utsname(new byte[PAGE], ""));
    }

    private static List<String> utsname(byte[] ram, String vmcoreInfo) {
        try (Guest guest = Guest.builder().ram(0, segment(ram)).build()) {
            return UtsName.of(
                    guest.memory(),
                    "x86_64",
                    vmcoreInfo.getBytes(StandardCharsets.US_ASCII),
                    () -> LinuxBanner.find(guest.memory()));
        }
    }

    @Test
    void firmwareAboveTheKernelsSectionsTravelsBesideTheBitmaps() {
        byte[] bios = Patterns.bytes(64 * PAGE, 9);
        long high = 0xffff_ffffL - bios.length + 1;
        Path file = folder.resolve("firmware");
        try (Guest guest = small()
                .rom(high, segment(bios))
                .facts(new VmcoreInfoFacts(VMCOREINFO.getBytes(StandardCharsets.US_ASCII)))
                .build()) {
            WriteReport report = write(guest, file, Map.of());
            assertEquals(1064L * PAGE, report.memoryBytes());
            assertTrue(report.losses().stream().anyMatch(loss -> loss.kept() && loss.what().contains("firmware")));
            try (Guest back = Guests.open(file); FileBytes bytes = FileBytes.open(file)) {
                assertSame(guest, back);
                // What makedumpfile sees: no page above the 128 MiB that the kernel's first section covers.
                assertEquals(0x1000000 / PAGE + 300, bytes.u64(PAGE + 96, ByteOrder.LITTLE_ENDIAN, "max_mapnr_64"));
                byte[] across = new byte[PAGE];
                back.memory().read(high, segment(across));
                assertArrayEquals(Arrays.copyOf(bios, PAGE), across);
                assertEquals(PageState.ABSENT, back.memory().runAt(high - 1).state());
                assertEquals(high - 1, back.memory().runAt(high - 10).range().last());
            }
            assertEquals(List.of(), failures(file));
            try (Guest back = Guests.open(stream(guest, "firmware-stream", Map.of()))) {
                assertSame(guest, back);
            }
        }
    }

    @Test
    void firmwareStaysAmongThePagesWhereNobodyStumbles() {
        byte[] bios = Patterns.bytes(16 * PAGE, 9);
        long high = 0xffff_ffffL - bios.length + 1;
        VmcoreInfoFacts facts = new VmcoreInfoFacts(VMCOREINFO.getBytes(StandardCharsets.US_ASCII));
        Map<String, GuestBuilder> guests = new LinkedHashMap<>();
        guests.put("no Linux", small().rom(high, segment(bios)));
        guests.put("ram-above-4g", small().rom(high, segment(bios)).facts(facts).ram(1L << 32, segment(pages(3, 3))));
        guests.put("ram-beside", small().rom(high, segment(bios)).facts(facts).ram(0xf9000000L, segment(pages(3, 3))));
        guests.forEach((name, builder) -> {
            Path file = folder.resolve(name);
            try (Guest guest = builder.build()) {
                WriteReport report = write(guest, file, Map.of());
                assertFalse(report.losses().stream().anyMatch(Loss::kept), name);
                try (Guest back = Guests.open(file); FileBytes bytes = FileBytes.open(file)) {
                    assertSame(guest, back);
                    long pages = bytes.u64(PAGE + 96, ByteOrder.LITTLE_ENDIAN, "max_mapnr_64");
                    assertTrue(pages >= 0x100000, name + ": " + pages);
                }
            }
        });
    }

    /** A guest whose kernel left VMCOREINFO in its memory, and nobody noted it. */
    private static GuestBuilder unnoted() {
        byte[] ram = pages(700, 3);
        ByteBuffer.wrap(ram)
                .order(ByteOrder.LITTLE_ENDIAN)
                .position(410 * PAGE)
                .putInt(11)
                .putInt(VMCOREINFO.length())
                .putInt(0)
                .put("VMCOREINFO\0\0".getBytes(StandardCharsets.US_ASCII))
                .put(VMCOREINFO.getBytes(StandardCharsets.US_ASCII));
        return Guest.builder().ram(0, segment(ram)).vcpu(Patterns.longMode(1));
    }

    @Test
    @Tag("foreign")
    void vmcoreInfoIsFoundWhileMemoryIsWritten() throws IOException {
        ForeignTools.require("makedumpfile");
        Path file = folder.resolve("found");
        try (Guest guest = unnoted().build()) {
            write(guest, file, Map.of());
            try (Guest back = Guests.open(file)) {
                assertSame(guest, back);
                assertEquals(VMCOREINFO, back.facts(VmcoreInfoFacts.class).orElseThrow().text());
                assertEquals(List.of(), back.findings());
            }
            assertEquals(List.of(), failures(file));
            Path stream = stream(guest, "found-stream", Map.of());
            Path assembled = folder.resolve("found-assembled");
            assertEquals(
                    0,
                    new ProcessBuilder("makedumpfile", "-R", assembled.toString())
                            .redirectInput(stream.toFile())
                            .redirectErrorStream(true)
                            .redirectOutput(folder.resolve("found-log").toFile())
                            .start()
                            .onExit()
                            .join()
                            .exitValue());
            assertEquals(-1, Files.mismatch(file, assembled));
        }
    }

    /** Whether firmware goes beside the bitmaps shows only once memory was gone through. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void firmwareIsPlacedByWhatIsFoundInMemory(boolean isLinux) {
        byte[] bios = Patterns.bytes(64 * PAGE, 9);
        long high = 0xffff_ffffL - bios.length + 1;
        Path file = folder.resolve("file");
        GuestBuilder builder = isLinux ? unnoted() : small();
        try (Guest guest = builder.rom(high, segment(bios)).build()) {
            assertTrue(new KdumpFormat().writer(Map.of()).plan(guest).losses().stream().anyMatch(Loss::kept));
            WriteReport report = write(guest, file, Map.of());
            assertEquals(isLinux, report.losses().stream().anyMatch(Loss::kept));
            assertEquals((isLinux ? 764L : 1064L) * PAGE, report.memoryBytes());
            try (Guest back = Guests.open(file);
                    FileBytes bytes = FileBytes.open(file)) {
                assertSame(guest, back);
                assertEquals(
                        isLinux ? 700 : 0x100000, bytes.u64(PAGE + 96, ByteOrder.LITTLE_ENDIAN, "max_mapnr_64"));
            }
            assertEquals(List.of(), failures(file));
            try (Guest back = Guests.open(stream(guest, "stream", Map.of("keep", "true")))) {
                assertSame(guest, back);
            }
        }
    }

    /**
     * QEMU's standard VGA has its memory at 0xfd000000, 16 MiB or 48 MiB below 4 GiB, other devices lie lower; what makedumpfile
     * trips over is all that lies behind the kernel's last section.
     */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void devicesBehindTheKernelsSectionsLieBesideTheBitmaps(boolean noted) {
        byte[] ram = pages(0x400, 1);
        LinuxPages.put(ram, 2, true);
        byte[] info = LinuxPages.vmcoreInfo();
        ByteBuffer note = ByteBuffer.wrap(ram, 0x100000, 0x1000).order(ByteOrder.LITTLE_ENDIAN);
        note.putInt(11).putInt(info.length).putInt(0).put("VMCOREINFO\0\0".getBytes(StandardCharsets.US_ASCII))
                .put(info);
        for (long device : new long[] {0x84000000L, 0xfd000000L}) {
            GuestBuilder builder = Guest.builder()
                    .ram(0, segment(ram))
                    // A DIMM that the kernel knows, far above the rest.
                    .ram(0x8000000, segment(pages(3, 5)))
                    .ram(device, segment(pages(0x10, 2)))
                    .rom(0xffff0000L, segment(pages(0x10, 3)));
            Path file = folder.resolve("vga-" + noted + Long.toHexString(device));
            try (Guest guest = (noted ? builder.facts(new VmcoreInfoFacts(info)) : builder).build()) {
                WriteReport report = write(guest, file, Map.of());
                assertEquals(2, report.losses().stream().filter(Loss::kept).count(), report.losses()::toString);
                try (Guest back = Guests.open(file);
                        FileBytes bytes = FileBytes.open(file)) {
                    assertSame(guest, back);
                    assertEquals(0x8003, bytes.u64(PAGE + 96, ByteOrder.LITTLE_ENDIAN, "max_mapnr_64"));
                }
                assertEquals(List.of(), failures(file));
            }
        }
    }

    /** What the kernel has page structures for is its memory, wherever that lies. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void memoryOfTheKernelStaysInTheBitmaps(boolean noted) {
        byte[] ram = pages(0x400, 1);
        LinuxPages.put(ram, 18, true);
        byte[] info = LinuxPages.vmcoreInfo();
        ByteBuffer note = ByteBuffer.wrap(ram, 0x100000, 0x1000).order(ByteOrder.LITTLE_ENDIAN);
        note.putInt(11).putInt(info.length).putInt(0).put("VMCOREINFO\0\0".getBytes(StandardCharsets.US_ASCII))
                .put(info);
        GuestBuilder builder = Guest.builder()
                .ram(0, segment(ram))
                .ram(0x88000000L, segment(pages(7, 4)))
                .ram(0xfd000000L, segment(pages(0x10, 2)));
        Path file = folder.resolve("dimm");
        try (Guest guest = (noted ? builder.facts(new VmcoreInfoFacts(info)) : builder).build()) {
            WriteReport report = write(guest, file, Map.of());
            assertEquals(1, report.losses().stream().filter(Loss::kept).count(), report.losses()::toString);
            try (Guest back = Guests.open(file);
                    FileBytes bytes = FileBytes.open(file)) {
                assertSame(guest, back);
                assertEquals(0x88007, bytes.u64(PAGE + 96, ByteOrder.LITTLE_ENDIAN, "max_mapnr_64"));
            }
        }
    }

    @Test
    void theRecordBringsBackWhatAKdumpCannotSay() {
        Path file = folder.resolve("kept");
        try (Guest guest = small()
                .device(0xa0000000L, 0x1000, "frame buffer")
                .rom(0xf0000000L, segment(pages(2, 4)))
                .build()) {
            WriteReport report = write(guest, file, Map.of("keep", "true"));
            assertFalse(report.losses().isEmpty());
            assertTrue(report.losses().stream().allMatch(Loss::kept), report.losses().toString());
            try (Guest back = Guests.open(file)) {
                assertEquals(guest.memory().regions(), back.memory().regions());
                assertSame(guest, back);
            }
            Path plain = folder.resolve("plain");
            assertTrue(write(guest, plain, Map.of()).losses().stream().noneMatch(Loss::kept));
        }
    }

    @Test
    void manyVcpus() {
        GuestBuilder builder = Guest.builder().ram(0, segment(pages(4, 1)));
        for (int i = 0; i < 600; i++) {
            builder.vcpu(Patterns.longMode(i));
        }
        Path file = folder.resolve("many");
        try (Guest guest = builder.build()) {
            write(guest, file, Map.of());
            try (Guest back = Guests.open(file)) {
                assertSame(guest, back);
                assertEquals(
                        guest.vcpus().get(599).registers().get(X86.RIP),
                        back.vcpus().get(599).registers().get(X86.RIP));
            }
        }
    }

    /** A guest of 4 TiB with memory at both ends: the bitmaps of it would be twice the heap of this test. */
    @Test
    @Tag("slow")
    void aSparseGuestOfFourTebibytes() {
        long high = (4L << 40) - 16 * PAGE;
        Path file = folder.resolve("sparse");
        try (Guest guest = Guest.builder()
                .ram(0, segment(pages(16, 1)))
                .ram(high, segment(pages(16, 2)))
                .build()) {
            write(guest, file, Map.of());
            try (Guest back = Guests.open(file)) {
                assertSame(guest, back);
                assertEquals(high - 1, back.memory().runAt(16 * PAGE).range().last());
            }
        }
    }

    @Test
    void aBitmapOfMillionsOfRangesIsRefused() {
        KdumpImage image = new KdumpImage(KdumpImage.Machine.X86_64, 6, PAGE).page(0, new byte[PAGE], 0);
        for (int page = 0; page < 1 << 23; page += 2) {
            image.exists(page);
        }
        Path file = image.write(folder.resolve("ranges"));
        String message = assertThrows(MalformedDumpException.class, () -> Guests.open(file)).getMessage();
        assertTrue(message.contains("separate ranges"), message);
    }

    @Test
    void whatCannotBeWrittenIsRefused() {
        KdumpFormat format = new KdumpFormat();
        assertThrows(UnsupportedRequestException.class, () -> format.writer(Map.of("compression", "rar")));
        assertThrows(UnsupportedRequestException.class, () -> format.writer(Map.of("exclude", "zero")));
        assertThrows(UnsupportedRequestException.class, () -> format.writer(Map.of("nonsense", "1")));
        try (Guest arm = small().architecture(Architectures.ARM).build();
                Guest empty = Guest.builder().build();
                Guest far = Guest.builder().ram(1L << 50, segment(new byte[PAGE])).build()) {
            for (Guest guest : List.of(arm, empty, far)) {
                assertThrows(UnsupportedRequestException.class, () -> format.writer(Map.of()).plan(guest));
            }
        }
    }
}
