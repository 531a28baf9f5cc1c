package dev.guestcore.address;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.cpu.UnknownRegisterException;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.FrameTable;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

class AddressSpaceTest {

    private static final long PG = 0x8000_0000L;
    private static final long PSE = 0x10;
    private static final long PAE = 0x20;
    private static final long LA57 = 0x1000;
    private static final long LMA_NXE = 0xd01;
    private static final long NX = 1L << 63;

    private static RegisterState registers(long cr0, long cr3, long cr4, long efer) {
        return RegisterState.builder()
                .set(X86.CR0, cr0)
                .set(X86.CR3, cr3)
                .set(X86.CR4, cr4)
                .set(X86.EFER, efer)
                .build();
    }

    private static Guest guest(MadeUpTables tables, RegisterState registers) {
        return Guest.builder().ram(0, tables.segment()).vcpu(registers).build();
    }

    private static AddressSpace space(MadeUpTables tables, RegisterState registers) {
        Guest guest = guest(tables, registers);
        return AddressSpace.of(guest, guest.vcpus().getFirst());
    }

    private static AddressSpace space(MadeUpTables tables, RegisterState registers, TranslationOptions options) {
        Guest guest = guest(tables, registers);
        return AddressSpace.of(guest, guest.vcpus().getFirst(), options);
    }

    private static List<String> list(AddressSpace space) {
        List<String> lines = new ArrayList<>();
        space.mappings(mapping -> lines.add(mapping.range() + " " + mapping.rights() + " "
                + Long.toHexString(mapping.pageSize()) + " -> " + Long.toHexString(mapping.physical().value())
                + (mapping.contiguous() ? "" : " scattered")));
        return lines;
    }

    private static long physical(AddressSpace space, long virtual) {
        return space.translate(virtual).physical().orElseThrow().value();
    }

    private static Translation.Outcome outcome(AddressSpace space, long virtual) {
        return space.translate(virtual).outcome();
    }

    @Test
    void withoutPagingAddressesAreThemselves() {
        AddressSpace space = space(new MadeUpTables(1), registers(0x11, 0, 0, 0));
        assertEquals(X86PagingMode.NONE, space.paging().mode());
        assertEquals(0xfffff000L, physical(space, 0xfffff000L));
        assertEquals(Translation.Outcome.NOT_CANONICAL, outcome(space, 0x1_0000_0000L));
        assertEquals(List.of("0x0-0xffffffff rwxu- 100000000 -> 0"), list(space));
    }

    @Test
    void twoLevelsWithFourMegabytePages() {
        MadeUpTables tables = new MadeUpTables(8)
                .entry32(0x1000, 0, 0x2007)
                .entry32(0x2000, 5, 0x3003)
                .entry32(0x1000, 1, 0x0040_0083L)
                .entry32(0x1000, 2, 0x0080_0085L | 0x3 << 13)
                .entry32(0x1000, 3, 0x00c0_0083L | 1 << 21);
        AddressSpace space = space(tables, registers(PG | 1, 0x1018, PSE, 0));
        assertEquals(X86PagingMode.TWO_LEVEL, space.paging().mode());
        assertEquals(0x3abcL, physical(space, 0x5abc));
        assertEquals(0x712345L, physical(space, 0x712345));
        assertEquals(0x3_0080_1234L, physical(space, 0x801234));
        assertEquals(Translation.Outcome.RESERVED_BITS, outcome(space, 0xc00000));
        assertEquals(1L << 21, space.translate(0xc00000).steps().getFirst().reservedBits());
        assertEquals(Translation.Outcome.NOT_PRESENT, outcome(space, 0x6000));
        assertEquals(Translation.Outcome.NOT_CANONICAL, outcome(space, 0xffff_ffff_8000_0000L));
        assertEquals(
                List.of(
                        "0x5000-0x5fff rwx-- 1000 -> 3000",
                        "0x400000-0x7fffff rwx-- 400000 -> 400000",
                        "0x800000-0xbfffff r-xu- 400000 -> 300800000"),
                list(space));
    }

