package dev.guestcore.format.vbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.WriteReport;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.AbstractList;
import java.util.List;
import java.util.Optional;
import java.util.RandomAccess;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Guests in very many pieces, and at the end of the address space. */
@Tag("slow")
class ManyRangesTest {

    @TempDir
    private Path folder;

    /** Pages at even distances, each its own region that holds its page number in every byte. */
    private record Comb(int count, long distance) implements GuestMemory {

        @Override
        public List<MemoryRegion> regions() {
            return new Regions(this);
        }

        private MemoryRegion region(long index) {
            return new MemoryRegion(AddressRange.ofSize(index * distance, 4096), MemoryRegion.Kind.RAM, "");
        }

        @Override
        public Optional<MemoryRegion> regionAt(long address) {
            long index = address / distance;
            return index < count && address % distance < 4096 ? Optional.of(region(index)) : Optional.empty();
        }

        @Override
        public PageRun runAt(long address) {
            return regionAt(address)
                    .map(region -> new PageRun(new AddressRange(address, region.range().last()), PageState.PRESENT))
                    .orElseThrow();
        }

        @Override
        public long readAvailable(long address, MemorySegment target) {
            long length = Math.min(target.byteSize(), 4096 - address % distance % 4096);
            target.asSlice(0, length).fill((byte) (address / distance));
            return length;
        }

        private static final class Regions extends AbstractList<MemoryRegion> implements RandomAccess {

            private final Comb comb;

            Regions(Comb comb) {
                this.comb = comb;
            }

            @Override
            public MemoryRegion get(int index) {
                return comb.region(index);
            }

            @Override
            public int size() {
                return comb.count;
            }
        }
    }

    private static Guest guest(int count, long distance) {
        return Guest.builder().facts(SmallCore.facts()).build(new Comb(count, distance));
    }

    /** A guest of that many zero pages, none adjacent to another. */
    static Guest zeroPages(int count) {
        return Guest.builder().facts(SmallCore.facts()).build(new ZeroComb(new Comb(count, 8192)));
    }

    @Test
    void mergesAdjacentRangesOnlyWhereTheyAreTooMany() {
        assertEquals(64 + 56 * 65535L + 44 + 65534 * 4096L, VmCoreWriter.newest().plan(guest(65534, 4096)).size());
        assertEquals(64 + 56 * 2 + 44 + 65535 * 4096L, VmCoreWriter.newest().plan(guest(65535, 4096)).size());
        assertEquals(
                "borders between adjacent memory regions of one kind",
                VmCoreWriter.newest().plan(guest(65535, 4096)).losses().getFirst().what());
    }

    @Test
    void refusesTooManyRangesBeforeAnythingIsWritten() throws Exception {
        Path file = folder.resolve("none");
        UnsupportedRequestException error = assertThrows(
                UnsupportedRequestException.class,
                () -> VmCoreWriter.newest().write(guest(65535, 8192), file, Progress.none()));
        assertEquals(
                "this guest has 65535 memory ranges that cannot be merged, and a VMCore holds 65534; allow a larger"
                        + " number with the option large-phnum, which VirtualBox never writes, or choose another format",
                error.getMessage());
        try (var left = Files.list(folder)) {
            assertEquals(0, left.count());
        }
    }

    @Test
    void writesAndReadsAMillionRangesInLittleMemory() {
        int count = 1_000_000;
        Path file = folder.resolve("million");
        // Zero pages become holes, so the file takes little of the disk.
        Guest source = zeroPages(count);
        WriteReport report = VmCoreWriter.newest().withLargePhnum().write(source, file, Progress.none());
        assertEquals(64 + 56L * (count + 1) + 64 + 44 + count * 4096L, report.bytes());
        try (Guest guest = Guests.open(file)) {
            assertEquals(count, guest.memory().regions().size());
            assertEquals(999_999 * 8192L, guest.memory().regions().getLast().range().first());
            assertEquals(PageState.PRESENT, guest.memory().runAt(500_000 * 8192L).state());
            assertEquals(PageState.ABSENT, guest.memory().runAt(500_000 * 8192L + 4096).state());
            assertEquals(report.bytes(), VmCoreWriter.newest().withLargePhnum().plan(guest).size());
        }
    }

