package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Freeze;
import dev.guestcore.FreezeMethod;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.error.CancelledException;
import dev.guestcore.error.OutputException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.WritePlan;
import dev.guestcore.inspect.MemoryScan;
import dev.guestcore.internal.output.CompanionFiles;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.internal.writer.PlacedMemory;
import dev.guestcore.open.Guests;
import dev.guestcore.source.FreezeChoice;
import dev.guestcore.source.FreezeRequest;
import dev.guestcore.source.GuestSource;
import dev.guestcore.source.MemoryPlacer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** The three ways of freezing: what they give is of one instant, and nothing stays changed at QEMU. */
class QemuFreezeTest {

    private static final String STREAM = "dev.guestcore.qemu.stream";
    private static final String LIMIT = "dev.guestcore.buffer.limit";
    private static final int CAPTURES = 100;

    private static QemuGuest qemu;

    @BeforeAll
    static void start() {
        qemu = QemuGuest.bootSector("generations", "qemu64", "-smp", "2");
        // Not what QEMU has by itself, so that it can be seen to be put back.
        setCapabilities(qemu, Map.of("xbzrle", true, "events", true));
        qemu.qmp("migrate-set-parameters", Map.of("max-bandwidth", 12_345_678));
    }

    @AfterAll
    static void stop() {
        if (qemu != null) {
            qemu.close();
        }
    }

    @AfterEach
    void theGuestWorks() throws InterruptedException {
        System.clearProperty(STREAM);
        System.clearProperty(LIMIT);
        assertTrue(qemu.isRunning());
        // A guest whose memory stayed protected is "running" and hangs.
        String before = qemu.monitor("xp /2wx 0x6000");
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (qemu.monitor("xp /2wx 0x6000").equals(before)) {
            assertTrue(System.nanoTime() < deadline, "the guest hangs");
            TimeUnit.MILLISECONDS.sleep(5);
        }
    }

    private static void setCapabilities(QemuGuest guest, Map<String, Boolean> states) {
        guest.qmp(
                "migrate-set-capabilities",
                Map.of(
                        "capabilities",
                        states.entrySet().stream()
                                .map(entry -> Map.of("capability", entry.getKey(), "state", entry.getValue()))
                                .toList()));
    }

    private static String settings() {
        return qemu.qmp("query-migrate-capabilities", Map.of()) + " " + qemu.qmp("query-migrate-parameters", Map.of());
    }

    @ParameterizedTest
    @EnumSource(FreezeMethod.class)
    void everyCaptureIsOfOneInstant(FreezeMethod method) {
        String before = settings();
        assertTrue(before.contains("12345678"), before);
        int first = 0;
        int last = 0;
        try (GuestSource source = Guests.source(qemu.location())) {
            for (int i = 0; i < CAPTURES; i++) {
                try (Guest guest = source.freeze(FreezeRequest.only(method))) {
                    assertEquals(Optional.empty(), Generations.violation(guest), method + " " + i);
                    Freeze freeze = guest.freeze().orElseThrow();
                    assertEquals(method, freeze.method());
                    assertTrue(freeze.wasRunning());
                    assertTrue(freeze.elapsed().isPositive());
                    assertEquals(method != FreezeMethod.DIRECT, qemu.isRunning());
                    last = Generations.generation(guest);
                    first = i == 0 ? last : first;
                }
            }
        }
        assertTrue(last > first + CAPTURES, "the guest works on between captures");
        assertTrue(qemu.isRunning());
        assertEquals(before, settings());
    }

    @Test
    void withoutFreezingTheInvariantBreaks() throws IOException {
        int broken = 0;
        for (int i = 0; i < 20; i++) {
            long size = 2L * Generations.PAGES * Generations.PAGE;
            try (FileChannel saved = qemu.saved(Generations.BASE, size)) {
                ByteBuffer word = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
                broken += Generations.violation(address -> word(saved, address - Generations.BASE, word))
                        .isPresent()
                                ? 1
                                : 0;
            }
        }
        assertTrue(broken > 0, "QEMU copied a running guest 20 times, and it never showed");
    }