    @Test
    void bitSevenMeansNothingInTwoLevelsWithoutPse() {
        MadeUpTables tables =
                new MadeUpTables(8).entry32(0x1000, 1, 0x2083).entry32(0x2000, 3, 0x5003);
        AddressSpace space = space(tables, registers(PG | 1, 0x1000, 0, 0));
        assertEquals(0x5004L, physical(space, 0x403004));
    }

    @Test
    void narrowPhysicalAddressesReserveBitsOfFourMegabytePages() {
        MadeUpTables tables = new MadeUpTables(2).entry32(0x1000, 0, 0x83 | 1 << 17).entry32(0x1000, 1, 0x83 | 1 << 16);
        AddressSpace space = space(
                tables,
                registers(PG | 1, 0x1000, PSE, 0),
                TranslationOptions.defaults().withPhysicalBits(36));
        assertEquals(Translation.Outcome.RESERVED_BITS, outcome(space, 0));
        assertEquals(1L << 35, physical(space, 0x400000));
    }

    @Test
    void paeHasFourRootEntriesAndNoExecute() {
        MadeUpTables tables = new MadeUpTables(8)
                .entry64(0x1020, 0, 0x2001)
                .entry64(0x1020, 3, 0x3001)
                .entry64(0x2000, 0, 0x4007)
                .entry64(0x4000, 1, 0x5000 | 1 | NX)
                .entry64(0x2000, 1, 0x1_2340_0000L | 0x87)
                .entry64(0x3000, 511, 0x60_0000L | 0x183 | NX);
        AddressSpace space = space(tables, registers(PG | 1, 0x1020, PAE, 0x800));
        assertEquals(X86PagingMode.PAE, space.paging().mode());
        assertEquals(
                List.of(
                        "0x1000-0x1fff r---- 1000 -> 5000",
                        "0x200000-0x3fffff rwxu- 200000 -> 123400000",
                        "0xffe00000-0xffffffff rw--g 200000 -> 600000"),
                list(space));
        assertEquals(0x6f_ffffL, physical(space, 0xffefffffL));
        AddressSpace withoutNoExecute = space(tables, registers(PG | 1, 0x1020, PAE, 0));
        assertEquals(Translation.Outcome.RESERVED_BITS, outcome(withoutNoExecute, 0x1000));
    }

    @Test
    void paeReservesBitsOfItsRootEntriesAndAboveTheAddress() {
        MadeUpTables tables = new MadeUpTables(8)
                .entry64(0x1000, 0, 0x2001 | 2)
                .entry64(0x1000, 1, 0x2001 | 1L << 60)
                .entry64(0x1000, 2, 0x2001)
                .entry64(0x2000, 0, 0x3001 | 1L << 55)
                .entry64(0x2000, 1, 0x87 | 1 << 13);
        AddressSpace space = space(tables, registers(PG | 1, 0x1000, PAE, 0x800));
        assertEquals(Translation.Outcome.RESERVED_BITS, outcome(space, 0));
        assertEquals(Translation.Outcome.RESERVED_BITS, outcome(space, 0x4000_0000L));
        assertEquals(Translation.Outcome.RESERVED_BITS, outcome(space, 0x8000_0000L));
        assertEquals(Translation.Outcome.RESERVED_BITS, outcome(space, 0x8020_0000L));
        List<Mapping> none = new ArrayList<>();
        MappingSummary summary = space.mappings(none::add);
        assertTrue(none.isEmpty());
        assertEquals(4, summary.reservedEntries());
    }

    private static MadeUpTables fourLevels() {
        return new MadeUpTables(16)
                .entry64(0x1000, 0, 0x2007)
                .entry64(0x2000, 0, 0x3007)
                .entry64(0x3000, 0, 0x4007)
                .entry64(0x4000, 0, 0x8063)
                .entry64(0x4000, 1, 0x9063)
                .entry64(0x4000, 2, 0x7063)
                .entry64(0x4000, 511, 0xa025 | NX)
                .entry64(0x3000, 1, 0xa0_0000L | 0x1e7)
                .entry64(0x2000, 1, 0x1_4000_0000L | 0x83 | NX)
                .entry64(0x1000, 256, 0x5003)
                .entry64(0x5000, 0, 0x4000_0000L | 0x83 | 1 << 15)
                .entry64(0x1000, 511, 0x6003)
                .entry64(0x6000, 511, 0x3003);
    }

