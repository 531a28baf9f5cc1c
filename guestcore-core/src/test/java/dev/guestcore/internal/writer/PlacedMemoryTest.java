package dev.guestcore.internal.writer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.WritePlan;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.output.CompanionFiles;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.manifest.Manifest;
import dev.guestcore.manifest.ManifestFiles;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.MadeUpKernel;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A core whose memory comes first, in any order, is the same as one that is written from its start to its end. */
class PlacedMemoryTest {

    private static final int PAGE = 4096;
    private static final long HIGH = 64L << 20;
    private static final MadeUpKernel KERNEL = MadeUpKernel.at(0x1e00000, 0x400000).withNoteAt(0x7000);
    private static final byte[] LOW_BYTES = KERNEL.bytes();
    private static final byte[] HIGH_BYTES = new byte[64 * PAGE];
    private static final byte[] ROM_BYTES = new byte[3 * PAGE];

    private static final Map<MemoryRegion, byte[]> REGIONS = new TreeMap<>((a, b) -> a.range().compareTo(b.range()));

    static {
        Random random = new Random(7);
        for (int page = 0; page < HIGH_BYTES.length; page += 3 * PAGE) {
            byte[] bytes = new byte[PAGE];
            random.nextBytes(bytes);
            System.arraycopy(bytes, 0, HIGH_BYTES, page, PAGE);
        }
        random.nextBytes(ROM_BYTES);
        REGIONS.put(region(0, LOW_BYTES.length, MemoryRegion.Kind.RAM), LOW_BYTES);
        REGIONS.put(region(LOW_BYTES.length, ROM_BYTES.length, MemoryRegion.Kind.ROM), ROM_BYTES);
        REGIONS.put(region(32L << 20, 1 << 20, MemoryRegion.Kind.DEVICE), new byte[0]);
        REGIONS.put(region(HIGH, HIGH_BYTES.length, MemoryRegion.Kind.RAM), HIGH_BYTES);
    }

    @TempDir
    private Path folder;

    private static MemoryRegion region(long first, long size, MemoryRegion.Kind kind) {
        return new MemoryRegion(AddressRange.ofSize(first, size), kind, kind + " at " + first);
    }

    private interface Contents {
        RegionContents of(MemoryRegion region);
    }

    private static Guest guest(RegisterState registers, Contents contents) {
        GuestBuilder builder = Guest.builder().vcpu(0, registers, List.of());
        REGIONS.keySet().forEach(
                region -> builder.region(region, region.hasContent() ? contents.of(region) : RegionContents.absent()));
        return builder.build();
    }

    private static Guest outline() {
        return guest(KERNEL.registers().toBuilder().set(X86.RIP, 0x1234).build(), region -> (offset, target) -> 0);
    }

    private static Guest plain() {
        return guest(KERNEL.registers(), PlacedMemoryTest::known);
    }

    /** It is known which pages are zero, as in a snapshot. */
    private static RegionContents known(MemoryRegion region) {
        byte[] bytes = REGIONS.get(region);
        return new RegionContents() {
            @Override
            public long readAvailable(long offset, MemorySegment target) {
                target.copyFrom(MemorySegment.ofArray(bytes).asSlice(offset, target.byteSize()));
                return target.byteSize();
            }

            @Override
            public Run runAt(long offset, long remaining) {
                boolean zero = isZero(page(region.range().first() + (offset & -PAGE)));
                return new Run(zero ? PageState.ZERO : PageState.PRESENT, PAGE - offset % PAGE);
            }
        };
    }

    private static boolean isZero(byte[] page) {
        return Arrays.equals(page, new byte[PAGE]);
    }

    private static void putAll(PlacedMemory placed, long seed) {
        List<Long> addresses = new ArrayList<>();
        REGIONS.forEach((region, bytes) -> {
            for (long at = 0; at < bytes.length; at += PAGE) {
                addresses.add(region.range().first() + at);
            }
        });
        Collections.shuffle(addresses.subList(100, addresses.size()), new Random(seed));
        byte[] other = new byte[PAGE];
        Arrays.fill(other, (byte) 0x5a);
        MemorySegment reused = MemorySegment.ofArray(new byte[PAGE]);
        for (int i = 0; i < addresses.size(); i++) {
            long address = addresses.get(i);
            byte[] page = page(address);
            if (i % 50 == 0) {
                placed.put(address, MemorySegment.ofArray(other));
            }
            boolean zero = isZero(page);
            if (zero && i % 2 == 0) {
                placed.putZeros(address);
            } else if (!zero || i % 3 != 0 || i % 50 == 0) {
                reused.copyFrom(MemorySegment.ofArray(page));
                placed.put(address, reused);
                reused.fill((byte) 0x77);
            }
        }
    }