    private static int word(FileChannel file, long offset, ByteBuffer word) {
        try {
            assertEquals(Integer.BYTES, file.read(word.clear(), offset));
            return word.getInt(0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void aSnapshotThroughASocketIsTheSame() {
        System.setProperty(STREAM, "socket");
        checkSnapshot();
    }

    /** QEMU before 8.1 must not be let write where room can run out. */
    @Test
    void aSnapshotThatFindsNoRoomInMemoryGoesToAFileWithoutAName(@TempDir Path folder) throws IOException {
        System.setProperty(LIMIT, "0");
        FreezeRequest request = FreezeRequest.only(FreezeMethod.SNAPSHOT).withFolder(folder);
        JsonNode version = qemu.qmp("query-version", Map.of()).path("qemu");
        boolean survives = version.path("major").asInt() * 100 + version.path("minor").asInt() >= 801;
        try (GuestSource source = Guests.source(qemu.location())) {
            if (survives) {
                try (Guest guest = source.freeze(request)) {
                    assertEquals(Optional.empty(), Generations.violation(guest));
                }
            } else {
                UnsupportedRequestException error =
                        assertThrows(UnsupportedRequestException.class, () -> source.freeze(request));
                assertTrue(error.getMessage().contains("QEMU before 8.1"), error.getMessage());
            }
            try (Stream<Path> left = Files.list(folder)) {
                assertEquals(List.of(), left.toList());
            }
        }
    }

    private static void checkSnapshot() {
        String before = settings();
        try (GuestSource source = Guests.source(qemu.location())) {
            for (int i = 0; i < 5; i++) {
                try (Guest guest = source.freeze(FreezeRequest.only(FreezeMethod.SNAPSHOT))) {
                    assertEquals(Optional.empty(), Generations.violation(guest));
                }
            }
        }
        assertEquals(before, settings());
    }

    /** Memory stands in the file before the guest's registers are known, and what stands there is of one instant. */
    @ParameterizedTest
    @ValueSource(strings = {"elf", "lime", "raw", "vbox", "xen"})
    void aSnapshotGoesStraightIntoTheFile(String format, @TempDir Path folder) {
        CoreWriter writer = Guests.format(format).writer(Map.of());
        String before = settings();
        Path file = folder.resolve("core");
        try (GuestSource source = Guests.source(qemu.location());
                OutputFile output = OutputFile.create(file, OutputFile.IfExists.FAIL);
                CompanionFiles companions = new CompanionFiles(file, OutputFile.IfExists.FAIL)) {
            PlacedMemory placed = new PlacedMemory(output, writer);
            try (Guest guest = source.freeze(FreezeRequest.only(FreezeMethod.SNAPSHOT).withPlacer(placed))) {
                assertTrue(placed.isUsed());
                assertEquals(Optional.empty(), Generations.violation(guest));
                WritePlan plan = writer.plan(guest);
                assertSame(output, placed.fileFor(plan));
                companions.begin(plan.companions());
                plan.write(output.sink(), Progress.none());
                companions.write();
            }
            companions.commit(output, List.of());
        }
        try (Guest guest = Guests.open(file)) {
            Optional<String> violation = guest.vcpus().isEmpty()
                    ? Generations.violation(address -> word(guest, address))
                    : Generations.violation(guest);
            assertEquals(Optional.empty(), violation);
        }
        assertEquals(before, settings());
    }

    private static int word(Guest guest, long address) {
        byte[] word = new byte[Integer.BYTES];
        guest.memory().read(address, MemorySegment.ofArray(word));
        return ByteBuffer.wrap(word).order(ByteOrder.LITTLE_ENDIAN).getInt();
    }

    @Test
    void aDiskThatFillsUpDuringASnapshotDoesTheGuestNoHarm() {
        String before = settings();
        try (GuestSource source = Guests.source(qemu.location())) {
            OutputException full = assertThrows(
                    OutputException.class,
                    () -> source.freeze(FreezeRequest.only(FreezeMethod.SNAPSHOT).withPlacer(new FullDisk())));
            assertEquals("the disk is full", full.getMessage());
            assertTrue(qemu.isRunning());
            assertEquals(before, settings());
            source.freeze(FreezeRequest.only(FreezeMethod.SNAPSHOT)).close();
        }
    }

    private static final class FullDisk implements MemoryPlacer {

        @Override
        public boolean begin(Guest outline) {
            return true;
        }

        @Override
        public void put(long address, MemorySegment bytes) {
            throw new OutputException("the disk is full");
        }

        @Override
        public void putZeros(long address) {
            // takes no room
        }

        @Override
        public RegionContents contents(MemoryRegion region) {
            throw new AssertionError("it never came to its end");
        }

        @Override
        public void close() {
            // nothing to close
        }
    }

    /** Whoever is told of progress ends it. */
    private static Progress failing(Runnable action) {
        return new Progress() {
            @Override
            public void begin(String phase, long totalBytes) {
                // not yet
            }

            @Override
            public void advance(long bytes) {
                action.run();
            }
        };
    }

    @ParameterizedTest
    @EnumSource(FreezeMethod.class)
    void cancelledOrFailedTheGuestRunsAndNothingIsChanged(FreezeMethod method) {
        if (method == FreezeMethod.DIRECT) {
            // Reads nothing before it gives the guest.
            return;
        }
        String before = settings();
        for (String stream : List.of("file", "socket")) {
            System.setProperty(STREAM, stream);
            try (GuestSource source = Guests.source(qemu.location())) {
                FreezeRequest cancelled = FreezeRequest.only(method).withProgress(failing(() -> {
                    throw new CancelledException();
                }));
                assertThrows(CancelledException.class, () -> source.freeze(cancelled));
                assertTrue(qemu.isRunning());
                assertEquals(before, settings());
                FreezeRequest broken = FreezeRequest.only(method).withProgress(failing(() -> {
                    throw new IllegalStateException("broken");
                }));
                assertThrows(IllegalStateException.class, () -> source.freeze(broken));
                assertTrue(qemu.isRunning());
                assertEquals(before, settings());
                // It is usable afterwards.
                source.freeze(FreezeRequest.only(method)).close();
            }
        }
    }

    @Test
    void aPausedGuestIsTakenAsItIs() {
        qemu.qmp("stop", Map.of());
        try (GuestSource source = Guests.source(qemu.location())) {
            List<FreezeChoice> choices = new ArrayList<>();
            try (Guest guest = source.freeze(FreezeRequest.shortest().withListener(choices::add))) {
                assertEquals(List.of(FreezeMethod.DIRECT), methods(choices));
                assertEquals("the guest is paused, so nothing has to be frozen", choices.getFirst().reason());
                assertFalse(guest.freeze().orElseThrow().wasRunning());
            }
            source.freeze(FreezeRequest.only(FreezeMethod.BUFFER)).close();
            UnsupportedRequestException error = assertThrows(
                    UnsupportedRequestException.class,
                    () -> source.freeze(FreezeRequest.only(FreezeMethod.SNAPSHOT)));
            assertTrue(error.getMessage().contains("QEMU would resume it"), error.getMessage());
            assertTrue(error.getMessage().contains("'buffer' or 'direct'"), error.getMessage());
            assertFalse(qemu.isRunning());
        } finally {
            qemu.qmp("cont", Map.of());
        }
    }

    /** Whatever others do while the memory of the snapshot is read, they did it, and it is left so. */
    @Test
    void whatSomebodyElsePausedDuringASnapshotStaysPaused() {
        String before = settings();
        FreezeRequest request = FreezeRequest.only(FreezeMethod.SNAPSHOT).withProgress(once(() -> {
            awaitRunning(qemu);
            qemu.qmp("stop", Map.of());
        }));
        try (GuestSource source = Guests.source(qemu.location())) {
            try (Guest guest = source.freeze(request)) {
                assertEquals(Optional.empty(), Generations.violation(guest));
                Freeze freeze = guest.freeze().orElseThrow();
                String finding = freeze.findings().getFirst().message();
                assertTrue(finding.contains("somebody else stopped the guest"), finding);
                Instant paused = Instant.parse(finding.replaceAll(".* at (\\S+Z) .*", "$1"));
                assertTrue(guest.provenance().takenAt().orElseThrow().plus(freeze.elapsed()).isBefore(paused));
            }
            assertFalse(qemu.isRunning());
            assertEquals("paused", qemu.qmp("query-status", Map.of()).path("status").asString());
            assertEquals(before, settings());
        } finally {
            qemu.qmp("cont", Map.of());
        }
    }

    @Test
    void aPanicDuringASnapshotIsTold() {
        try (QemuGuest other = QemuGuest.bootSector(
                "generations", "qemu64", "-smp", "2", "-device", "pvpanic", "-action", "panic=pause")) {
            FreezeRequest request = FreezeRequest.only(FreezeMethod.SNAPSHOT).withProgress(once(() -> {
                awaitRunning(other);
                other.monitor("o /1 0x505 1");
            }));
            try (GuestSource source = Guests.source(other.location())) {
                try (Guest guest = source.freeze(request)) {
                    assertEquals(Optional.empty(), Generations.violation(guest));
                    String finding = guest.freeze().orElseThrow().findings().getFirst().message();
                    assertTrue(finding.contains("the guest panicked at 2"), finding);
                    assertTrue(finding.contains("its state before the panic"), finding);
                }
            }
            assertEquals("guest-panicked", other.qmp("query-status", Map.of()).path("status").asString());
            try (Guest guest = Guests.open(other.location())) {
                String finding = guest.findings().getFirst().message();
                assertTrue(finding.contains("kernel has panicked"), finding);
            }
            assertFalse(other.isRunning());
        }
    }

    private static void awaitRunning(QemuGuest guest) {
        while (!guest.isRunning()) {
            Thread.onSpinWait();
        }
    }

    /** Runs an action when the first memory has come. */
    private static Progress once(Runnable action) {
        return new Progress() {
            private boolean done;

            @Override
            public void begin(String phase, long totalBytes) {
                // not yet
            }

            @Override
            public void advance(long bytes) {
                if (bytes > 0 && !done) {
                    done = true;
                    action.run();
                }
            }
        };
    }

    private static List<FreezeMethod> methods(List<FreezeChoice> choices) {
        return choices.stream().map(FreezeChoice::method).toList();
    }

    /** Whoever reads a hole of shared memory fills it: a host may have more guests than memory. */
    @Test
    void sharedMemoryThatTheGuestNeverTouchedTakesNoMemoryOfTheHost() throws IOException {
        try (QemuGuest other = QemuGuest.bootSector("pae", "qemu64",
                "-object", "memory-backend-memfd,id=memory,size=64M,share=on", "-machine",
                "pc,memory-backend=memory")) {
            long before = sharedKilobytes(other);
            try (GuestSource source = Guests.source(other.location())) {
                for (FreezeMethod method : List.of(FreezeMethod.DIRECT, FreezeMethod.BUFFER)) {
                    try (Guest guest = source.freeze(FreezeRequest.only(method))) {
                        // Both ways of reading all of it.
                        MemoryScan scan = MemoryScan.run(guest.memory(), Progress.none());
                        assertTrue(scan.zeroPages() > 10_000, scan::toString);
                        guest.memory().readAvailable(1 << 20, MemorySegment.ofArray(new byte[32 << 20]));
                    }
                }
            }
            long after = sharedKilobytes(other);
            assertTrue(after < before + 8_192, "of 64 MiB it had " + before + " KiB and has " + after);
        }
    }

    private static long sharedKilobytes(QemuGuest guest) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + guest.process().pid() + "/status")).stream()
                .filter(line -> line.startsWith("RssShmem:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void withoutRoomInMemoryItIsTakenDirectly() {
        System.setProperty(LIMIT, "1000000");
        try (GuestSource source = Guests.source(qemu.location())) {
            UnsupportedRequestException error = assertThrows(
                    UnsupportedRequestException.class, () -> source.freeze(FreezeRequest.only(FreezeMethod.BUFFER)));
            assertTrue(error.getMessage().contains("of the free memory may be used"), error.getMessage());
            assertTrue(error.getMessage().contains("'direct'"), error.getMessage());
        }
        assertTrue(qemu.isRunning());
    }

    /** NVMe disks of QEMU cannot be migrated, which QEMU says only when it is asked to. */
    @Test
    void whereADeviceRefusesItIsTakenByBufferAndThatIsSaidBeforeItIsFrozen() {
        try (QemuGuest other = QemuGuest.bootSector("generations", "qemu64", "-smp", "2",
                "-blockdev", "driver=null-co,node-name=nothing", "-device", "nvme,drive=nothing,serial=1")) {
            List<FreezeChoice> choices = new ArrayList<>();
            Consumer<FreezeChoice> listener = choice -> {
                assertTrue(other.isRunning(), "said before it is frozen");
                choices.add(choice);
            };
            try (GuestSource source = Guests.source(other.location())) {
                try (Guest guest = source.freeze(FreezeRequest.shortest().withListener(listener))) {
                    assertEquals(FreezeMethod.BUFFER, guest.freeze().orElseThrow().method());
                    assertEquals(Optional.empty(), Generations.violation(guest));
                    assertTrue(other.isRunning());
                }
                assertEquals(FreezeMethod.BUFFER, choices.getLast().method());
                assertTrue(choices.getLast().reason().contains("nvme"), choices.getLast().reason());
                System.setProperty(LIMIT, "1000000");
                choices.clear();
                try (Guest guest = source.freeze(FreezeRequest.shortest().withListener(listener))) {
                    assertEquals(FreezeMethod.DIRECT, guest.freeze().orElseThrow().method());
                    assertEquals(Optional.empty(), Generations.violation(guest));
                }
                assertTrue(choices.getLast().reason().contains("nvme"), choices.getLast().reason());
                assertTrue(choices.getLast().reason().contains("no buffer"), choices.getLast().reason());
                UnsupportedRequestException error = assertThrows(
                        UnsupportedRequestException.class,
                        () -> source.freeze(FreezeRequest.only(FreezeMethod.SNAPSHOT)));
                assertTrue(error.getMessage().contains("nvme"), error.getMessage());
                assertTrue(other.isRunning());
            }
        }
    }

    /** Memory in a file on a disk cannot be protected against writing, which QEMU says beforehand. */
    @Test
    void everyWayReadsMemoryThatIsAFile(@TempDir Path folder) {
        Path memory = folder.resolve("memory");
        try (QemuGuest other = QemuGuest.bootSector("generations", "qemu64", "-smp", "2",
                "-object", "memory-backend-file,id=guest,share=on,size=64M,mem-path=" + memory,
                "-machine", "pc,memory-backend=guest")) {
            try (GuestSource source = Guests.source(other.location())) {
                for (int i = 0; i < 3; i++) {
                    try (Guest guest = source.freeze(FreezeRequest.shortest())) {
                        assertEquals(Optional.empty(), Generations.violation(guest));
                    }
                    try (Guest guest = source.freeze(FreezeRequest.only(FreezeMethod.BUFFER))) {
                        assertEquals(Optional.empty(), Generations.violation(guest));
                    }
                }
            }
        }
    }
}
