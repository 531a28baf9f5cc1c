package dev.guestcore.address;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TranslationOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Random tables, walked by the code under test and by a plain walk written from the manuals for each mode, without
 * sharing a line.
 */
class RandomTablesTest {

    private static final int PAGES = 24;
    private static final String FAULT = "fault";

    private final RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(20261121);

    /** One case: memory, registers, physical address width. */
    private record Case(MadeUpTables tables, long cr3, long cr4, long efer, int width) {

        boolean is(long bit) {
            return (cr4 & bit) != 0;
        }

        boolean nxe() {
            return (efer & 0x800) != 0;
        }

        AddressSpace space() {
            RegisterState registers = RegisterState.builder()
                    .set(X86.CR0, 0x8000_0001L)
                    .set(X86.CR3, cr3)
                    .set(X86.CR4, cr4)
                    .set(X86.EFER, efer)
                    .build();
            Guest guest = Guest.builder().ram(0, tables.segment()).vcpu(registers).build();
            return AddressSpace.of(
                    guest, guest.vcpus().getFirst(), TranslationOptions.defaults().withPhysicalBits(width));
        }
    }

    private Case randomCase(int number) {
        MadeUpTables tables = new MadeUpTables(PAGES);
        int mode = number % 4;
        long cr4 = mode == 0 ? random.nextInt(2) * 0x10L : mode == 3 ? 0x1020 : 0x20;
        long efer = (mode >= 2 ? 0x500 : 0) | random.nextInt(2) * 0x800L;
        int size = mode == 0 ? 4 : 8;
        for (int page = 1; page < PAGES; page++) {
            for (int i = 0; i < 24; i++) {
                int index = random.nextInt(4) == 0 ? random.nextInt(4096 / size) : random.nextInt(6);
                long entry = (long) random.nextInt(PAGES + 2) << 12 | random.nextInt(1 << 12) | 1;
                entry &= ~(random.nextInt(8) == 0 ? 1L : 0L);
                entry &= ~(random.nextInt(3) != 0 ? 0x80L : 0L);
                if (random.nextInt(6) == 0) {
                    entry |= 1L << 12 + random.nextInt(52);
                }
                if (size == 4) {
                    tables.entry32(page * 4096, index, entry);
                } else {
                    tables.entry64(page * 4096, index, entry);
                }
            }
        }
        long root = (1 + random.nextInt(PAGES - 1)) * 4096L + (mode == 1 ? random.nextInt(4) * 32 : 0);
        return new Case(tables, root | (mode == 1 ? 0x18 : random.nextInt(4096)), cr4, efer, 36 + random.nextInt(17));
    }

    /** "physical rights" of an address, or that it faults. Reads like the manual's figures, one branch a mode. */
    private static String reference(Case made, long virtual) {
        if ((made.efer() & 0x400) != 0) {
            int levels = made.is(0x1000) ? 5 : 4;
            int unused = levels == 5 ? 7 : 16;
            if (virtual << unused >> unused != virtual) {
                return FAULT;
            }
            return longMode(made, virtual, levels);
        }
        if (virtual >>> 32 != 0) {
            return FAULT;
        }
        return made.is(0x20) ? pae(made, virtual) : twoLevel(made, virtual);
    }

    private static String longMode(Case made, long virtual, int levels) {
        long table = made.cr3() & 0xf_ffff_ffff_f000L;
        boolean writable = true;
        boolean user = true;
        boolean executable = true;
        for (int level = levels; level >= 1; level--) {
            long at = table + (virtual >>> 12 + 9 * (level - 1) & 511) * 8;
            if (!made.tables().holds(at, 8)) {
                return FAULT;
            }
            long entry = made.tables().word64(at);
            if ((entry & 1) == 0) {
                return FAULT;
            }
            boolean large = (entry & 0x80) != 0 && level > 1;
            if (large && level > 3) {
                return FAULT;
            }
            for (int bit = made.width(); bit < 52; bit++) {
                if ((entry >>> bit & 1) != 0) {
                    return FAULT;
                }
            }
            if (!made.nxe() && entry < 0) {
                return FAULT;
            }
            writable &= (entry & 2) != 0;
            user &= (entry & 4) != 0;
            executable &= entry >= 0;
            if (level == 1 || large) {
                long pageSize = level == 1 ? 0x1000 : level == 2 ? 0x20_0000 : 0x4000_0000;
                long frame = entry & 0xf_ffff_ffff_f000L;
                if (large && (frame & pageSize - 1 & ~0x1000L) != 0) {
                    return FAULT;
                }
                long physical = frame & -pageSize | virtual & pageSize - 1;
                return text(physical, writable, executable, user, (entry & 0x100) != 0);
            }
            table = entry & 0xf_ffff_ffff_f000L;
        }
        throw new IllegalStateException();
    }

