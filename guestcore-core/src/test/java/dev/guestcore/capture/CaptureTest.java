package dev.guestcore.capture;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Freeze;
import dev.guestcore.FreezeMethod;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.error.CancelledException;
import dev.guestcore.error.MayNotFitException;
import dev.guestcore.error.OutputException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.manifest.Manifest;
import dev.guestcore.open.Guests;
import dev.guestcore.source.FreezeRequest;
import dev.guestcore.source.GuestSource;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CaptureTest {

    @TempDir
    private Path folder;

    private final CountingSource source = new CountingSource(Guests.source("demo:"));

    @AfterEach
    void close() {
        source.close();
    }

    private Capture capture() {
        return Capture.of(source).to(Guests.format("elf").writer(Map.of()));
    }

    private List<String> names() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void writesAFileAndThaws() throws IOException {
        CaptureReport report = capture().write(folder.resolve("a.core"));
        assertEquals(List.of("a.core"), names());
        assertEquals(Files.size(folder.resolve("a.core")), report.written().bytes());
        assertTrue(report.freeze().map(Freeze::wasRunning).orElseThrow());
        assertTrue(report.frozen().isPresent());
        assertEquals(List.of(), report.findings());
        assertEquals(1, source.freezes);
        assertTrue(report.toString().startsWith("capture of 0x"), report.toString());
        try (Guest guest = Guests.open(folder.resolve("a.core"))) {
            assertEquals(source.vcpuCount(), guest.vcpus().size());
        }
    }

    @Test
    void writesAManifestThatHolds() throws IOException {
        Path core = folder.resolve("a.core");
        capture().withManifest().withTool("test").write(core);
        assertEquals(List.of("a.core", "a.core.manifest.json", "a.core.sha256"), names());
        assertEquals("a.core", Manifest.read(Manifest.beside(core)).fileName());
    }

    @Test
    void aStreamIsTheFile() throws IOException {
        Path core = folder.resolve("a.core");
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        // A dump file is of one instant, so that both are of the same.
        capture().write(core);
        try (GuestSource file = Guests.source(core.toString())) {
            CaptureReport report = Capture.of(file)
                    .to(Guests.format("lime").writer(Map.of()))
                    .write(Channels.newChannel(stream), "stream");
            assertEquals(stream.size(), report.written().bytes());
            assertEquals(Optional.empty(), report.frozen());
        }
        try (GuestSource file = Guests.source(core.toString())) {
            Capture.of(file).to(Guests.format("lime").writer(Map.of())).write(folder.resolve("a.lime"));
        }
        assertEquals(-1, Arrays.mismatch(stream.toByteArray(), Files.readAllBytes(folder.resolve("a.lime"))));
    }

    @Test
    void whatIsRefusedIsRefusedBeforeTheGuestStops() throws IOException {
        Path core = Files.writeString(folder.resolve("a.core"), "precious");
        assertThrows(OutputException.class, () -> capture().write(core));
        assertThrows(IllegalStateException.class, () -> Capture.of(source).write(folder.resolve("b.core")));
        assertThrows(
                UnsupportedRequestException.class,
                () -> capture().withManifest().write(Channels.newChannel(new ByteArrayOutputStream()), "stream"));
        assertEquals(0, source.freezes);
        assertEquals("precious", Files.readString(core));
        capture().replacing().write(core);
        assertEquals(1, source.freezes);
        assertTrue(Files.size(core) > 8);
    }

    @Test
    void aLiveGuestThatMayNotFitIsLeftRunning() throws IOException {
        source.huge = true;
        assertThrows(MayNotFitException.class, () -> capture().write(folder.resolve("a.core")));
        assertEquals(0, source.freezes);
        assertEquals(List.of(), names());
        capture().intoAnyRoom().write(folder.resolve("a.core"));
        assertEquals(1, source.freezes);
    }

    @Test
    void cancellingLeavesNothingAndThaws() throws IOException {
        Progress cancelled = new Progress() {
            @Override
            public void begin(String phase, long totalBytes) {
                // it is cancelled in the middle
            }

            @Override
            public void advance(long bytes) {
                throw new CancelledException();
            }
        };
        assertThrows(
                CancelledException.class,
                () -> capture()
                        .freezing(FreezeRequest.only(FreezeMethod.DIRECT))
                        .withProgress(cancelled)
                        .withManifest()
                        .write(folder.resolve("a.core")));
        assertEquals(List.of(), names());
        assertFalse(source.isFrozen(), "runs on");
    }

    /** The demo guest, counted. */
    private static final class CountingSource implements GuestSource {

        private final GuestSource demo;
        private int freezes;
        private boolean huge;
        private Optional<Guest> last = Optional.empty();

        CountingSource(GuestSource demo) {
            this.demo = demo;
        }

        boolean isFrozen() {
            Duration before = elapsed();
            LockSupport.parkNanos(2_000_000);
            return !elapsed().equals(before);
        }

        private Duration elapsed() {
            return last.flatMap(Guest::freeze).map(Freeze::elapsed).orElseThrow();
        }

        @Override
        public String description() {
            return demo.description();
        }

        @Override
        public boolean isLive() {
            return demo.isLive();
        }

        @Override
        public int vcpuCount() {
            return demo.vcpuCount();
        }

        @Override
        public List<MemoryRegion> regions() {
            return huge
                    ? List.of(new MemoryRegion(AddressRange.ofSize(0, 1L << 60), MemoryRegion.Kind.RAM, ""))
                    : demo.regions();
        }

        @Override
        public void prepare() {
            demo.prepare();
        }

        @Override
        public Guest freeze() {
            freezes++;
            Guest guest = demo.freeze();
            last = Optional.of(guest);
            return guest;
        }

        @Override
        public Guest freeze(FreezeRequest request) {
            freezes++;
            Guest guest = demo.freeze(request);
            last = Optional.of(guest);
            return guest;
        }

        @Override
        public void close() {
            demo.close();
        }
    }
}