    @Test
    void fourLevelsWithAllPageSizes() {
        AddressSpace space = space(fourLevels(), registers(PG | 1, 0x1fff, PAE, LMA_NXE));
        assertEquals(X86PagingMode.FOUR_LEVEL, space.paging().mode());
        assertEquals(0x1000, space.root().value());
        assertEquals(
                List.of(
                        "0x0-0x2fff rwx-- 1000 -> 8000 scattered",
                        "0x1ff000-0x1fffff r--u- 1000 -> a000",
                        "0x200000-0x3fffff rwxug 200000 -> a00000",
                        "0x40000000-0x7fffffff rw--- 40000000 -> 140000000",
                        "0xffffffffc0000000-0xffffffffc0002fff rwx-- 1000 -> 8000 scattered",
                        "0xffffffffc01ff000-0xffffffffc01fffff r---- 1000 -> a000",
                        "0xffffffffc0200000-0xffffffffc03fffff rwx-g 200000 -> a00000"),
                list(space));
        assertEquals(Translation.Outcome.RESERVED_BITS, outcome(space, 0xffff_8000_0000_0000L));
        assertEquals(Translation.Outcome.NOT_CANONICAL, outcome(space, 0x8000_0000_0000L));
        assertEquals(Translation.Outcome.NOT_CANONICAL, outcome(space, 0xffff_7fff_ffff_ffffL));
        assertEquals(0x1_4000_0000L + 0x1234_5678, physical(space, 0x4000_0000L + 0x1234_5678));
    }

    @Test
    void tellsTheWholeWalk() {
        AddressSpace space = space(fourLevels(), registers(PG | 1, 0x1000, PAE, LMA_NXE));
        Translation translation = space.translate(0x1ff123);
        assertEquals(
                List.of(
                        "PML4E[0] at guest-physical 0x1000 = 0x2007: table at guest-physical 0x2000",
                        "PDPTE[0] at guest-physical 0x2000 = 0x3007: table at guest-physical 0x3000",
                        "PDE[0] at guest-physical 0x3000 = 0x4007: table at guest-physical 0x4000",
                        "PTE[511] at guest-physical 0x4ff8 = 0x800000000000a025: page at guest-physical 0xa000"),
                translation.steps().stream().map(WalkStep::toString).toList());
        assertEquals(0xa123L, translation.guestPhysical().orElseThrow().value());
        assertEquals("r--u-", translation.rights().orElseThrow().toString());
        assertEquals(4096, translation.span());
        Translation missing = space.translate(0x8000_0000L);
        assertEquals(1L << 30, missing.span());
        assertEquals(Optional.empty(), missing.rights());
    }

    @Test
    void fiveLevels() {
        MadeUpTables tables = fourLevels().entry64(0xc000, 0, 0x1003).entry64(0xc000, 511, 0x1003);
        AddressSpace space = space(tables, registers(PG | 1, 0xc000, PAE | LA57, LMA_NXE));
        assertEquals(X86PagingMode.FIVE_LEVEL, space.paging().mode());
        assertEquals(0x8010L, physical(space, 0x10));
        assertEquals(0x8010L, physical(space, 0xffff_0000_0000_0010L));
        assertEquals(0x9020L, physical(space, 0xffff_ffff_c000_1020L));
        assertEquals(0x9020L, physical(space, 0xffff_c000_1020L));
        assertEquals(Translation.Outcome.NOT_CANONICAL, outcome(space, 0x0100_0000_0000_0000L));
        assertEquals(Translation.Outcome.NOT_PRESENT, outcome(space, 0x0001_0000_0000_0000L));
        assertEquals(5, space.translate(0x10).steps().size());
        assertEquals(14, list(space).size());
    }

