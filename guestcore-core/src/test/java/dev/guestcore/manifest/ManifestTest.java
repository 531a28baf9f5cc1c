package dev.guestcore.manifest;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.error.CancelledException;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.OutputException;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.facts.XenFacts;
import dev.guestcore.manifest.ManifestReport.Change;
import dev.guestcore.manifest.ManifestReport.Part;
import dev.guestcore.manifest.ManifestReport.Relation;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.ForeignTools;
import dev.guestcore.testing.Patterns;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A manifest knows every bit of its dump. */
class ManifestTest {

    private static final int PAGE = 4096;
    private static final int PIECE = 1 << 20;
    private static final int HIGH = 0x300000;
    private static final long HIGH_AT = 0x40_0000L;

    @TempDir
    private Path folder;

    /** Regions that share a piece, regions of several pieces, pages that are zero, and pages that cannot be read. */
    private static Guest guest() {
        MemoryRegion holed = new MemoryRegion(
                AddressRange.ofSize(0x200000, 0x20000), MemoryRegion.Kind.RAM, "holed");
        return Guest.builder()
                .ram(0, MemorySegment.ofArray(Patterns.bytes(0xa0000, 1)))
                .rom(0xf0000, MemorySegment.ofArray(Patterns.bytes(0x10000, 2)))
                .region(holed, new Holed())
                .ram(HIGH_AT, MemorySegment.ofArray(high()))
                .vcpu(Patterns.longMode(1))
                .vcpu(Patterns.longMode(2))
                .build();
    }

    private static byte[] high() {
        byte[] bytes = new byte[HIGH];
        System.arraycopy(Patterns.bytes(0x5000, 9), 0, bytes, 0x10000, 0x5000);
        System.arraycopy(Patterns.bytes(0x5000, 11), 0, bytes, 0x1fd000, 0x5000);
        bytes[HIGH - 1] = 7;
        return bytes;
    }

    /** Every second page cannot be read. */
    private static final class Holed implements RegionContents {

        static byte[] bytes() {
            byte[] bytes = new byte[0x20000];
            for (int page = 0; page < bytes.length; page += 2 * PAGE) {
                System.arraycopy(Patterns.bytes(PAGE, page), 0, bytes, page, PAGE);
            }
            return bytes;
        }

        @Override
        public Run runAt(long offset, long remaining) {
            PageState state = (offset / PAGE) % 2 == 0 ? PageState.PRESENT : PageState.UNREADABLE;
            return new Run(state, Math.min(remaining, PAGE - offset % PAGE));
        }

        @Override
        public long readAvailable(long offset, MemorySegment target) {
            Run run = runAt(offset, target.byteSize());
            if (run.state() != PageState.PRESENT) {
                return 0;
            }
            MemorySegment.copy(MemorySegment.ofArray(bytes()), offset, target, 0, run.size());
            return run.size();
        }
    }

    static Stream<String> writableFormats() {
        return Guests.formats().stream().filter(format -> format.canWrite()).map(format -> format.name());
    }

    private Path write(Guest guest, String format) {
        return write(guest, format, format + ".core", Map.of());
    }

    private Path write(Guest guest, String format, String name, Map<String, String> options) {
        Path file = folder.resolve(name);
        Manifest.write(Guests.format(format).writer(options), guest, file, Progress.none());
        return file;
    }

    private static ManifestReport verify(Path core) {
        return Manifest.read(Manifest.beside(core)).verify(core, Progress.none());
    }

    private int sha256sum(Path core) throws IOException, InterruptedException {
        Path lines = core.resolveSibling(core.getFileName() + Manifest.LINES_SUFFIX);
        return new ProcessBuilder("sha256sum", "--check", "--strict", "--status", "./" + lines.getFileName())
                .directory(folder.toFile())
                .start()
                .waitFor();
    }

    /** The digests as docs/manifest.md defines them, from the bytes that the guest was made of. */
    private static String expectedDigest(MemoryRegion region, byte[] content) throws NoSuchAlgorithmException {
        MessageDigest sha = MessageDigest.getInstance("SHA-256");
        MessageDigest whole = MessageDigest.getInstance("SHA-256");
        long first = region.range().first();
        whole.update(ByteBuffer.allocate(16).putLong(first).putLong(region.range().last()).array());
        int size = content.length;
        for (int from = 0; from < size;) {
            int to = (int) Math.min(size, ((first + from) / PIECE + 1) * PIECE - first);
            MessageDigest piece = MessageDigest.getInstance("SHA-256");
            boolean zero = true;
            for (int page = from; page < to; page += PAGE) {
                int end = Math.min(page + PAGE, to);
                for (int i = page; i < end; i++) {
                    zero &= content[i] == 0;
                }
                sha.update(content, page, end - page);
                piece.update(sha.digest());
            }
            if (!zero) {
                whole.update(ByteBuffer.allocate(8).putLong(first + from).array());
                whole.update(piece.digest());
            }
            from = to;
        }
        return HexFormat.of().formatHex(whole.digest());
    }