    private static byte[] page(long address) {
        for (Map.Entry<MemoryRegion, byte[]> entry : REGIONS.entrySet()) {
            if (entry.getKey().range().contains(address)) {
                int at = (int) (address - entry.getKey().range().first());
                return Arrays.copyOfRange(entry.getValue(), at, at + PAGE);
            }
        }
        throw new AssertionError(Long.toHexString(address));
    }

    static Stream<String> formats() {
        return Guests.formats().stream().filter(CoreFormat::canWrite).map(CoreFormat::name);
    }

    @ParameterizedTest
    @MethodSource("formats")
    void theFileIsTheSame(String format) throws IOException {
        CoreWriter writer = Guests.format(format).writer(Map.of());
        WriteReport expected = writer.write(plain(), folder.resolve("plain"), Progress.none());
        Path file = folder.resolve("placed");
        try (OutputFile output = OutputFile.create(file, OutputFile.IfExists.FAIL)) {
            PlacedMemory placed = new PlacedMemory(output, writer);
            boolean canPlace = placed.begin(outline());
            assertEquals(List.of("elf", "lime", "raw", "vbox", "xen").contains(format), canPlace);
            if (!canPlace) {
                return;
            }
            putAll(placed, 1);
            try (Guest guest = guest(KERNEL.registers(), placed::contents)) {
                WritePlan plan = writer.plan(guest);
                assertSame(output, placed.fileFor(plan));
                assertEquals(expected, plan.write(output.sink(), Progress.none()));
                byte[] all = new byte[HIGH_BYTES.length];
                guest.memory().read(HIGH, MemorySegment.ofArray(all));
                assertArrayEquals(HIGH_BYTES, all);
                assertEquals(PageState.ZERO, guest.memory().runAt(HIGH + PAGE).state());
                assertEquals(2 * PAGE, guest.memory().runAt(HIGH + PAGE).range().size());
                placed.close();
            }
            output.commit();
        }
        assertEquals(-1, Files.mismatch(folder.resolve("plain"), file));
    }

    /** Where memory is already is no matter of the digests, nor is it written twice. */
    @ParameterizedTest
    @ValueSource(strings = {"elf", "lime", "raw", "vbox", "xen"})
    void theManifestIsRight(String format) {
        CoreWriter writer = Guests.format(format).writer(Map.of());
        Path file = folder.resolve("placed");
        try (OutputFile output = OutputFile.create(file, OutputFile.IfExists.FAIL);
                CompanionFiles companions = new CompanionFiles(file, OutputFile.IfExists.FAIL);
                ManifestFiles manifest =
                        ManifestFiles.create(file, Optional.empty(), OutputFile.IfExists.FAIL, "test")) {
            PlacedMemory placed = new PlacedMemory(output, writer);
            assertTrue(placed.begin(outline()));
            putAll(placed, 2);
            try (Guest guest = guest(KERNEL.registers(), placed::contents)) {
                WritePlan plan = writer.plan(guest);
                companions.begin(plan.companions());
                WriteReport report = plan.write(manifest.digesting(output.sink(), guest), Progress.none());
                companions.write();
                manifest.written(guest, report, Progress.none());
            }
            manifest.finish(
                    Optional.of(output), companions.files(), Optional.of(Duration.ofMillis(1)), Progress.none());
            companions.commit(output, manifest.files());
        }
        assertTrue(Manifest.read(Manifest.beside(file)).verify(file, Progress.none()).matches());
    }

    @Test
    void anAttemptThatCameToNothingLeavesNothingBehind() throws IOException {
        CoreWriter writer = Guests.format("vbox").writer(Map.of());
        writer.write(plain(), folder.resolve("plain"), Progress.none());
        try (OutputFile output = OutputFile.create(folder.resolve("placed"), OutputFile.IfExists.FAIL)) {
            PlacedMemory placed = new PlacedMemory(output, writer);
            assertTrue(placed.begin(outline()));
            placed.put(PAGE, MemorySegment.ofArray(ROM_BYTES).asSlice(0, PAGE));
            placed.put(HIGH + PAGE, MemorySegment.ofArray(ROM_BYTES).asSlice(0, PAGE));
            assertTrue(placed.begin(outline()));
            putAll(placed, 3);
            try (Guest guest = guest(KERNEL.registers(), placed::contents)) {
                writer.plan(guest).write(output.sink(), Progress.none());
            }
            output.commit();
        }
        assertEquals(-1, Files.mismatch(folder.resolve("plain"), folder.resolve("placed")));
    }