    @Test
    void pageSizeBitIsReservedInTheUpperLevels() {
        MadeUpTables tables = new MadeUpTables(8).entry64(0x1000, 0, 0x2083).entry64(0x1000, 1, 0x2003 | 1L << 46);
        assertEquals(
                Translation.Outcome.RESERVED_BITS,
                outcome(space(tables, registers(PG | 1, 0x1000, PAE, LMA_NXE)), 0));
        AddressSpace narrow = space(
                tables,
                registers(PG | 1, 0x1000, PAE, LMA_NXE),
                TranslationOptions.defaults().withPhysicalBits(46));
        assertEquals(Translation.Outcome.RESERVED_BITS, outcome(narrow, 1L << 39));
        assertEquals(
                Translation.Outcome.TABLE_UNREADABLE,
                outcome(space(tables, registers(PG | 1, 0x1000, PAE, LMA_NXE)), 1L << 39));
    }

    @Test
    void encryptionBitIsNoPartOfTheAddress() {
        long bit = 1L << 47;
        MadeUpTables tables = new MadeUpTables(8)
                .entry64(0x1000, 0, 0x2003 | bit)
                .entry64(0x2000, 0, 0x3003 | bit)
                .entry64(0x3000, 0, 0x4003 | bit)
                .entry64(0x4000, 0, 0x5003 | bit)
                .entry64(0x4000, 1, 0x6003);
        RegisterState registers = registers(PG | 1, 0x1000 | bit, PAE, LMA_NXE);
        assertEquals(Translation.Outcome.TABLE_UNREADABLE, outcome(space(tables, registers), 0));
        AddressSpace space =
                space(tables, registers, TranslationOptions.defaults().withEncryptionBit(47).withPhysicalBits(43));
        assertEquals(0x5007L, physical(space, 7));
        assertEquals(List.of("0x0-0x1fff rwx-- 1000 -> 5000"), list(space));
    }

    @Test
    void unknownRegistersAreNotGuessed() {
        RegisterState whole = registers(PG | 1, 0x1000, PAE, LMA_NXE);
        // EFER.LMA is never set without CR0.PG, so CR0 is not missed.
        RegisterState implied = whole.toBuilder().forget(X86.CR0).build();
        assertEquals(X86PagingMode.FOUR_LEVEL, space(fourLevels(), implied).paging().mode());
        for (X86 missing : List.of(X86.CR3, X86.CR4, X86.EFER)) {
            RegisterState registers = whole.toBuilder().forget(missing).build();
            UnknownRegisterException error =
                    assertThrows(UnknownRegisterException.class, () -> space(fourLevels(), registers));
            assertTrue(error.getMessage().contains(" " + missing.label() + ","), error::getMessage);
        }
        RegisterState rootOnly = RegisterState.builder().set(X86.CR3, 0x1000).build();
        AddressSpace stated = space(
                fourLevels(), rootOnly, TranslationOptions.defaults().withMode(X86PagingMode.FOUR_LEVEL));
        assertEquals(0x8000L, physical(stated, 0));
        AddressSpace statedRoot = space(
                fourLevels(),
                RegisterState.unknown(),
                TranslationOptions.defaults().withMode(X86PagingMode.FOUR_LEVEL).withRoot(0x1000));
        assertEquals(0x8000L, physical(statedRoot, 0));
    }

    @Test
    void wideRegistersShowLongModeWhereEferIsUnknown() {
        RegisterState registers = registers(PG | 1, 0x1000, PAE, 0).toBuilder()
                .forget(X86.EFER)
                .set(X86.RIP, 0xffff_ffff_8100_0000L)
                .build();
        AddressSpace space = space(fourLevels(), registers);
        assertEquals(X86PagingMode.FOUR_LEVEL, space.paging().mode());
        assertTrue(space.paging().how().contains("rip"), space.paging().how());
    }

    @Test
    void contradictingRegistersAreRefused() {
        assertThrows(
                GuestcoreException.class, () -> space(fourLevels(), registers(PG | 1, 0x1000, 0, LMA_NXE)));
    }

    @Test
    void otherProcessorsAreRefused() {
        Guest arm = Guest.builder()
                .architecture(Architectures.ARM)
                .vcpu(RegisterState.unknown())
                .build();
        assertThrows(
                UnsupportedRequestException.class,
                () -> AddressSpace.of(arm, arm.vcpus().getFirst()));
    }