    @ParameterizedTest
    @MethodSource("writableFormats")
    void holdsTheDigestsOfFileAndRegions(String format) throws Exception {
        Path core;
        try (Guest guest = guest()) {
            core = write(guest, format);
        }
        Manifest manifest = Manifest.read(Manifest.beside(core));
        assertEquals(core.getFileName().toString(), manifest.fileName());
        assertEquals(Files.size(core), manifest.fileSize());
        MessageDigest sha = MessageDigest.getInstance("SHA-256");
        assertEquals(HexFormat.of().formatHex(sha.digest(Files.readAllBytes(core))), manifest.fileSha256());
        List<byte[]> contents =
                List.of(Patterns.bytes(0xa0000, 1), Patterns.bytes(0x10000, 2), Holed.bytes(), high());
        assertEquals(4, manifest.regionCount());
        for (int i = 0; i < 4; i++) {
            assertEquals(
                    expectedDigest(manifest.region(i), contents.get(i)), manifest.regionSha256(i), format + " " + i);
        }
        ManifestReport report = verify(core);
        assertEquals(Relation.SAME_FILE, report.relation());
        assertTrue(report.matches());
    }

    @ParameterizedTest
    @MethodSource("writableFormats")
    @Tag("slow")
    void namesEveryBitThatWasFlipped(String format) throws Exception {
        Path core;
        try (Guest guest = guest()) {
            core = write(guest, format);
        }
        ForeignTools.require("sha256sum");
        assertEquals(0, sha256sum(core));
        Manifest manifest = Manifest.read(Manifest.beside(core));
        Random random = new Random(4);
        long size = Files.size(core);
        Set<Part> parts = new HashSet<>();
        for (int round = 0; round < 40; round++) {
            // Headers and notes are a small part of the file, and want their share.
            long offset = switch (round % 4) {
                case 0 -> random.nextLong(32);
                case 1 -> random.nextLong(Math.min(size, 0x3000));
                default -> random.nextLong(size);
            };
            int bit = 1 << random.nextInt(8);
            flip(core, offset, bit);
            if (round == 0) {
                assertNotEquals(0, sha256sum(core));
            }
            ManifestReport report = manifest.verify(core, Progress.none());
            flip(core, offset, bit);
            assertEquals(Relation.CHANGED_FILE, report.relation(), "offset " + offset);
            assertFalse(report.matches());
            assertTrue(
                    report.changes().stream().anyMatch(change -> names(change, offset)),
                    format + ": offset " + offset + ": " + report.changes());
            assertEquals(
                    1,
                    report.changes().stream()
                            .filter(change -> change.part() == Part.FILE || change.offset().isPresent())
                            .mapToLong(Change::pages)
                            .sum(),
                    "one bit is in one page: " + report.changes());
            report.changes().forEach(change -> parts.add(change.part()));
        }
        assertEquals(Set.of(Part.FILE, Part.MEMORY), parts, format);
        assertEquals(0, sha256sum(core));
        assertTrue(manifest.verify(core, Progress.none()).matches());
    }

    private static boolean names(Change change, long offset) {
        long first = change.offset().orElse(change.first());
        return (change.part() == Part.FILE || change.offset().isPresent())
                && first <= offset
                && offset <= first + (change.last() - change.first());
    }

