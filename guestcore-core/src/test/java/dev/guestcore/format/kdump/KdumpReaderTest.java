package dev.guestcore.format.kdump;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.SourceException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.ElfFiles;
import dev.guestcore.testing.FlattenedFiles;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.zip.Deflater;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class KdumpReaderTest {

    private static final int PAGE = 4096;

    @TempDir
    private Path folder;

    private static byte[] content(int pfn, int size) {
        byte[] page = new byte[size];
        new Random(pfn).nextBytes(page);
        Arrays.fill(page, size / 2, size, (byte) pfn);
        return page;
    }

    private static byte[] zlib(byte[] page) {
        Deflater deflater = new Deflater();
        deflater.setInput(page);
        deflater.finish();
        byte[] room = new byte[page.length + 100];
        return Arrays.copyOf(room, deflater.deflate(room));
    }

    /** Pages 0, 2 (compressed), 5 stored; 3 excluded; 1, 4 holes. */
    private static KdumpImage usual(KdumpImage.Machine machine, int version, int blockSize) {
        return new KdumpImage(machine, version, blockSize)
                .page(0, content(0, blockSize), 0)
                .page(2, zlib(content(2, blockSize)), 1)
                .exists(3)
                .page(5, content(5, blockSize), 0);
    }

    private static byte[] read(Guest guest, int pfn, int size) {
        byte[] page = new byte[size];
        guest.memory().read((long) pfn * size, MemorySegment.ofArray(page));
        return page;
    }

    private static List<String> findings(Guest guest, Severity severity) {
        return guest.findings().stream()
                .filter(finding -> finding.severity() == severity)
                .map(Finding::message)
                .toList();
    }

    @ParameterizedTest
    @EnumSource
    void everyMachineAndVersion(KdumpImage.Machine machine) {
        for (int version = 1; version <= 6; version++) {
            for (int blockSize : new int[] {4096, 65536}) {
                KdumpImage image = usual(machine, version, blockSize)
                        .vmcoreInfo("OSRELEASE=5.9\nNUMBER(phys_base)=4096\n")
                        .physicalBase(4096)
                        .eraseInfo("erased key\n");
                String name = machine + " version " + version;
                try (Guest guest =
                        Guests.open(image.write(folder.resolve(machine + "-" + version + "-" + blockSize)))) {
                    assertArrayEquals(content(0, blockSize), read(guest, 0, blockSize), name);
                    assertArrayEquals(content(2, blockSize), read(guest, 2, blockSize), name);
                    assertArrayEquals(content(5, blockSize), read(guest, 5, blockSize), name);
                    assertEquals(PageState.ABSENT, guest.memory().runAt(blockSize).state(), name);
                    assertEquals(PageState.EXCLUDED, guest.memory().runAt(3L * blockSize).state(), name);
                    assertEquals(3, guest.memory().regions().size(), name);
                    assertEquals(List.of(), guest.findings(), name);
                    assertEquals(
                            version >= 3 ? Optional.of("5.9") : Optional.empty(),
                            guest.facts(VmcoreInfoFacts.class).flatMap(facts -> facts.value("OSRELEASE")),
                            name);
                    List<ElfFacts.Note> notes = guest.facts(ElfFacts.class).orElseThrow().notes();
                    assertEquals(version >= 5 ? 1 : 0, notes.size(), name);
                    if (version >= 5) {
                        assertEquals("erased key\n",
                                new String(notes.getFirst().descriptor(), StandardCharsets.US_ASCII));
                    }
                    assertEquals(Optional.of(Instant.ofEpochSecond(1_700_000_000, 250_000_000)),
                            guest.provenance().takenAt());
                    assertTrue(guest.provenance().layout().contains("kernel 6.1.0-test"), guest.provenance().layout());
                }
            }
        }
    }

    @Test
    void theMachineIsNamedByTheHeader() {
        for (KdumpImage.Machine machine : KdumpImage.Machine.values()) {
            Architecture expected = switch (machine) {
                case X86_64, I686 -> Architectures.X86;
                case ARM -> Architectures.ARM32;
                case PPC -> Architectures.POWERPC;
                case PPC64 -> Architectures.POWERPC64;
            };
            try (Guest guest = Guests.open(usual(machine, 6, PAGE).write(folder.resolve(machine.name())))) {
                assertEquals(expected, guest.architecture());
            }
        }
    }

    /** QEMU 10 writes "Unknown" for every machine. */
    @Test
    void whereTheHeaderDoesNotNameTheMachineTheNotesDo() {
        byte[] state = new byte[440];
        ByteBuffer.wrap(state).order(ByteOrder.LITTLE_ENDIAN).putInt(1).putInt(440).putLong(8 + 8 * 16,
                0xffffffff81000000L);
        byte[] note = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 1 << 12).note("QEMU", 0, state);
        for (String name : List.of("Unknown", "", "x86_64")) {
            KdumpImage image = usual(KdumpImage.Machine.X86_64, 6, PAGE).machine(name).notes(note);
            try (Guest guest = Guests.open(image.write(folder.resolve("named" + name)))) {
                assertEquals(Architectures.X86, guest.architecture());
                assertEquals(62, guest.facts(ElfFacts.class).orElseThrow().machine());
                assertEquals(0xffffffff81000000L, guest.vcpus().getFirst().registers().get(X86.RIP));
                assertEquals(
                        !name.equals("x86_64"),
                        guest.findings().stream()
                                .anyMatch(finding -> finding.message().contains("taken for x86-64, by QEMU")),
                        guest.findings()::toString);
            }
        }
    }

    /** QEMU names no kernel. That writing the file again does is said only where it can be done. */
    @ParameterizedTest
    @CsvSource({
        "X86_64, x86_64, true",
        "I686, i686, true",
        "X86_64, aarch64, true",
        "PPC64, s390x, true",
        "ARM, armv7l, false",
        "PPC64, ppc64, false",
        "X86_64, hexagon, false"
    })
    void toWriteItAgainIsAdvisedWhereThatCanBeDone(KdumpImage.Machine like, String name, boolean advised) {
        KdumpImage image = usual(like, 6, PAGE).machine(name).release("");
        try (Guest guest = Guests.open(image.write(folder.resolve(name)))) {
            String note = findings(guest, Severity.NOTE).stream()
                    .filter(text -> text.contains("does not name the kernel"))
                    .findFirst()
                    .orElseThrow();
            assertEquals(advised, note.contains("writing it as a kdump again"), note);
            CoreWriter writer = Guests.format("kdump").writer(Map.of());
            if (advised) {
                assertTrue(writer.plan(guest).size() > 0);
            } else {
                assertThrows(UnsupportedRequestException.class, () -> writer.plan(guest));
            }
        }
    }

    @Test
    void oneBitmapMeansThatAllPagesAreStored() {
        KdumpImage image = new KdumpImage(KdumpImage.Machine.X86_64, 1, PAGE)
                .page(0, content(0, PAGE), 0)
                .page(32000, content(32000, PAGE), 0)
                .oneBitmap();
        try (Guest guest = Guests.open(image.write(folder.resolve("one")))) {
            assertArrayEquals(content(32000, PAGE), read(guest, 32000, PAGE));
            assertEquals(2, guest.memory().regions().size());
        }
    }

    @Test
    void registersAndNotesComeFromTheSubHeader() {
        byte[] status = new byte[336];
        ByteBuffer.wrap(status).order(ByteOrder.LITTLE_ENDIAN).putLong(112 + 16 * 8, 0xffffffff81234567L);
        byte[] notes = note("CORE", 1, status);
        byte[] other = note("MINE", 77, new byte[] {1, 2, 3, 4});
        byte[] both = Arrays.copyOf(notes, notes.length + other.length);
        System.arraycopy(other, 0, both, notes.length, other.length);
        Path path = usual(KdumpImage.Machine.X86_64, 6, PAGE).notes(both).write(folder.resolve("notes"));
        try (Guest guest = Guests.open(path)) {
            assertEquals(1, guest.vcpus().size());
            assertEquals(
                    0xffffffff81234567L,
                    guest.vcpus().getFirst().registers().get(X86.RIP));
            ElfFacts.Note kept = guest.facts(ElfFacts.class).orElseThrow().notes().getFirst();
            assertEquals("MINE", kept.name());
            assertEquals(77, kept.type());
        }
    }

    private static byte[] note(String name, int type, byte[] descriptor) {
        return ByteBuffer.allocate(12 + 8 + descriptor.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(name.length() + 1)
                .putInt(descriptor.length)
                .putInt(type)
                .put(Arrays.copyOf(name.getBytes(StandardCharsets.US_ASCII), 8))
                .put(descriptor)
                .array();
    }

    @Test
    void oddThingsAreFindings() {
        Path path = usual(KdumpImage.Machine.X86_64, 6, PAGE)
                .release("")
                .vmcoreInfo("OSRELEASE=6.1\nNUMBER(phys_base)=-8192\n")
                .physicalBase(0x1000)
                .status(8)
                .write(folder.resolve("odd"));
        try (Guest guest = Guests.open(path)) {
            List<String> notes = findings(guest, Severity.NOTE);
            assertEquals(2, notes.size(), notes.toString());
            assertTrue(notes.get(0).contains("does not name the kernel"), notes.get(0));
            assertTrue(notes.get(1).contains("0x1000") && notes.get(1).contains("0xffffffffffffe000"), notes.get(1));
            List<String> damage = findings(guest, Severity.DAMAGE);
            assertEquals(1, damage.size(), damage.toString());
            assertTrue(damage.getFirst().contains("incomplete"), damage.getFirst());
        }
    }

    @Test
    void splitSetsOpenInAnyOrderAndSayWhatIsMissing() {
        for (int version : new int[] {2, 5, 6}) {
            Path low =
                    usual(KdumpImage.Machine.X86_64, version, PAGE).split(0, 2).write(folder.resolve("low" + version));
            Path high =
                    usual(KdumpImage.Machine.X86_64, version, PAGE).split(2, 6).write(folder.resolve("high" + version));
            for (String location : List.of("split:" + low + "," + high, "split:" + high + "," + low)) {
                try (Guest guest = Guests.open(location)) {
                    assertEquals(List.of(), guest.findings());
                    assertArrayEquals(content(0, PAGE), read(guest, 0, PAGE));
                    assertArrayEquals(content(2, PAGE), read(guest, 2, PAGE));
                    assertArrayEquals(content(5, PAGE), read(guest, 5, PAGE));
                }
            }
            try (Guest guest = Guests.open(high)) {
                List<String> damage = findings(guest, Severity.DAMAGE);
                assertEquals(1, damage.size());
                assertTrue(damage.getFirst().contains("2 of 3 pages of a split set"), damage.getFirst());
                assertEquals(PageState.UNREADABLE, guest.memory().runAt(0).state());
                assertThrows(MemoryAccessException.class, () -> read(guest, 0, PAGE));
                assertArrayEquals(content(2, PAGE), read(guest, 2, PAGE));
            }
        }
    }

    @Test
    void filesOfDifferentDumpsAreNoSet() {
        Path low = usual(KdumpImage.Machine.X86_64, 6, PAGE).split(0, 2).write(folder.resolve("low"));
        Path high = usual(KdumpImage.Machine.X86_64, 6, PAGE).release("5.0").split(2, 6).write(folder.resolve("high"));
        MalformedDumpException error =
                assertThrows(MalformedDumpException.class, () -> Guests.open("split:" + low + "," + high));
        assertTrue(error.getMessage().contains("another dump"), error.getMessage());
        assertThrows(SourceException.class, () -> Guests.open("split:"));
        assertThrows(SourceException.class, () -> Guests.open("split:" + low + "," + folder.resolve("none")));
    }

    private static List<String> failedOf(String location, boolean deep) {
        return Guests.verify(location, deep, Progress.none()).checks().stream()
                .filter(check -> check.result() == Check.Result.FAIL)
                .map(Check::id)
                .toList();
    }

    @Test
    void aSplitSetIsVerifiedAsOneDump() {
        KdumpImage image = usual(KdumpImage.Machine.X86_64, 6, PAGE);
        Path low = image.split(0, 2).write(folder.resolve("low"));
        Path high = image.split(2, 6).write(folder.resolve("high"));
        assertEquals(List.of(), failedOf("split:" + low + "," + high, true));
        assertEquals(List.of("kdump-00"), failedOf("split:" + high, false));
        assertThrows(SourceException.class, () -> failedOf("split:" + low + "," + folder.resolve("none"), false));
        byte[] torn = image.split(2, 6).bytes();
        torn[image.at("descriptors") + 12] = 0x40;
        ElfFiles.write(high, torn);
        assertTrue(failedOf("split:" + low + "," + high, true).containsAll(List.of("kdump-11", "kdump-16")));
    }

    @Test
    void theSamePartTwiceIsTold() {
        KdumpImage image = usual(KdumpImage.Machine.X86_64, 6, PAGE);
        Path low = image.split(0, 2).write(folder.resolve("low"));
        Path high = image.split(2, 6).write(folder.resolve("high"));
        try (Guest guest = Guests.open("split:" + low + "," + high + "," + low)) {
            assertEquals(List.of(), findings(guest, Severity.DAMAGE));
            List<String> notes = findings(guest, Severity.NOTE);
            assertEquals(1, notes.size(), notes::toString);
            assertTrue(notes.getFirst().contains("hold the same pages, page frames 0 to 1"), notes::toString);
        }
    }

    /** The same range in two files with other bytes: the first named is shown, and that is said. */
    @Test
    void filesOfASetThatContradictEachOtherAreDamage() {
        KdumpImage image = usual(KdumpImage.Machine.X86_64, 6, PAGE);
        Path low = image.split(0, 3).write(folder.resolve("low"));
        image.page(2, content(77, PAGE), 0);
        Path high = image.split(2, 6).write(folder.resolve("high"));
        String location = "split:" + low + "," + high;
        try (Guest guest = Guests.open(location)) {
            List<String> damage = findings(guest, Severity.DAMAGE);
            assertEquals(1, damage.size(), damage::toString);
            assertTrue(
                    damage.getFirst().contains("contradict each other about page frames 2 to 2: 1 page is there twice"
                            + " with different bytes, the first at guest-physical address 0x2000"),
                    damage::toString);
            assertArrayEquals(content(2, PAGE), read(guest, 2, PAGE));
        }
        assertEquals(List.of("kdump-00", "kdump-20"), failedOf(location, false));
        KdumpImage other = usual(KdumpImage.Machine.X86_64, 6, PAGE).page(1, content(4, PAGE), 0);
        Path otherHigh = other.split(1, 6).write(folder.resolve("other"));
        try (Guest guest = Guests.open("split:" + low + "," + otherHigh)) {
            List<String> damage = findings(guest, Severity.DAMAGE);
            assertTrue(damage.stream().anyMatch(text -> text.startsWith("the bitmaps of " + low + " and " + otherHigh
                    + " contradict each other")), damage::toString);
        }
    }

    @Test
    void anotherTimeInAHeaderIsANote() {
        KdumpImage image = usual(KdumpImage.Machine.X86_64, 6, PAGE);
        Path low = image.split(0, 2).write(folder.resolve("low"));
        byte[] later = image.split(2, 6).bytes();
        later[image.at("tv_sec")] ^= 1;
        Path high = ElfFiles.write(folder.resolve("high"), later);
        try (Guest guest = Guests.open("split:" + low + "," + high)) {
            assertEquals(List.of(), findings(guest, Severity.DAMAGE));
            assertTrue(findings(guest, Severity.NOTE).getFirst().contains("the header has another time than that of"));
        }
    }

    @Test
    void sharedZeroPagesOfTwoPartsAreNotMistakenForEachOther() {
        // In both parts a page lies at the same offset, and a later descriptor goes back to it.
        byte[] one = content(1, PAGE);
        byte[] two = content(2, PAGE);
        KdumpImage image = new KdumpImage(KdumpImage.Machine.X86_64, 6, PAGE);
        for (int pfn = 0; pfn < 8; pfn++) {
            image.page(pfn, pfn < 4 ? one : two, 0);
        }
        Path[] parts = new Path[2];
        for (int i = 0; i < 2; i++) {
            byte[] bytes = image.split(4 * i, 4 * i + 4).bytes();
            ByteBuffer file = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
            int descriptors = image.at("descriptors");
            for (int page = 1; page < 4; page += 2) {
                file.putLong(descriptors + 24 * page, file.getLong(descriptors));
            }
            parts[i] = ElfFiles.write(folder.resolve("part" + i), bytes);
        }
        try (Guest guest = Guests.open("split:" + parts[0] + "," + parts[1])) {
            byte[] all = new byte[8 * PAGE];
            guest.memory().read(0, MemorySegment.ofArray(all));
            for (int pfn = 0; pfn < 8; pfn++) {
                byte[] page = Arrays.copyOfRange(all, pfn * PAGE, (pfn + 1) * PAGE);
                assertArrayEquals(pfn < 4 ? one : two, page, "page " + pfn);
            }
        }
    }

    @Test
    void flattenedInPiecesOutOfOrder() {
        byte[] bytes = usual(KdumpImage.Machine.X86_64, 6, PAGE).bytes();
        FlattenedFiles stream = new FlattenedFiles();
        for (int at = (bytes.length - 1) / 1000 * 1000; at >= 0; at -= 1000) {
            stream.piece(at, Arrays.copyOfRange(bytes, at, Math.min(bytes.length, at + 1000)));
        }
        try (Guest guest = Guests.open(stream.end().write(folder.resolve("flat")))) {
            assertArrayEquals(content(0, PAGE), read(guest, 0, PAGE));
            assertArrayEquals(content(2, PAGE), read(guest, 2, PAGE));
            assertArrayEquals(content(5, PAGE), read(guest, 5, PAGE));
            assertTrue(guest.provenance().layout().endsWith("flattened"), guest.provenance().layout());
        }
    }

    @Test
    void readsInPiecesAcrossPages() {
        KdumpImage image = new KdumpImage(KdumpImage.Machine.X86_64, 6, PAGE);
        byte[] expected = new byte[300 * PAGE];
        for (int pfn = 0; pfn < 300; pfn++) {
            byte[] page = content(pfn, PAGE);
            System.arraycopy(page, 0, expected, pfn * PAGE, PAGE);
            image.page(pfn, pfn % 3 == 0 ? page : zlib(page), pfn % 3 == 0 ? 0 : 1);
        }
        Random random = new Random(5);
        try (Guest guest = Guests.open(image.write(folder.resolve("pieces")))) {
            for (int i = 0; i < 300; i++) {
                int from = random.nextInt(expected.length);
                int size = random.nextInt(Math.min(expected.length - from, i < 200 ? 9000 : expected.length) + 1);
                byte[] found = new byte[size];
                guest.memory().read(from, MemorySegment.ofArray(found));
                assertArrayEquals(Arrays.copyOfRange(expected, from, from + size), found);
            }
            byte[] beyond = new byte[2 * PAGE];
            long last = expected.length - PAGE;
            assertEquals(PAGE, guest.memory().readAvailable(last, MemorySegment.ofArray(beyond)));
        }
    }

    @Test
    void verifyPassesAWholeFileAndNamesWhatIsBroken() {
        KdumpImage image = usual(KdumpImage.Machine.X86_64, 6, PAGE).vmcoreInfo("OSRELEASE=6.1\n");
        byte[] bytes = image.bytes();
        Path whole = ElfFiles.write(folder.resolve("whole"), bytes);
        assertEquals(List.of(), failures(whole));
        ByteBuffer file = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int descriptors = image.at("descriptors");
        file.putInt(descriptors + 12, 0x40);
        file.putInt(descriptors + 24 + 8, PAGE + 1);
        file.putLong(descriptors + 48, -1);
        Path broken = ElfFiles.write(folder.resolve("broken"), bytes);
        assertEquals(List.of("kdump-08", "kdump-11", "kdump-12", "kdump-13", "kdump-16"), failures(broken));
        Path none = ElfFiles.write(folder.resolve("none"), new byte[5000]);
        assertEquals(List.of("kdump-01"), failures(none));
        assertFalse(failures(ElfFiles.write(folder.resolve("cut"), Arrays.copyOf(bytes, 6000)))
                .isEmpty());
    }

    private static List<String> failures(Path path) {
        try (FileBytes file = FileBytes.open(path)) {
            return new KdumpFormat()
                    .rules(file, true, Progress.none()).stream()
                    .filter(check -> check.result() == Check.Result.FAIL)
                    .map(Check::id)
                    .toList();
        }
    }
}