    /** The same ranges, all zero. */
    private record ZeroComb(Comb comb) implements GuestMemory {

        @Override
        public List<MemoryRegion> regions() {
            return comb.regions();
        }

        @Override
        public Optional<MemoryRegion> regionAt(long address) {
            return comb.regionAt(address);
        }

        @Override
        public PageRun runAt(long address) {
            return new PageRun(comb.runAt(address).range(), PageState.ZERO);
        }

        @Override
        public long readAvailable(long address, MemorySegment target) {
            throw new AssertionError("nobody reads pages that are known to be zero");
        }
    }

    @Test
    void sortsAMillionRangesOutsideTheHeap() throws Exception {
        int count = 1_000_000;
        Path file = folder.resolve("reversed");
        Guest source = zeroPages(count);
        VmCoreWriter.newest().withLargePhnum().write(source, file, Progress.none());
        reverse(file, count);
        try (Guest guest = Guests.open(file)) {
            assertEquals(count, guest.memory().regions().size());
            assertEquals(8192, guest.memory().regions().get(1).range().first());
            assertTrue(guest.findings().stream()
                    .anyMatch(finding -> finding.severity() == Severity.DAMAGE
                            && finding.message().contains("not in ascending order")));
        }
    }

    private static void reverse(Path file, int count) throws Exception {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
                Arena arena = Arena.ofConfined()) {
            MemorySegment table = channel.map(FileChannel.MapMode.READ_WRITE, 120, count * 56L, arena);
            MemorySegment left = arena.allocate(56);
            for (long i = 0; i < count / 2; i++) {
                MemorySegment mirror = table.asSlice((count - 1 - i) * 56, 56);
                left.copyFrom(table.asSlice(i * 56, 56));
                table.asSlice(i * 56, 56).copyFrom(mirror);
                mirror.copyFrom(left);
            }
        }
    }

    @Test
    void takesALiteral65535AsVirtualBoxWritesIt() {
        Path file = folder.resolve("literal");
        Guest source = zeroPages(65534);
        VmCoreWriter.newest().write(source, file, Progress.none());
        try (FileBytes bytes = FileBytes.open(file)) {
            assertEquals(0xff, bytes.u8(56, "e_phnum"));
            assertEquals(0xff, bytes.u8(57, "e_phnum"));
            List<Check> notes = new VmCoreFormat().verify(bytes, false, Progress.none());
            assertTrue(notes.stream()
                    .anyMatch(check -> check.id().equals("vbox-10") && check.result() == Check.Result.NOTE));
        }
        try (Guest guest = Guests.open(file)) {
            assertEquals(65534, guest.memory().regions().size());
            assertEquals(
                    Finding.note(file + ": at offset 0x38: e_phnum: found 65535 and no section header 0; taken"
                            + " literally: VirtualBox silently drops all ranges after the first 65534, so some"
                            + " may be missing"),
                    guest.findings().getFirst());
        }
    }

    @Test
    void reachesTheEndOfTheAddressSpace() {
        Guest source = Guest.builder()
                .facts(SmallCore.facts())
                .ram(-0x2000L, MemorySegment.ofArray(SmallCore.pattern(0x2000, 3)))
                .build();
        try (Guest guest = SmallCore.open(folder, SmallCore.bytes(source, VmCoreWriter.newest()))) {
            byte[] bytes = new byte[0x3000];
            assertEquals(0x1000, guest.memory().readAvailable(-0x1000L, MemorySegment.ofArray(bytes)));
            assertEquals(SmallCore.pattern(0x2000, 3)[0x1fff], bytes[0xfff]);
            assertEquals(new AddressRange(-0x10L, -1L), guest.memory().runAt(-0x10L).range());
            assertFalse(guest.memory().regionAt(0).isPresent());
        }
    }

    @Test
    void writesAGuestWithoutMemory() {
        Guest empty = Guest.builder().facts(SmallCore.facts()).build();
        byte[] bytes = SmallCore.bytes(empty, VmCoreWriter.newest());
        assertEquals(64 + 56 + 44, bytes.length);
        try (Guest guest = SmallCore.open(folder, bytes)) {
            assertEquals(List.of(), guest.memory().regions());
            assertEquals(List.of(), guest.vcpus());
        }
    }
}