    @Test
    void aTableThatIsItsOwnEntryIsListedFinitely() {
        MadeUpTables tables = fourLevels().entry64(0x1000, 0x1ed, 0x1003 | NX);
        AddressSpace space = space(tables, registers(PG | 1, 0x1000, PAE, LMA_NXE));
        List<Mapping> found = new ArrayList<>();
        MappingSummary summary = space.mappings(found::add);
        long first = 0xffff_0000_0000_0000L | 0x1edL << 39;
        List<Mapping> own = found.stream()
                .filter(mapping -> mapping.range().first() >>> 39 == first >>> 39)
                .toList();
        assertEquals(OptionalLong.empty(), summary.stoppedAt());
        // Every table of the tree is a page of that slot: the PML4 itself lies where all four indexes are the slot.
        long selfAddress = first | 0x1edL << 30 | 0x1edL << 21 | 0x1edL << 12;
        assertEquals(0x1000L, physical(space, selfAddress));
        assertTrue(own.stream().anyMatch(mapping -> mapping.range().contains(selfAddress)));
        for (long table : new long[] {0x2000, 0x3000, 0x4000, 0x5000, 0x6000}) {
            assertTrue(
                    own.stream().anyMatch(mapping -> coversPhysical(space, mapping, table)),
                    "table " + Long.toHexString(table));
        }
    }

    private static boolean coversPhysical(AddressSpace space, Mapping mapping, long table) {
        for (long at = mapping.range().first();
                mapping.pageSize() == 4096 && at - mapping.range().first() < mapping.range().size();
                at += 4096) {
            if (physical(space, at) == table) {
                return true;
            }
        }
        return false;
    }

    @Test
    void circlesWithoutEndAreStopped() {
        MadeUpTables tables = new MadeUpTables(4);
        for (int i = 0; i < 512; i++) {
            tables.entry64(0x1000, i, i % 2 == 0 ? 0x1003 : 0x1001);
        }
        AddressSpace space = space(tables, registers(PG | 1, 0x1000, PAE | LA57, LMA_NXE));
        MappingSummary summary = Assertions.assertTimeout(
                Duration.ofSeconds(20), () -> space.mappings(new AddressRange(0, -1L), 20_000, mapping -> {}));
        assertTrue(summary.stoppedAt().isPresent());
        assertFalse(summary.isComplete());
        assertEquals(20_000, summary.tables());
        assertEquals(5, space.translate(0x1234).steps().size());
        assertThrows(UnsupportedRequestException.class, () -> space.memory().regions());
    }

    @Test
    void oneTableUsedAMillionTimesIsReadOnce() {
        MadeUpTables tables = new MadeUpTables(8);
        for (int i = 0; i < 512; i++) {
            tables.entry64(0x1000, i, 0x2003);
            tables.entry64(0x2000, i, 0x3003);
            tables.entry64(0x3000, i, 0x4003);
            tables.entry64(0x4000, i, 0x5001 | NX);
        }
        AddressSpace space = space(tables, registers(PG | 1, 0x1000, PAE, LMA_NXE));
        List<String> lines = list(space);
        assertEquals(
                List.of(
                        "0x0-0x7fffffffffff r---- 1000 -> 5000 scattered",
                        "0xffff800000000000-0xffffffffffffffff r---- 1000 -> 5000 scattered"),
                lines);
        assertEquals(4, space.mappings(mapping -> {}).tables());
    }

    @Test
    void missingTablesAreCounted() {
        MadeUpTables tables = fourLevels().entry64(0x1000, 7, 0x7000_0003L);
        AddressSpace space = space(tables, registers(PG | 1, 0x1000, PAE, LMA_NXE));
        MappingSummary summary = space.mappings(mapping -> {});
        assertEquals(1, summary.unreadableTables());
        assertFalse(summary.isComplete());
        assertEquals(Translation.Outcome.TABLE_UNREADABLE, outcome(space, 7L << 39));
        assertEquals(
                new PageRun(new AddressRange(7L << 39, (7L << 39) + (1L << 30) - 1), PageState.UNREADABLE),
                space.memory().runAt(7L << 39));
    }