    private static void flip(Path file, long offset, int bit) throws IOException {
        try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "rw")) {
            bytes.seek(offset);
            int value = bytes.read();
            bytes.seek(offset);
            bytes.write(value ^ bit);
        }
    }

    @Test
    void namesThePageInTheGuest() throws Exception {
        Path core;
        try (Guest guest = guest()) {
            core = write(guest, "raw");
        }
        flip(core, HIGH_AT + 0x11234, 0x10);
        ManifestReport report = verify(core);
        assertEquals(1, report.changedMemoryPages());
        Change change = report.changes().getFirst();
        assertEquals(Part.MEMORY, change.part());
        assertEquals(HIGH_AT + 0x11000, change.first());
        assertEquals(HIGH_AT + 0x11fff, change.last());
        assertEquals(HIGH_AT, change.region().orElseThrow().range().first());
        assertEquals(HIGH_AT + 0x11000, change.offset().orElseThrow());
    }

    @Test
    void findsPagesThatBecameZeroOrCeasedToBe() throws Exception {
        Path core;
        try (Guest guest = guest()) {
            core = write(guest, "raw");
        }
        try (RandomAccessFile bytes = new RandomAccessFile(core.toFile(), "rw")) {
            bytes.seek(HIGH_AT + 0x10000);
            bytes.write(new byte[0x5000]);
            bytes.seek(HIGH_AT + 0x150000);
            bytes.write(1);
        }
        ManifestReport report = verify(core);
        assertEquals(6, report.changedMemoryPages());
        assertEquals(
                List.of("410000-414fff", "550000-550fff"),
                report.changes().stream()
                        .map(change -> Long.toHexString(change.first()) + "-" + Long.toHexString(change.last()))
                        .toList());
    }

    @Test
    void saysWhatIsMissingAndWhatIsTooMuch() throws Exception {
        Path core;
        try (Guest guest = guest()) {
            core = write(guest, "vbox");
        }
        long size = Files.size(core);
        Files.write(core, new byte[100], StandardOpenOption.APPEND);
        Change extra = verify(core).changes().getFirst();
        assertEquals(Part.EXTRA, extra.part());
        assertEquals(size, extra.first());
        assertEquals(size + 99, extra.last());
        try (RandomAccessFile bytes = new RandomAccessFile(core.toFile(), "rw")) {
            bytes.setLength(size - 5);
        }
        ManifestReport report = verify(core);
        Change missing = report.changes().getFirst();
        assertEquals(Part.MISSING, missing.part());
        assertEquals(size - 5, missing.first());
        assertEquals(size - 1, missing.last());
        assertEquals(HIGH_AT + HIGH - PAGE, report.changes().get(1).first(), "the last byte of memory was a 7");
    }

    @Test
    void knowsTheMemoryInEveryOtherForm() throws Exception {
        Manifest manifest;
        try (Guest guest = guest()) {
            manifest = Manifest.read(Manifest.beside(write(guest, "raw")));
            for (String format : writableFormats().filter(name -> !name.equals("raw")).toList()) {
                Path other = folder.resolve("other." + format);
                Guests.format(format).writer(Map.of()).write(guest, other, Progress.none());
                ManifestReport report = manifest.verify(other, Progress.none());
                assertEquals(Relation.OTHER_FORM, report.relation(), format);
                assertTrue(report.matches(), format + ": " + report.changes());
            }
            Path packed = folder.resolve("packed.raw");
            Guests.format("raw").writer(Map.of("layout", "packed")).write(guest, packed, Progress.none());
            assertEquals(Relation.OTHER_FORM, manifest.verify(packed, Progress.none()).relation());
            Path vmcore = folder.resolve("other.vbox");
            flip(vmcore, Files.size(vmcore) - 1, 1);
            ManifestReport report = manifest.verify(vmcore, Progress.none());
            assertFalse(report.matches());
            assertEquals(HIGH_AT + HIGH - PAGE, report.changes().getFirst().first());
        }
    }

    /** A segment of zeros whose header is lost reads as nothing; so the file is not a second layout of the same guest. */
    @Test
    void aLostSegmentOfZerosIsNoOtherLayout() throws Exception {
        Path core;
        try (Guest guest = Guest.builder()
                .ram(0, MemorySegment.ofArray(Patterns.bytes(PAGE, 1)))
                .ram(0x3000, MemorySegment.ofArray(new byte[PAGE]))
                .build()) {
            core = write(guest, "elf");
        }
        Manifest manifest = Manifest.read(Manifest.beside(core));
        int header;
        try (RandomAccessFile bytes = new RandomAccessFile(core.toFile(), "rw")) {
            header = 64;
            while (loadAddress(bytes, header) != 0x3000) {
                header += 56;
            }
            bytes.seek(header + 2);
            bytes.write(0x6c);
        }
        flip(core, Files.size(core) - 1, 1);
        ManifestReport report = manifest.verify(core, Progress.none());
        assertEquals(Relation.CHANGED_FILE, report.relation());
        assertEquals(0x3000, report.changes().getFirst().first());
    }

    private static long loadAddress(RandomAccessFile file, int header) throws IOException {
        file.seek(header + 24);
        return Long.reverseBytes(file.readLong());
    }

    /** The frames of a PV guest may be stored in any order: 600 of them here, two pieces and a bit, every third first. */
    @Test
    void digestsMemoryThatIsNotStoredInOrder() throws Exception {
        byte[] content = Patterns.bytes(600 * PAGE, 5);
        long[] pfns = new long[600];
        for (int i = 0; i < 600; i++) {
            pfns[i] = i % 200 * 3 + i / 200;
        }
        long[] mfns = Arrays.stream(pfns).map(pfn -> pfn + 0x1000).toArray();
        Path core;
        try (Guest guest = Guest.builder()
                .ram(0, MemorySegment.ofArray(content))
                .vcpu(Patterns.longMode(1))
                .facts(XenFacts.builder().paravirtualized(8, FrameTable.of(pfns, mfns)).build())
                .build()) {
            core = write(guest, "xen", "pv", Map.of("flavour", "pv"));
        }
        Manifest manifest = Manifest.read(Manifest.beside(core));
        assertEquals(expectedDigest(manifest.region(0), content), manifest.regionSha256(0));
        byte[] stored = Files.readAllBytes(core);
        int page = 0;
        while (!Arrays.equals(stored, page, page + 64, content, 3 * PAGE, 3 * PAGE + 64)) {
            page += PAGE;
        }
        flip(core, page + 5, 1);
        ManifestReport report = verify(core);
        assertEquals(1, report.changedMemoryPages());
        assertEquals(3 * PAGE, report.changes().getFirst().first());
        assertEquals(page, report.changes().getFirst().offset().orElseThrow());
    }

    @Test
    void watchesTheFilesBesideTheDump() throws Exception {
        Path core;
        try (Guest guest = guest()) {
            core = write(guest, "raw");
        }
        Path map = folder.resolve("raw.core.map.json");
        Files.writeString(map, Files.readString(map).replace("holed", "filed"));
        assertFalse(verify(core).matches());
        assertEquals(
                ManifestReport.Companion.State.CHANGED,
                verify(core).companions().getFirst().state());
        Files.delete(map);
        assertEquals(
                ManifestReport.Companion.State.MISSING,
                verify(core).companions().getFirst().state());
    }

    @Test
    @Tag("foreign")
    void escapesNamesAsSha256sumDoes() throws Exception {
        ForeignTools.require("sha256sum");
        for (String name : List.of("with blank", "back\\slash", "line\nend", "cr\rlf\n\\", "-dash", "*star",
                "\\lead")) {
            Path core;
            try (Guest guest = guest()) {
                core = write(guest, "lime", name, Map.of());
            }
            assertEquals(0, sha256sum(core), name);
            flip(core, 0x2000, 1);
            assertNotEquals(0, sha256sum(core), name);
        }
    }

    @Test
    void onlyTheOwnerMayReadIt() throws Exception {
        try (Guest guest = guest()) {
            write(guest, "raw");
        }
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                assertEquals(
                        PosixFilePermissions.fromString("rw-------"), Files.getPosixFilePermissions(file),
                        file.toString());
            }
        }
    }

    @Test
    void nothingIsLeftOfAWriteThatWasCancelled() throws Exception {
        Progress cancelled = new Progress() {
            private long done;

            @Override
            public void begin(String phase, long totalBytes) {
                // only the bytes count
            }

            @Override
            public void advance(long bytes) {
                done += bytes;
                if (done > 0x180000) {
                    throw new CancelledException();
                }
            }
        };
        for (String format : writableFormats().toList()) {
            try (Guest guest = guest()) {
                assertThrows(
                        CancelledException.class,
                        () -> Manifest.write(
                                Guests.format(format).writer(Map.of()), guest, folder.resolve("gone"), cancelled));
            }
            try (Stream<Path> files = Files.list(folder)) {
                assertEquals(List.of(), files.toList(), format);
            }
        }
    }

    @Test
    void aNameThatIsTakenIsRefusedBeforeAnythingIsWritten() throws Exception {
        for (String suffix : List.of(Manifest.SUFFIX, Manifest.LINES_SUFFIX)) {
            Path taken = folder.resolve("x" + suffix);
            Files.writeString(taken, "mine");
            try (Guest guest = guest()) {
                assertThrows(OutputException.class, () -> write(guest, "vbox", "x", Map.of()));
            }
            assertEquals("mine", Files.readString(taken));
            Files.delete(taken);
            try (Stream<Path> files = Files.list(folder)) {
                assertEquals(List.of(), files.toList());
            }
        }
    }

    /** Whatever is done to a manifest, it is refused with a line, or taken for what it still says. */
    @Test
    void damagedManifestsAreRefused() throws Exception {
        Path core;
        try (Guest guest = guest()) {
            core = write(guest, "elf");
        }
        Path manifest = Manifest.beside(core);
        byte[] good = Files.readAllBytes(manifest);
        Random random = new Random(7);
        int refused = 0;
        for (int round = 0; round < 300; round++) {
            byte[] bad = good.clone();
            switch (round % 3) {
                case 0 -> bad[random.nextInt(bad.length)] ^= (byte) (1 << random.nextInt(8));
                case 1 -> bad = Arrays.copyOf(bad, random.nextInt(bad.length));
                default -> {
                    int from = random.nextInt(bad.length - 64);
                    System.arraycopy(good, random.nextInt(bad.length - 64), bad, from, random.nextInt(64));
                }
            }
            Files.write(manifest, bad);
            if (!Arrays.equals(good, bad)) {
                GuestcoreException e = assertThrows(MalformedDumpException.class, () -> Manifest.read(manifest));
                assertEquals(1, e.getMessage().lines().count(), e.getMessage());
            }
            // Somebody who means harm makes the manifest's own digest fit.
            Files.write(manifest, fitted(bad));
            try {
                Manifest.read(manifest).verify(core, Progress.none());
            } catch (MalformedDumpException e) {
                assertEquals(1, e.getMessage().lines().count(), e.getMessage());
                refused++;
            }
        }
        assertTrue(refused > 150, "refused " + refused);
        for (String text : List.of(
                "", "[]", "{}", "{\"format\":\"guestcore-manifest\",\"version\":2}", "{\"memoryInOtherForm\":[]}",
                "[".repeat(5000))) {
            Files.writeString(manifest, text);
            assertThrows(MalformedDumpException.class, () -> Manifest.read(manifest));
        }
        Files.write(manifest, good);
        assertArrayEquals(good, Files.readAllBytes(manifest));
        Files.delete(manifest);
        assertThrows(GuestcoreException.class, () -> Manifest.read(manifest));
        assertThrows(GuestcoreException.class, () -> Manifest.read(folder));
    }

    private static byte[] fitted(byte[] manifest) throws NoSuchAlgorithmException {
        int size = new String(manifest, StandardCharsets.ISO_8859_1).lastIndexOf(",\n  \"before\"");
        if (size < 0) {
            return manifest;
        }
        MessageDigest sha = MessageDigest.getInstance("SHA-256");
        sha.update(manifest, 0, size);
        String end = ",\n  \"before\": \"" + HexFormat.of().formatHex(sha.digest()) + "\"\n}\n";
        byte[] fitted = Arrays.copyOf(manifest, size + end.length());
        System.arraycopy(end.getBytes(StandardCharsets.ISO_8859_1), 0, fitted, size, end.length());
        return fitted;
    }

    @Test
    void aCompanionOutsideTheFolderIsRefused() throws Exception {
        Path core;
        try (Guest guest = guest()) {
            core = write(guest, "raw");
        }
        Path manifest = Manifest.beside(core);
        String text = Files.readString(manifest).replace("raw.core.map.json", "../raw.core.map.json");
        Files.write(manifest, fitted(text.getBytes(StandardCharsets.UTF_8)));
        assertThrows(MalformedDumpException.class, () -> Manifest.read(manifest));
    }

    /** Pages known to be zero lie between pages with content, so that a writer keeps them apart. */
    private static final class Striped implements RegionContents {

        @Override
        public Run runAt(long offset, long remaining) {
            PageState state = offset / PAGE % 3 == 1 ? PageState.ZERO : PageState.PRESENT;
            return new Run(state, Math.min(remaining, PAGE - offset % PAGE));
        }

        @Override
        public long readAvailable(long offset, MemorySegment target) {
            for (long i = 0; i < target.byteSize(); i++) {
                long at = offset + i;
                boolean zero = at / PAGE % 3 == 1;
                target.set(ValueLayout.JAVA_BYTE, i, zero ? 0 : (byte) (at / PAGE * 31 + at % 251 + 1));
            }
            return target.byteSize();
        }
    }

    @Test
    void compressedPagesAreDigestedAsTheGuestHasThem() {
        MemoryRegion region = new MemoryRegion(AddressRange.ofSize(0, 0x40000), MemoryRegion.Kind.RAM, "striped");
        try (Guest guest = Guest.builder().region(region, new Striped()).build()) {
            Path elf = write(guest, "elf", "striped.elf", Map.of());
            for (String compression : List.of("none", "zlib", "lzo", "snappy", "zstd")) {
                Path kdump = write(guest, "kdump", "striped." + compression, Map.of("compression", compression));
                Manifest manifest = Manifest.read(Manifest.beside(kdump));
                assertTrue(manifest.verify(kdump, Progress.none()).matches(), compression);
                ManifestReport other = manifest.verify(elf, Progress.none());
                assertEquals(ManifestReport.Relation.OTHER_FORM, other.relation(), compression);
                assertEquals(0, other.changedMemoryPages(), compression);
            }
        }
    }
}