    private static String pae(Case made, long virtual) {
        long at = (made.cr3() & 0xffff_ffe0L) + (virtual >>> 30) * 8;
        if (!made.tables().holds(at, 8)) {
            return FAULT;
        }
        long pointer = made.tables().word64(at);
        if ((pointer & 1) == 0 || (pointer & 0x1c6) != 0 || pointer >>> made.width() != 0) {
            return FAULT;
        }
        at = (pointer & ~0xfffL) + (virtual >>> 21 & 511) * 8;
        if (!made.tables().holds(at, 8)) {
            return FAULT;
        }
        long directory = made.tables().word64(at);
        if ((directory & 1) == 0 || paeReserved(made, directory)) {
            return FAULT;
        }
        long frameMask = (1L << made.width()) - 1;
        if ((directory & 0x80) != 0) {
            if ((directory & 0x1f_e000) != 0) {
                return FAULT;
            }
            return text(
                    directory & frameMask & -0x20_0000L | virtual & 0x1f_ffff,
                    (directory & 2) != 0,
                    directory >= 0,
                    (directory & 4) != 0,
                    (directory & 0x100) != 0);
        }
        at = (directory & frameMask & ~0xfffL) + (virtual >>> 12 & 511) * 8;
        if (!made.tables().holds(at, 8)) {
            return FAULT;
        }
        long page = made.tables().word64(at);
        if ((page & 1) == 0 || paeReserved(made, page)) {
            return FAULT;
        }
        return text(
                page & frameMask & ~0xfffL | virtual & 0xfff,
                (directory & page & 2) != 0,
                directory >= 0 && page >= 0,
                (directory & page & 4) != 0,
                (page & 0x100) != 0);
    }

    private static boolean paeReserved(Case made, long entry) {
        return (entry & Long.MAX_VALUE) >>> made.width() != 0 || entry < 0 && !made.nxe();
    }

    private static String twoLevel(Case made, long virtual) {
        long at = (made.cr3() & 0xffff_f000L) + (virtual >>> 22) * 4;
        if (!made.tables().holds(at, 4)) {
            return FAULT;
        }
        long directory = made.tables().word32(at);
        if ((directory & 1) == 0) {
            return FAULT;
        }
        if ((directory & 0x80) != 0 && made.is(0x10)) {
            long high = directory >>> 13 & 0xff;
            if ((directory & 0x20_0000) != 0 || high >>> Math.min(made.width(), 40) - 32 != 0) {
                return FAULT;
            }
            return text(
                    high << 32 | directory & 0xffc0_0000L | virtual & 0x3f_ffff,
                    (directory & 2) != 0,
                    true,
                    (directory & 4) != 0,
                    (directory & 0x100) != 0);
        }
        at = (directory & 0xffff_f000L) + (virtual >>> 12 & 1023) * 4;
        if (!made.tables().holds(at, 4)) {
            return FAULT;
        }
        long page = made.tables().word32(at);
        if ((page & 1) == 0) {
            return FAULT;
        }
        return text(
                page & 0xffff_f000L | virtual & 0xfff,
                (directory & page & 2) != 0,
                true,
                (directory & page & 4) != 0,
                (page & 0x100) != 0);
    }

    private static String text(long physical, boolean writable, boolean executable, boolean user, boolean global) {
        return Long.toHexString(physical) + " r" + (writable ? 'w' : '-') + (executable ? 'x' : '-')
                + (user ? 'u' : '-') + (global ? 'g' : '-');
    }

    private static String tested(AddressSpace space, long virtual) {
        Translation translation = space.translate(virtual);
        return translation.isMapped()
                ? Long.toHexString(translation.physical().orElseThrow().value()) + " "
                        + translation.rights().orElseThrow()
                : FAULT;
    }

    private long randomVirtual(int number) {
        long virtual = random.nextInt(4096);
        for (int shift = 12; shift < 64; shift += 9) {
            virtual |= (random.nextInt(4) == 0 ? random.nextLong(512) : random.nextLong(6)) << shift;
        }
        return switch (number % 4) {
            case 0, 1 -> random.nextInt(10) == 0 ? virtual : random.nextInt(3) == 0
                    ? random.nextLong(1L << 32)
                    : random.nextLong(6) << 30 & 0xffff_ffffL | random.nextLong(6) << 21 | random.nextLong(1 << 15);
            case 2 -> random.nextInt(10) == 0 ? virtual : virtual << 16 >> 16;
            default -> random.nextInt(10) == 0 ? virtual : virtual << 7 >> 7;
        };
    }

