package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.Freeze;
import dev.guestcore.FreezeMethod;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Vcpu;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.SourceException;
import dev.guestcore.open.Guests;
import dev.guestcore.source.FreezeRequest;
import dev.guestcore.source.GuestSource;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** A live QEMU guest whose registers and memory are known. */
@Undisturbed
class QemuCaptureTest {

    private static final int CHUNK = 16 << 20;
    private static final String FORCE = "dev.guestcore.qemu.memory";

    private static QemuGuest qemu;

    @BeforeAll
    static void start() {
        qemu = QemuGuest.knownState("pc,max-ram-below-4g=64M", "qemu64", "128M");
    }

    @AfterAll
    static void stop() {
        if (qemu != null) {
            qemu.close();
        }
    }

    @Test
    void registersAreWhatTheGuestLoadedAndTheMonitorSays() {
        try (Guest guest = Guests.open(qemu.location())) {
            checkRegisters(guest, qemu, false);
        }
    }

    @Test
    void registersOfAnotherMachineWithAvx() {
        try (QemuGuest q35 = QemuGuest.knownState("q35", "max", "64M");
                Guest guest = Guests.open(q35.location())) {
            checkRegisters(guest, q35, true);
            checkRegions(guest, q35);
            checkAllMemory(guest, q35, 64 << 20);
        }
    }

    /** The guest does nothing any more, so what QEMU saves of it later is the same. */
    @Test
    void aSnapshotHasAllRegistersAndTheSameMemory() {
        try (GuestSource source = Guests.source(qemu.location());
                Guest guest = source.freeze(FreezeRequest.only(FreezeMethod.SNAPSHOT))) {
            assertTrue(qemu.isRunning());
            assertEquals("snapshot", guest.provenance().layout());
            for (Vcpu vcpu : guest.vcpus()) {
                RegisterState found = vcpu.registers();
                RegisterState expected = KnownState.registers(vcpu.index(), false);
                for (var register : expected.known()) {
                    assertEquals(expected.hex(register), found.hex(register), vcpu.index() + " " + register.label());
                }
                KnownState.HIDDEN.forEach(register -> assertTrue(found.knows(register), register.label()));
            }
            checkRegions(guest, qemu);
            checkAllMemory(guest, qemu, 128 << 20);
        }
    }

    private static void checkRegisters(Guest guest, QemuGuest source, boolean avx) {
        String[] texts = source.monitor("info registers -a").split("CPU#");
        assertEquals(2, guest.vcpus().size());
        for (Vcpu vcpu : guest.vcpus()) {
            RegisterState found = vcpu.registers();
            RegisterState expected = KnownState.registers(vcpu.index(), avx);
            for (var register : expected.known()) {
                assertTrue(found.knows(register), register.label());
                assertEquals(expected.hex(register), found.hex(register), vcpu.index() + " " + register.label());
            }
            assertEquals(expected.known(), found.known());
            KnownState.HIDDEN.forEach(register -> assertFalse(found.knows(register), register.label()));
            String text = texts[vcpu.index() + 1];
            for (String part : MonitorText.of(found)) {
                assertTrue(text.contains(part), () -> "vcpu " + vcpu.index() + ": no '" + part + "' in " + text);
            }
        }
    }

    @Test
    void regionsAreTheFlatView() {
        try (Guest guest = Guests.open(qemu.location())) {
            checkRegions(guest, qemu);
            // The board's own layout: 640 KiB, the window of the graphics adapter, memory at 4 GiB.
            assertEquals(
                    List.of(new AddressRange(0, 0x9ffff), new AddressRange(0x100000, 0x3ffffff),
                            AddressRange.ofSize(1L << 32, 64 << 20)),
                    guest.memory().regions().stream()
                            .filter(region -> region.kind() == MemoryRegion.Kind.RAM && region.name().equals("pc.ram"))
                            .map(MemoryRegion::range)
                            .filter(range -> range.first() < 0xa0000 || range.first() >= 0x100000)
                            .toList());
            assertTrue(guest.memory().regionAt(0xffffffffL).orElseThrow().kind() == MemoryRegion.Kind.ROM);
            assertTrue(guest.memory().regionAt(0xfee00000L).orElseThrow().kind() == MemoryRegion.Kind.DEVICE);
        }
    }

