package dev.guestcore.format.xenlegacy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.RawContext;
import dev.guestcore.Vcpu;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.facts.XenFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.Probe;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.ElfFiles;
import dev.guestcore.testing.Patterns;
import dev.guestcore.testing.Samples;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class XenLegacyFormatTest {

    @TempDir
    private Path folder;

    private static byte[] dump(int magic, ByteOrder order, List<byte[]> contexts, int width, long[] frames,
            byte[] pages) {
        int contextBytes = contexts.stream().mapToInt(context -> context.length).sum();
        int list = 24 + contextBytes;
        int first = list + frames.length * width + 4095 & ~4095;
        ByteBuffer file = ByteBuffer.allocate(first + pages.length).order(order);
        file.putInt(magic).putInt(contexts.size()).putInt(frames.length).putInt(24).putInt(list).putInt(first);
        contexts.forEach(file::put);
        for (long frame : frames) {
            if (width == 8) {
                file.putLong(frame);
            } else {
                file.putInt((int) frame);
            }
        }
        file.put(first, pages);
        return file.array();
    }

    private Path file(byte[] content) {
        return ElfFiles.write(folder.resolve("dump"), content);
    }

    private static byte[] read(GuestMemory memory, long address, int size) {
        byte[] bytes = new byte[size];
        memory.read(address, MemorySegment.ofArray(bytes));
        return bytes;
    }

    /** A dump of a real guest in today's form, put into the old one: contexts, frames and pages are the hypervisor's. */
    @Test
    void agreesWithTheDumpCoreOfTheSameGuest() {
        for (String sample : List.of("xen/pv64-mini", "xen/pv32-mini")) {
            try (Guest core = Guests.open(Samples.core(sample))) {
                FrameTable table = core.facts(XenFacts.class).orElseThrow().frames().orElseThrow();
                List<Long> frames = new ArrayList<>();
                for (long i = 0; i < Math.min(table.size(), 500); i++) {
                    if (table.mfn(i) != FrameTable.INVALID) {
                        frames.add(table.mfn(i));
                    }
                }
                GuestMemory machine = core.machineMemory().orElseThrow();
                byte[] pages = new byte[frames.size() * 4096];
                for (int i = 0; i < frames.size(); i++) {
                    System.arraycopy(read(machine, frames.get(i) << 12, 4096), 0, pages, i * 4096, 4096);
                }
                int size = sample.contains("32") ? 2800 : 5168;
                List<byte[]> contexts = core.vcpus().stream()
                        .map(vcpu -> Arrays.copyOf(vcpu.rawContexts().getFirst().bytes(), size))
                        .toList();
                long[] list = frames.stream().mapToLong(Long::longValue).toArray();
                Path path = file(dump(0xf00febed, ByteOrder.LITTLE_ENDIAN, contexts, 8, list, pages));
                try (Guest legacy = Guests.open(path)) {
                    assertEquals("xen-legacy", legacy.provenance().format());
                    assertEquals(
                            core.vcpus().stream().map(Vcpu::registers).toList(),
                            legacy.vcpus().stream().map(Vcpu::registers).toList());
                    for (int i = 0; i < list.length; i++) {
                        byte[] page = Arrays.copyOfRange(pages, i * 4096, i * 4096 + 4096);
                        assertArrayEquals(page, read(legacy.machineMemory().orElseThrow(), list[i] << 12, 4096));
                        assertArrayEquals(page, read(legacy.memory(), i * 4096L, 4096));
                    }
                    assertTrue(legacy.findings().getFirst().message().contains("shown in the order of the file"));
                    assertEquals(sample.contains("32") ? 4 : 8,
                            legacy.facts(XenFacts.class).orElseThrow().guestWidth());
                }
            }
        }
    }

    @Test
    void readsBothWidthsAndHoles() {
        byte[] pages = Patterns.bytes(4 * 4096, 1);
        for (int width : new int[] {4, 8}) {
            long[] frames = {7, -1, 5, 6};
            List<byte[]> contexts = List.of(new byte[2800]);
            try (Guest guest = Guests.open(
                    file(dump(0xf00febee, ByteOrder.LITTLE_ENDIAN, contexts, width, frames, pages)))) {
                assertEquals("hvm", guest.provenance().layout());
                assertEquals(
                        List.of(new AddressRange(0, 0xfff), new AddressRange(0x2000, 0x3fff)),
                        guest.memory().regions().stream().map(MemoryRegion::range).toList());
                GuestMemory machine = guest.machineMemory().orElseThrow();
                assertEquals(2, machine.regions().size());
                assertArrayEquals(Arrays.copyOf(pages, 4096), read(machine, 0x7000, 4096));
                assertArrayEquals(Arrays.copyOfRange(pages, 0x2000, 0x4000), read(machine, 0x5000, 0x2000));
                assertTrue(guest.findings().isEmpty(), guest.findings()::toString);
            }
        }
    }

    @Test
    void keepsContextsOfOtherSizesRaw() {
        byte[] dump =
                dump(0xf00febed, ByteOrder.BIG_ENDIAN, List.of(new byte[1000]), 8, new long[] {1}, new byte[4096]);
        try (Guest guest = Guests.open(file(dump))) {
            assertEquals(Architecture.UNKNOWN, guest.architecture());
            assertEquals(
                    List.of(new RawContext("xen.vcpu_guest_context", new byte[1000])),
                    guest.vcpus().getFirst().rawContexts());
            assertTrue(guest.vcpus().getFirst().registers().known().isEmpty());
        }
    }

    private static byte[] small() {
        return dump(0xf00febed, ByteOrder.LITTLE_ENDIAN, List.of(Patterns.bytes(2800, 1)), 4, new long[] {3, 4},
                Patterns.bytes(8192, 2));
    }

    @Test
    void saysWhatIsWrong() {
        Path cut = file(Arrays.copyOf(small(), 4096 + 5000));
        try (Guest guest = Guests.open(cut)) {
            assertEquals(
                    cut + ": at offset 0x2388: pages: expected 2 pages up to offset 0x3000, found the end of the file; the"
                            + " rest of the memory is lost",
                    guest.findings().getFirst().message());
            assertEquals(PageState.UNREADABLE, guest.memory().runAt(5000).state());
        }
        byte[] odd = small();
        ByteBuffer.wrap(odd).order(ByteOrder.LITTLE_ENDIAN).putInt(20, 4097);
        Path path = file(odd);
        assertEquals(
                path + ": at offset 0x14: offset of the pages: expected a multiple of 4096, at least 2824, found 4097; the"
                        + " header is damaged",
                assertThrows(MalformedDumpException.class, () -> Guests.open(path)).getMessage());
        byte[] many = small();
        ByteBuffer.wrap(many).order(ByteOrder.LITTLE_ENDIAN).putInt(8, -1);
        Path full = file(many);
        assertEquals(
                full + ": at offset 0x8: number of pages: expected at most 318, for which the list has room, found"
                        + " 4294967295; the header is damaged",
                assertThrows(MalformedDumpException.class, () -> Guests.open(full)).getMessage());
        try (FileBytes file = FileBytes.open(file(new byte[100]))) {
            assertEquals("does not begin with f00febed or f00febee", new XenLegacyFormat().probe(file).reason());
        }
        assertFalse(new XenLegacyFormat().canWrite());
        assertThrows(UnsupportedRequestException.class, () -> new XenLegacyFormat().writer(Map.of()));
    }

    @Test
    void verifies() {
        try (FileBytes file = FileBytes.open(file(small()))) {
            List<Check> checks = new XenLegacyFormat().rules(file, true, Progress.none());
            assertTrue(checks.stream().allMatch(check -> check.result() == Check.Result.PASS), checks::toString);
            assertEquals(6, checks.size());
        }
    }

    private void openAndReadAll(byte[] content) {
        Path path = file(content);
        try (FileBytes file = FileBytes.open(path)) {
            new XenLegacyFormat().rules(file, true, Progress.none());
            if (new XenLegacyFormat().probe(file).match() == Probe.Match.EXACT) {
                try (Guest guest = new XenLegacyFormat().open(file)) {
                    byte[] page = new byte[4096];
                    for (GuestMemory memory : List.of(guest.memory(), guest.machineMemory().orElseThrow())) {
                        memory.regions().forEach(
                                region -> memory.readAvailable(region.range().first(), MemorySegment.ofArray(page)));
                    }
                }
            }
        } catch (GuestcoreException e) {
            assertTrue(e.getMessage().startsWith(path.toString()), e.getMessage());
        }
    }

    @Test
    @Tag("slow")
    void survivesTruncationAndFlippedBytes() {
        byte[] good = small();
        for (int length = 0; length < good.length; length += length < 3000 ? 1 : 97) {
            openAndReadAll(Arrays.copyOf(good, length));
        }
        Random random = new Random(20260105);
        for (int round = 0; round < 2000; round++) {
            byte[] damaged = good.clone();
            damaged[random.nextInt(round % 2 == 0 ? 24 : 4096)] = (byte) random.nextInt();
            openAndReadAll(damaged);
        }
    }

    @Test
    void opensAMillionPagesWithinTheHeap() {
        int count = 1_000_000;
        long[] frames = new long[count];
        for (int i = 0; i < count; i++) {
            frames[i] = 3L * (count - i);
        }
        Path path = file(dump(0xf00febed, ByteOrder.LITTLE_ENDIAN, List.of(new byte[5168]), 8, frames, new byte[4096]));
        try (Guest guest = Guests.open(path)) {
            assertEquals(count, guest.machineMemory().orElseThrow().regions().size());
            assertEquals(4096, read(guest.machineMemory().orElseThrow(), 3L * count << 12, 4096).length);
        }
    }
}