    @Test
    void everyAddressIsWhereTheManualPutsIt() {
        int mapped = 0;
        for (int number = 0; number < 400; number++) {
            Case made = randomCase(number);
            AddressSpace space = made.space();
            for (int i = 0; i < 1_500; i++) {
                long virtual = randomVirtual(number);
                String expected = reference(made, virtual);
                int caseNumber = number;
                assertEquals(
                        expected,
                        tested(space, virtual),
                        () -> "case " + caseNumber + " address " + Long.toHexString(virtual));
                mapped += expected.equals(FAULT) ? 0 : 1;
            }
        }
        assertEquals(true, mapped > 10_000, "only " + mapped + " addresses were mapped at all");
    }

    /** The 32-bit spaces are small enough to ask the reference for every single page. */
    @Test
    void theListOfMappingsIsWhatEveryPageSays() {
        for (int number = 0; number < 24; number++) {
            Case made = randomCase(number % 2 + number / 2 * 4);
            List<String> expected = new ArrayList<>();
            long start = -1;
            long next = 0;
            String rights = "";
            for (long page = 0; page <= 1L << 32; page += 4096) {
                String found = page >>> 32 == 0 ? reference(made, page) : FAULT;
                String current = found.equals(FAULT) ? "" : found.substring(found.indexOf(' ') + 1);
                if (start >= 0 && (!current.equals(rights) || next != page)) {
                    expected.add(Long.toHexString(start) + "-" + Long.toHexString(page - 1) + " " + rights);
                    start = -1;
                }
                if (start < 0 && !current.isEmpty()) {
                    start = page;
                }
                rights = current;
                next = page + 4096;
            }
            assertEquals(expected, withoutPageSizes(made.space()), "case " + number);
        }
    }

    private static List<String> withoutPageSizes(AddressSpace space) {
        List<String> lines = new ArrayList<>();
        List<Mapping> open = new ArrayList<>();
        space.mappings(mapping -> {
            if (!open.isEmpty()
                    && open.getLast().range().isFollowedBy(mapping.range())
                    && open.getLast().rights().equals(mapping.rights())) {
                open.add(mapping);
                return;
            }
            close(open, lines);
            open.add(mapping);
        });
        close(open, lines);
        return lines;
    }

    private static void close(List<Mapping> open, List<String> lines) {
        if (!open.isEmpty()) {
            lines.add(Long.toHexString(open.getFirst().range().first()) + "-"
                    + Long.toHexString(open.getLast().range().last()) + " " + open.getFirst().rights());
            open.clear();
        }
    }

    /** In the long modes: whatever is listed is mapped so, and what is mapped is listed. */
    @Test
    @Tag("slow")
    void listAndTranslationAgreeInLongModes() {
        for (int number = 0; number < 40; number++) {
            Case made = randomCase(number % 2 + 2 + number / 2 * 4);
            AddressSpace space = made.space();
            List<Mapping> all = new ArrayList<>();
            MappingSummary summary = space.mappings(new AddressRange(0, -1L), 1 << 17, mapping -> {
                if (all.size() < 20_000) {
                    all.add(mapping);
                }
            });
            for (int i = 1; i < all.size(); i++) {
                assertEquals(
                        true,
                        Long.compareUnsigned(
                                all.get(i - 1).range().last(), all.get(i).range().first()) < 0);
            }
            for (Mapping mapping : all) {
                for (long at : new long[] {mapping.range().first(), mapping.range().last()}) {
                    String expected = reference(made, at);
                    assertEquals(mapping.rights().toString(), expected.substring(expected.indexOf(' ') + 1));
                }
                assertEquals(
                        Long.toHexString(mapping.physical().value()),
                        reference(made, mapping.range().first()).split(" ")[0]);
                if (mapping.contiguous()) {
                    assertEquals(
                            Long.toHexString(mapping.physical().value() + mapping.range().size() - 1),
                            reference(made, mapping.range().last()).split(" ")[0]);
                }
            }
            if (summary.stoppedAt().isEmpty() && all.size() < 20_000) {
                for (int i = 0; i < 2_000; i++) {
                    long virtual = randomVirtual(number % 2 + 2);
                    boolean listed = all.stream().anyMatch(mapping -> mapping.range().contains(virtual));
                    assertEquals(!reference(made, virtual).equals(FAULT), listed, Long.toHexString(virtual));
                }
            }
        }
    }
}