    private static void checkRegions(Guest guest, QemuGuest source) {
        String view = Stream.of(source.monitor("info mtree -f").split("FlatView #"))
                .filter(text -> text.contains("AS \"memory\""))
                .findFirst()
                .orElseThrow();
        List<String> expected =
                Pattern.compile("[0-9a-f]{16}-[0-9a-f]{16} \\(prio .*").matcher(view).results()
                        .map(result -> result.group().replaceAll("prio -?\\d+, ", "").replaceAll(" @[0-9a-f]+$", ""))
                        .map(line -> line.replace("(romd)", "(rom)").replace("(ramd)", "(i/o)"))
                        .toList();
        List<String> found = guest.memory().regions().stream()
                .map(region -> "%016x-%016x (%s): %s"
                        .formatted(
                                region.range().first(),
                                region.range().last(),
                                region.kind() == MemoryRegion.Kind.DEVICE
                                        ? "i/o"
                                        : region.kind().name().toLowerCase(),
                                region.name()))
                .toList();
        assertEquals(expected, found);
        assertTrue(found.size() > 5, found::toString);
    }

    @Test
    void memoryIsWhatQemuSaves() {
        try (Guest guest = Guests.open(qemu.location())) {
            assertEquals(List.of(), guest.findings());
            checkAllMemory(guest, qemu, 128 << 20);
        }
    }

    @Test
    void memoryHoldsTheGuestsPattern() {
        try (Guest guest = Guests.open(qemu.location())) {
            for (long start : new long[] {KnownState.LOW, KnownState.HIGH}) {
                long[] words = new long[(int) (KnownState.LENGTH / Long.BYTES)];
                guest.memory().read(start, MemorySegment.ofArray(words));
                for (int i = 0; i < words.length; i++) {
                    assertEquals(start + 8L * i ^ KnownState.PATTERN, words[i]);
                }
            }
        }
    }