    @Test
    void aGuestThatIsTakenInAnotherWayAfterThatFindsAnEmptyFile() throws IOException {
        CoreWriter writer = Guests.format("vbox").writer(Map.of());
        writer.write(plain(), folder.resolve("plain"), Progress.none());
        try (OutputFile output = OutputFile.create(folder.resolve("placed"), OutputFile.IfExists.FAIL)) {
            PlacedMemory placed = new PlacedMemory(output, writer);
            assertTrue(placed.begin(outline()));
            putAll(placed, 6);
            placed.put(HIGH + PAGE, MemorySegment.ofArray(ROM_BYTES).asSlice(0, PAGE));
            placed.contents(REGIONS.keySet().iterator().next());
            placed.close();
            WritePlan plan = writer.plan(plain());
            assertSame(output, placed.fileFor(plan));
            plan.write(output.sink(), Progress.none());
            output.commit();
        }
        assertEquals(-1, Files.mismatch(folder.resolve("plain"), folder.resolve("placed")));
    }

    /** One more vCPU than in the outline moves memory on. */
    @Test
    void aGuestThatIsLaidOutInAnotherWayGoesToAnotherFile() throws IOException {
        CoreWriter writer = Guests.format("vbox").writer(Map.of());
        Path file = folder.resolve("placed");
        Path expected = folder.resolve("plain");
        try (OutputFile output = OutputFile.create(file, OutputFile.IfExists.FAIL)) {
            PlacedMemory placed = new PlacedMemory(output, writer);
            assertTrue(placed.begin(outline()));
            putAll(placed, 4);
            GuestBuilder builder = Guest.builder()
                    .vcpu(0, KERNEL.registers(), List.of())
                    .vcpu(1, KERNEL.registers(), List.of());
            REGIONS.keySet().forEach(region -> builder.region(
                    region, region.hasContent() ? placed.contents(region) : RegionContents.absent()));
            try (Guest guest = builder.build()) {
                WritePlan plan = writer.plan(guest);
                try (OutputFile other = placed.fileFor(plan)) {
                    assertNotSame(output, other);
                    plan.write(other.sink(), Progress.none());
                    other.commit();
                }
                writer.write(guest, expected, Progress.none());
            }
        }
        assertEquals(-1, Files.mismatch(expected, file));
        try (Stream<Path> left = Files.list(folder)) {
            assertEquals(2, left.count());
        }
    }

    @Test
    void whatLooksLikeVmcoreInfoInAllPagesIsStillSearched() throws IOException {
        // More than are noted, and only the last one is what it looks like.
        int pages = 4096 + 2;
        MemoryRegion all = region(0, (long) pages * PAGE, MemoryRegion.Kind.RAM);
        byte[] decoy = new byte[PAGE];
        System.arraycopy("OSRELEASE=".getBytes(StandardCharsets.US_ASCII), 0, decoy, 0, 10);
        CoreWriter writer = Guests.format("elf").writer(Map.of());
        Path file = folder.resolve("placed");
        try (OutputFile output = OutputFile.create(file, OutputFile.IfExists.FAIL)) {
            PlacedMemory placed = new PlacedMemory(output, writer);
            Guest outline = Guest.builder()
                    .vcpu(0, KERNEL.registers(), List.of())
                    .region(all, (offset, target) -> 0)
                    .build();
            assertTrue(placed.begin(outline));
            for (int page = 0; page < pages - 1; page++) {
                placed.put((long) page * PAGE, MemorySegment.ofArray(decoy));
            }
            placed.put((pages - 1L) * PAGE, MemorySegment.ofArray(LOW_BYTES).asSlice(0x7000, PAGE));
            try (Guest guest = Guest.builder()
                    .vcpu(0, KERNEL.registers(), List.of())
                    .region(all, placed.contents(all))
                    .build()) {
                writer.plan(guest).write(output.sink(), Progress.none());
            }
            output.commit();
        }
        try (Guest guest = Guests.open(file)) {
            assertTrue(guest.facts().toString().contains("VmcoreInfo"), guest.facts()::toString);
        }
    }

    @Test
    void memoryThatBeginsWithinAPageIsNotPlaced() {
        Guest odd = Guest.builder()
                .vcpu(0, KERNEL.registers(), List.of())
                .region(region(0x800, 3 * PAGE, MemoryRegion.Kind.RAM), (offset, target) -> 0)
                .build();
        try (OutputFile output = OutputFile.create(folder.resolve("placed"), OutputFile.IfExists.FAIL)) {
            PlacedMemory placed = new PlacedMemory(output, Guests.format("vbox").writer(Map.of()));
            assertFalse(placed.begin(odd));
            assertFalse(placed.isUsed());
        }
    }

    @Test
    void nothingIsReadAfterTheGuestIsClosed() {
        try (OutputFile output = OutputFile.create(folder.resolve("placed"), OutputFile.IfExists.FAIL)) {
            PlacedMemory placed = new PlacedMemory(output, Guests.format("vbox").writer(Map.of()));
            assertTrue(placed.begin(outline()));
            putAll(placed, 5);
            RegionContents contents = placed.contents(REGIONS.keySet().iterator().next());
            placed.close();
            assertThrows(IllegalStateException.class,
                    () -> contents.readAvailable(0, MemorySegment.ofArray(new byte[PAGE])));
        }
    }
}
