package dev.guestcore.inspect;

import static dev.guestcore.inspect.MadeUp.GIB;
import static dev.guestcore.inspect.MadeUp.MIB;
import static dev.guestcore.inspect.MadeUp.TIB;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
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
import dev.guestcore.error.CancelledException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class GuestComparisonTest {

    private static GuestComparison compare(Guest a, Guest b) {
        return GuestComparison.compare(a, b, Progress.none());
    }

    @Test
    void aGuestIsIdenticalToItself() {
        Guest guest = MadeUp.pc();
        GuestComparison comparison = compare(guest, guest);
        assertTrue(comparison.isIdentical());
        assertEquals(640 * 1024 + 63 * MIB + 2 * 64 * 1024, comparison.comparedBytes());
        assertEquals(8 * MIB, comparison.unknownBytes());
        assertEquals(OptionalLong.empty(), comparison.firstDifference());
    }

    @Test
    void findsBytesThatDiffer() {
        byte[] bytesA = new byte[8 * 4096];
        new Random(3).nextBytes(bytesA);
        byte[] bytesB = bytesA.clone();
        bytesB[4095] ^= 1;
        bytesB[4096] ^= 1;
        bytesB[4 * 4096 + 17] ^= 1;
        bytesB[4 * 4096 + 19] ^= 1;
        Guest a = Guest.builder().ram(MIB, MemorySegment.ofArray(bytesA)).build();
        Guest b = Guest.builder().ram(MIB, MemorySegment.ofArray(bytesB)).build();
        GuestComparison comparison = compare(a, b);
        assertFalse(comparison.isSameMemory());
        assertTrue(comparison.isSameRegisters());
        assertEquals(4, comparison.differingBytes());
        assertEquals(3, comparison.differing().pages());
        assertEquals(
                List.of(
                        AddressRange.ofSize(MIB, 2 * 4096),
                        AddressRange.ofSize(MIB + 4 * 4096, 4096)),
                comparison.differing().listed());
        assertEquals(OptionalLong.of(MIB + 4095), comparison.firstDifference());
        assertEquals(bytesA.length, comparison.comparedBytes());
    }

    @Test
    void storedZerosEqualKnownZeros() {
        Guest stored = Guest.builder().ram(0, MemorySegment.ofArray(new byte[1 << 20])).build();
        Guest known = Guest.builder().region(MadeUp.ram(0, MIB), RegionContents.zeros()).build();
        assertTrue(compare(stored, known).isIdentical());
        byte[] oneByte = new byte[1 << 20];
        oneByte[77_777] = 1;
        Guest other = Guest.builder().ram(0, MemorySegment.ofArray(oneByte)).build();
        assertEquals(OptionalLong.of(77_777), compare(known, other).firstDifference());
    }

    @Test
    void tellsMissingMemoryFromDifferentMemory() {
        Guest a = Guest.builder()
                .region(MadeUp.ram(0, MIB), MadeUp.failing(page -> 7, Set.of(3L, 4L)))
                .region(MadeUp.ram(MIB, MIB), MadeUp.in(PageState.EXCLUDED))
                .region(MadeUp.ram(2 * MIB, MIB), MadeUp.in(PageState.UNREADABLE))
                .region(MadeUp.ram(3 * MIB, MIB), MadeUp.pages(page -> 1))
                .device(16 * MIB, 4096, "only in a")
                .build();
        Guest b = Guest.builder()
                .region(MadeUp.ram(0, MIB), MadeUp.failing(page -> 7, Set.of(4L, 9L)))
                .region(MadeUp.ram(MIB, MIB), MadeUp.in(PageState.UNREADABLE))
                .region(MadeUp.ram(2 * MIB, MIB), MadeUp.in(PageState.UNREADABLE))
                .device(3 * MIB, MIB / 2, "device")
                .region(MadeUp.ram(8 * MIB, MIB), MadeUp.pages(page -> 1))
                .build();
        GuestComparison comparison = compare(a, b);
        assertTrue(comparison.differing().isEmpty());
        assertFalse(comparison.isSameMemory());
        assertEquals(4096 + MIB, comparison.unknownBytes());
        assertEquals(MIB - 3 * 4096, comparison.comparedBytes());
        assertEquals(
                List.of(
                        state(PageState.PRESENT, PageState.UNREADABLE, 9 * 4096, 4096),
                        state(PageState.PRESENT, PageState.ABSENT, 3 * MIB, MIB / 2),
                        state(PageState.EXCLUDED, PageState.UNREADABLE, MIB, MIB),
                        state(PageState.UNREADABLE, PageState.PRESENT, 3 * 4096, 4096)),
                comparison.states());
        assertEquals(
                List.of(new KindDifference(
                        MemoryRegion.Kind.RAM, MemoryRegion.Kind.DEVICE, tally(3 * MIB, MIB / 2))),
                comparison.kinds());
        assertEquals(tally(3 * MIB + MIB / 2, MIB / 2), comparison.onlyInA());
        assertEquals(tally(8 * MIB, MIB), comparison.onlyInB());
        assertEquals(tally(16 * MIB, 4096), comparison.devicesOnlyInA());
        assertTrue(comparison.devicesOnlyInB().isEmpty());
    }

    private static StateDifference state(PageState inA, PageState inB, long first, long size) {
        return new StateDifference(inA, inB, tally(first, size));
    }

    private static RangeTally tally(long first, long size) {
        return new RangeTally(size, size / 4096, 1, List.of(AddressRange.ofSize(first, size)));
    }

    @Test
    void comparesRegisters() {
        RegisterState inA = RegisterState.builder().set(X86.RAX, 1).set(X86.RBX, 2).set(X86.CR3, 0x1000).build();
        RegisterState inB = RegisterState.builder().set(X86.RAX, 1).set(X86.RBX, 3).set(X86.EFER, 0xd01).build();
        Guest a = Guest.builder().vcpu(inA).vcpu(inA).build();
        Guest b = Guest.builder().vcpu(inA).vcpu(inB).vcpu(inB).build();
        GuestComparison comparison = compare(a, b);
        assertFalse(comparison.isSameRegisters());
        assertEquals(2, comparison.vcpuCountA());
        assertEquals(3, comparison.vcpuCountB());
        List<RegisterDifference> expected = List.of(
                new RegisterDifference(X86.RBX, Optional.of("0x2"), Optional.of("0x3")),
                new RegisterDifference(X86.CR3, Optional.of("0x1000"), Optional.empty()),
                new RegisterDifference(X86.EFER, Optional.empty(), Optional.of("0xd01")));
        assertEquals(List.of(new VcpuDifference(1, expected)), comparison.vcpus());
        assertTrue(expected.getFirst().isKnownInBoth());
        assertFalse(expected.getLast().isKnownInBoth());
    }

    /** Every guest is made of regions that begin and end anywhere; both directions must mirror each other. */
    @Test
    @Tag("slow")
    void isSymmetricForAnyPairOfGuests() {
        for (int seed = 0; seed < 30; seed++) {
            Guest a = anyGuest(new Random(2L * seed));
            Guest b = anyGuest(new Random(2L * seed + 1));
            GuestComparison ab = compare(a, b);
            GuestComparison ba = compare(b, a);
            assertEquals(ab.differing(), ba.differing());
            assertEquals(ab.differingBytes(), ba.differingBytes());
            assertEquals(ab.firstDifference(), ba.firstDifference());
            assertEquals(ab.comparedBytes(), ba.comparedBytes());
            assertEquals(ab.onlyInA(), ba.onlyInB());
            assertEquals(ab.onlyInB(), ba.onlyInA());
            assertEquals(ab.devicesOnlyInA(), ba.devicesOnlyInB());
            assertEquals(mirrored(ab.states()), Set.copyOf(ba.states()));
            assertEquals(ab.unknownBytes(), ba.unknownBytes());
            assertEquals(countByHand(a, b), ab.differingBytes(), "seed " + seed);
            assertTrue(compare(a, a).isIdentical());
        }
    }

    private static Set<StateDifference> mirrored(List<StateDifference> differences) {
        List<StateDifference> mirrored = new ArrayList<>();
        differences.forEach(one -> mirrored.add(new StateDifference(one.inB(), one.inA(), one.ranges())));
        return Set.copyOf(mirrored);
    }

    private static final int ANY_SPAN = 1 << 17;

    private static Guest anyGuest(Random random) {
        GuestBuilder builder = Guest.builder();
        int at = random.nextInt(5000);
        while (at < ANY_SPAN) {
            int size = 1 + random.nextInt(20_000);
            MemoryRegion region = MadeUp.ram(at, size);
            switch (random.nextInt(5)) {
                case 0 -> builder.region(region, RegionContents.zeros());
                case 1 -> builder.region(region, MadeUp.cut(new byte[size / 2], PageState.UNREADABLE));
                case 2 -> builder.device(at, size, "device");
                case 3 -> builder.region(region, MadeUp.failing(page -> page % 3, Set.of(1L)));
                default -> builder.region(region, MadeUp.pages(page -> 0x100000001L * (page % 2)));
            }
            at += size + (random.nextBoolean() ? 0 : random.nextInt(9000));
        }
        return builder.build();
    }

    /** Byte by byte, but in pages of which one side lacks a part, nothing can be compared. */
    private static long countByHand(Guest a, Guest b) {
        long count = 0;
        for (long at = 0; at < ANY_SPAN + 50_000; at++) {
            byte[] inA = new byte[1];
            byte[] inB = new byte[1];
            if (a.memory().readAvailable(at, MemorySegment.ofArray(inA)) == 1
                    && b.memory().readAvailable(at, MemorySegment.ofArray(inB)) == 1
                    && inA[0] != inB[0]
                    && !isBesideFailure(a, b, at)) {
                count++;
            }
        }
        return count;
    }

    /**
     * Pages fail to read at their offset in the region, which is not the page of the address: the rest of such a page,
     * up to the end of what the states of both sides have in common, is told as unreadable too.
     */
    private static boolean isBesideFailure(Guest a, Guest b, long at) {
        long pageFirst = at & ~4095L;
        for (Guest guest : List.of(a, b)) {
            long from = Math.max(pageFirst, Math.max(startOfPiece(a, at), startOfPiece(b, at)));
            long to = Math.min(at | 4095L, Math.min(endOfPiece(a, at), endOfPiece(b, at)));
            byte[] bytes = new byte[(int) (to - from + 1)];
            if (guest.memory().readAvailable(from, MemorySegment.ofArray(bytes)) < bytes.length) {
                return true;
            }
        }
        return false;
    }

    private static long endOfPiece(Guest guest, long at) {
        return guest.memory().runAt(at).range().last();
    }

    private static long startOfPiece(Guest guest, long at) {
        AddressRange region = guest.memory().regionAt(at).orElseThrow().range();
        long start = region.first();
        while (guest.memory().runAt(start).range().last() < at) {
            start = guest.memory().runAt(start).range().last() + 1;
        }
        return start;
    }

    @Test
    void terabytesOfZerosCostNothing() {
        byte[] bytes = new byte[4096];
        bytes[0] = 1;
        Guest a = Guest.builder()
                .region(MadeUp.ram(0, 8 * TIB), RegionContents.zeros())
                .ram(16 * TIB, MemorySegment.ofArray(bytes))
                .build();
        Guest b = Guest.builder()
                .region(MadeUp.ram(GIB, 7 * TIB), RegionContents.zeros())
                .ram(16 * TIB, MemorySegment.ofArray(new byte[4096]))
                .build();
        GuestComparison comparison = assertTimeoutPreemptively(Duration.ofSeconds(10), () -> compare(a, b));
        assertEquals(TIB, comparison.onlyInA().bytes());
        assertEquals(2, comparison.onlyInA().rangeCount());
        assertEquals(7 * TIB + 4096, comparison.comparedBytes());
        assertEquals(OptionalLong.of(16 * TIB), comparison.firstDifference());
    }

    @Test
    @Tag("slow")
    void takesAMillionRegions() {
        Guest a = Guest.builder().build(new MadeUp.ManyRegions(1_000_000, 8192, MadeUp.pages(page -> 1)));
        Guest b = Guest.builder().build(new MadeUp.ManyRegions(1_000_000, 8192, MadeUp.pages(page -> 2)));
        GuestComparison comparison = compare(a, b);
        assertEquals(1_000_000, comparison.differing().pages());
        assertEquals(1_000_000, comparison.differing().rangeCount());
        assertEquals(1000, comparison.differing().listed().size());
        assertEquals(512_000_000, comparison.differingBytes());
    }

    @Test
    void progressAddsUpAndCancels() {
        MadeUp.Counting whole = new MadeUp.Counting(Long.MAX_VALUE);
        GuestComparison.compare(MadeUp.pc(), MadeUp.pc(), whole);
        assertEquals(whole.total, whole.done);
        MadeUp.Counting cancelling = new MadeUp.Counting(8 * MIB);
        assertThrows(
                CancelledException.class, () -> GuestComparison.compare(MadeUp.pc(), MadeUp.pc(), cancelling));
    }
}