    /** The test's monitor saves while Guestcore holds the freeze, so both see the same instant. */
    private static void checkAllMemory(Guest guest, QemuGuest source, long atLeast) {
        long compared = 0;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment ours = arena.allocate(CHUNK);
            ByteBuffer theirs = ByteBuffer.allocateDirect(CHUNK);
            for (MemoryRegion region : guest.memory().regions()) {
                if (!region.hasContent()) {
                    continue;
                }
                long size = region.range().size();
                for (long offset = 0; offset < size; offset += CHUNK) {
                    int length = (int) Math.min(CHUNK, size - offset);
                    long address = region.range().first() + offset;
                    guest.memory().read(address, ours.asSlice(0, length));
                    theirs.clear().limit(length);
                    try (FileChannel saved = source.saved(address, length)) {
                        while (theirs.hasRemaining()) {
                            assertTrue(saved.read(theirs) > 0);
                        }
                    }
                    assertEquals(
                            -1,
                            ours.asSlice(0, length).mismatch(MemorySegment.ofBuffer(theirs.flip())),
                            () -> region + " from 0x" + Long.toHexString(address));
                    compared += length;
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        assertTrue(compared >= atLeast);
    }

    @Test
    void readsIntoTheHeapAcrossRegionsAndNotAtAllFromDevices() {
        try (Guest guest = Guests.open(qemu.location())) {
            byte[] onHeap = new byte[0xa0000 + 4096];
            assertEquals(0xa0000, guest.memory().readAvailable(0, MemorySegment.ofArray(onHeap)));
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment offHeap = arena.allocate(0xa0000);
                guest.memory().read(0, offHeap);
                assertEquals(-1, offHeap.mismatch(MemorySegment.ofArray(onHeap).asSlice(0, 0xa0000)));
                assertEquals(0, guest.memory().readAvailable(0xfee00000L, offHeap));
                assertEquals(0, guest.memory().readAvailable(0x4000000L, offHeap), "a hole");
            }
        }
    }

    @Test
    void aRunningGuestIsFrozenAndRunsAgain() throws Exception {
        assertTrue(qemu.isRunning());
        try (GuestSource source = Guests.source(qemu.location())) {
            assertTrue(source.isLive());
            assertEquals(2, source.vcpuCount());
            assertTrue(source.description().startsWith("QEMU "), source.description());
            assertTrue(qemu.isRunning(), "connecting freezes nothing");
            for (int i = 0; i < 2; i++) {
                Guest guest = source.freeze();
                Freeze freeze = guest.freeze().orElseThrow();
                assertFalse(qemu.isRunning());
                assertTrue(freeze.wasRunning());
                TimeUnit.MILLISECONDS.sleep(20);
                assertTrue(freeze.elapsed().compareTo(Duration.ofMillis(20)) >= 0);
                guest.close();
                assertTrue(qemu.isRunning());
                Duration total = freeze.elapsed();
                assertTrue(total.compareTo(Duration.ofMillis(20)) >= 0);
                guest.close();
                assertEquals(total, freeze.elapsed());
                assertThrows(
                        IllegalStateException.class,
                        () -> guest.memory().readAvailable(0, MemorySegment.ofArray(new byte[1])));
            }
        }
        assertTrue(qemu.isRunning());
    }

    @Test
    void aPausedGuestStaysPaused() {
        qemu.qmp("stop", Map.of());
        try {
            try (Guest guest = Guests.open(qemu.location())) {
                assertFalse(guest.freeze().orElseThrow().wasRunning());
                assertEquals(Duration.ZERO, guest.freeze().orElseThrow().elapsed());
                assertEquals(1, guest.findings().size());
            }
            assertFalse(qemu.isRunning());
        } finally {
            qemu.qmp("cont", Map.of());
        }
    }

    @Test
    void aSourceThatIsClosedThawsItsGuest() {
        GuestSource source = Guests.source(qemu.location());
        source.freeze();
        assertFalse(qemu.isRunning());
        source.close();
        assertTrue(qemu.isRunning());
    }

    @Test
    void somebodyElseResumesTheGuest() {
        Guest guest = Guests.open(qemu.location());
        qemu.qmp("cont", Map.of());
        SourceException error = assertThrows(SourceException.class, guest::close);
        assertTrue(error.getMessage().contains("somebody else resumed the guest"), error.getMessage());
        assertTrue(qemu.isRunning());
    }

    @Test
    void aKilledGuestIsAClearError() throws Exception {
        try (QemuGuest doomed = QemuGuest.knownState("pc", "qemu64", "32M")) {
            Guest guest = Guests.open(doomed.location());
            guest.memory().read(KnownState.LOW, MemorySegment.ofArray(new byte[4096]));
            doomed.process().destroyForcibly();
            doomed.process().waitFor();
            SourceException reading = assertThrows(
                    SourceException.class,
                    () -> guest.memory().read(KnownState.LOW, MemorySegment.ofArray(new byte[4096])));
            assertTrue(reading.getMessage().contains("ended while its memory was read"), reading.getMessage());
            SourceException closing = assertThrows(SourceException.class, guest::close);
            assertTrue(closing.getMessage().contains("QEMU was lost while the guest was frozen"), closing.getMessage());
            guest.close();
        }
    }

    @Test
    void theGuestRunsAgainAfterTheJvmIsToldToEnd() throws Exception {
        Process child = child(List.of(), "hold");
        try (InputStream output = child.getInputStream()) {
            assertEquals('F', output.read());
            assertFalse(qemu.isRunning());
            child.destroy();
            assertTrue(child.waitFor(30, TimeUnit.SECONDS));
        }
        assertTrue(qemu.isRunning());
    }

    @Test
    void withoutTheProcessItsMemoryIsTheSame() throws Exception {
        String direct = digest();
        System.setProperty(FORCE, "pmemsave");
        try {
            assertEquals(direct, digest());
            try (Guest guest = Guests.open(qemu.location())) {
                assertEquals(1, guest.findings().size());
                assertTrue(guest.findings().getFirst().message().contains("pmemsave"));
                checkAllMemory(guest, qemu, 128 << 20);
            }
        } finally {
            System.clearProperty(FORCE);
        }
        assertEquals(List.of(), leftFolders());
    }

    @Test
    void aFlashChipIsReadThroughFiles() throws Exception {
        Path bios = Path.of("/usr/share/seabios/bios-256k.bin");
        if (!Files.isReadable(bios)) {
            Tools.missing(bios + " is not installed");
        }
        try (QemuGuest withFlash = QemuGuest.knownState("pc", "qemu64", "32M", "-drive",
                "if=pflash,format=raw,readonly=on,file=" + bios);
                Guest guest = Guests.open(withFlash.location())) {
            MemoryRegion flash = guest.memory().regionAt(0xffffffffL).orElseThrow();
            assertEquals(MemoryRegion.Kind.ROM, flash.kind());
            assertTrue(withFlash.monitor("info mtree -f").contains("romd): " + flash.name()));
            byte[] content = Files.readAllBytes(bios);
            byte[] found = new byte[content.length];
            guest.memory().read((1L << 32) - content.length, MemorySegment.ofArray(found));
            assertArrayEquals(content, found);
            checkAllMemory(guest, withFlash, 32 << 20);
            assertEquals(List.of(), guest.findings());
        }
    }

    @Test
    void withoutTheRightToTraceItsMemoryIsTheSame() throws Exception {
        Path setpriv = Tools.require("setpriv");
        if (!Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0)) {
            System.err.println("SKIPPED: to drop the right to trace takes root");
            abort("takes root");
        }
        List<String> prefix = List.of(setpriv.toString(), "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace");
        Process child = child(prefix, "digest");
        String[] lines = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8).split("\n");
        assertEquals(0, child.waitFor());
        assertEquals(digest(), lines[0]);
        assertTrue(lines[1].contains("pmemsave") && lines[1].contains("may not be read"), lines[1]);
        assertEquals(List.of(), leftFolders());
    }

    private static List<Path> leftFolders() throws IOException {
        try (Stream<Path> files = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
            return files.filter(file -> file.getFileName().toString().matches("guestcore-\\d+"))
                    .toList();
        }
    }

    private static Process child(List<String> prefix, String task) throws IOException {
        List<String> command = Stream.of(
                prefix.stream(),
                Stream.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Child.class.getName(),
                        task,
                        qemu.location()))
                .flatMap(part -> part)
                .toList();
        return new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    private static String digest() throws NoSuchAlgorithmException {
        try (Guest guest = Guests.open(qemu.location())) {
            return digest(guest);
        }
    }

    private static String digest(Guest guest) throws NoSuchAlgorithmException {
        MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
        byte[] chunk = new byte[1 << 20];
        for (MemoryRegion region : guest.memory().regions()) {
            for (long done = 0; region.hasContent() && done < region.range().size(); done += chunk.length) {
                int length = (int) Math.min(chunk.length, region.range().size() - done);
                guest.memory().read(region.range().first() + done, MemorySegment.ofArray(chunk).asSlice(0, length));
                sha256.update(chunk, 0, length);
            }
        }
        return HexFormat.of().formatHex(sha256.digest());
    }

    /** Another JVM at the same guest. */
    static final class Child {

        private Child() {}

        /** Holds the guest frozen until killed, or prints the digest of its memory and the findings. */
        public static void main(String[] arguments) throws Exception {
            if (arguments[0].equals("hold")) {
                Guest held = Guests.open(arguments[1]);
                System.out.print("F");
                System.out.flush();
                TimeUnit.MINUTES.sleep(1);
                held.close();
            } else {
                try (Guest guest = Guests.open(arguments[1])) {
                    System.out.println(digest(guest));
                    guest.findings().stream().map(Finding::message).forEach(System.out::println);
                }
            }
        }
    }
}