    @Test
    void listsOnlyTheRangeAskedFor() {
        AddressSpace space = space(fourLevels(), registers(PG | 1, 0x1000, PAE, LMA_NXE));
        List<Mapping> found = new ArrayList<>();
        space.mappings(new AddressRange(0x201000, 0x4000_0fffL), 100, found::add);
        assertEquals(2, found.size());
        assertEquals(new AddressRange(0x201000, 0x3fffff), found.getFirst().range());
        assertEquals(0xa01000, found.getFirst().physical().value());
        assertEquals(new AddressRange(0x4000_0000L, 0x4000_0fffL), found.getLast().range());
    }

    @Test
    void readsAcrossScatteredPagesAndStopsAtHoles() {
        MadeUpTables tables = fourLevels();
        tables.text(0x8ff0, "0123456789abcdef");
        tables.text(0x9000, "ghij");
        tables.text(0x7ffc, "zzzz");
        AddressSpace space = space(tables, registers(PG | 1, 0x1000, PAE, LMA_NXE));
        byte[] bytes = new byte[20];
        space.memory().read(0xff0, MemorySegment.ofArray(bytes));
        assertArrayEquals("0123456789abcdefghij".getBytes(StandardCharsets.US_ASCII), bytes);
        assertEquals(4, space.memory().readAvailable(0x2ffc, MemorySegment.ofArray(bytes)));
        VirtualAccessException error = assertThrows(
                VirtualAccessException.class, () -> space.memory().read(0x2ffc, MemorySegment.ofArray(bytes)));
        assertEquals(0x3000, error.address());
        assertEquals(Translation.Outcome.NOT_PRESENT, error.outcome());
        MemoryAccessException text =
                assertThrows(MemoryAccessException.class, () -> space.memory().readString(0x2ffc, 100));
        assertEquals(error.getMessage(), text.getMessage());
        assertEquals(
                new PageRun(new AddressRange(0x3000, 0x3fff), PageState.ABSENT),
                space.memory().runAt(0x3000));
        assertEquals(
                new PageRun(new AddressRange(0x8000_0000_0000L, 0xffff_7fff_ffff_ffffL), PageState.ABSENT),
                space.memory().runAt(0x8000_0000_0000L));
        assertEquals("rwx--", space.memory().regionAt(0x2fff).orElseThrow().name());
        assertEquals(7, space.memory().regions().size());
    }

    @Test
    void machineFramesAreTurnedAroundInAnyOrder() {
        long[] pfns = {0, 1, 2, 3, 9, FrameTable.INVALID, 5, 6};
        long[] mfns = {0x500, 0x501, 0x502, 0x17, 0x8_0000_0001L, 0x99, FrameTable.INVALID, 0x501};
        MachineFrames frames = MachineFrames.of(FrameTable.of(pfns, mfns));
        assertEquals(OptionalLong.of(0x1234), frames.guestPhysical(0x501234));
        assertEquals(OptionalLong.of(0x2fff), frames.guestPhysical(0x502fff));
        assertEquals(OptionalLong.of(0x3000), frames.guestPhysical(0x17000));
        assertEquals(OptionalLong.of(0x9008), frames.guestPhysical(0x8_0000_0001L << 12 | 8));
        assertEquals(OptionalLong.empty(), frames.guestPhysical(0x99000));
        assertEquals(OptionalLong.empty(), frames.guestPhysical(0x503000));
        assertEquals(OptionalLong.empty(), frames.guestPhysical(-1L));
    }

    @Test
    void anotherRootShowsAnotherSpace() {
        AddressSpace space = space(fourLevels(), registers(PG | 1, 0x1000, PAE, LMA_NXE));
        MadeUpTables other = fourLevels().entry64(0xc000, 3, 0x2003);
        assertEquals(
                0x8001L,
                physical(space(other, registers(PG | 1, 0x1000, PAE, LMA_NXE)).withRoot(0xc000), (3L << 39) + 1));
        assertEquals(Translation.Outcome.NOT_PRESENT, outcome(space, 3L << 39));
    }
}
