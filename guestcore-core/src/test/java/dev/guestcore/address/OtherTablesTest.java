package dev.guestcore.address;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.RegisterState;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Test;

/**
 * Random tables of arm64, riscv64 and s390x, walked by the code under test and by plain walks written from the manuals,
 * without sharing a line.
 */
class OtherTablesTest {

    private static final String FAULT = "fault";
    private static final int SIZE = 1 << 19;

    private final RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(20261130);
    private final byte[] bytes = new byte[SIZE];
    private ByteBuffer words = ByteBuffer.wrap(bytes);

    private void begin(ByteOrder order) {
        Arrays.fill(bytes, (byte) 0);
        words = ByteBuffer.wrap(bytes).order(order);
    }

    private AddressSpace space(Architecture family, Map<String, Long> registers) {
        RegisterState.Builder state = RegisterState.builder();
        registers.forEach((label, value) -> state.set(family.register(label).orElseThrow(), value));
        Guest guest = Guest.builder()
                .byteOrder(words.order())
                .ram(0, MemorySegment.ofArray(bytes))
                .vcpu(state.build())
                .build();
        return AddressSpace.of(guest, guest.vcpus().getFirst());
    }

    /** The entry at an address; -1 where there is no memory, which no valid entry of these tests is. */
    private long at(long address) {
        return address >= 0 && address <= SIZE - 8 ? words.getLong((int) address) : -1;
    }

    private static String tested(AddressSpace space, long virtual) {
        Translation translation = space.translate(virtual);
        return translation.isMapped()
                ? Long.toHexString(translation.guestPhysical().orElseThrow().value()) + " "
                        + translation.rights().orElseThrow()
                : FAULT;
    }

    private static String text(long physical, String rights) {
        return Long.toHexString(physical) + " " + rights;
    }

    /** A virtual address that often meets entries: each of its indexes is small or near the end. */
    private long address(int page, int index) {
        long virtual = random.nextLong(1L << page);
        for (int shift = page; shift < 64; shift += index) {
            long part = random.nextInt(4) == 0 ? random.nextLong(1L << index) : random.nextLong(4);
            virtual |= part << shift;
        }
        return virtual;
    }

    private interface Walk {
        String at(long virtual);
    }

    private int compare(AddressSpace space, Walk reference, long[] addresses, String what) {
        int mapped = 0;
        for (long virtual : addresses) {
            String expected = reference.at(virtual);
            assertEquals(expected, tested(space, virtual), () -> what + ", address " + Long.toHexString(virtual));
            mapped += expected.equals(FAULT) ? 0 : 1;
        }
        List<Mapping> listed = new ArrayList<>();
        space.mappings(new AddressRange(0, -1L), 1000, mapping -> {
            if (listed.size() < 200) {
                listed.add(mapping);
            }
        });
        for (Mapping mapping : listed) {
            long virtual = mapping.range().first();
            Translation translation = space.translate(virtual);
            assertEquals(mapping.physical(), translation.physical().orElseThrow(), () -> what + ", " + mapping);
            assertEquals(mapping.rights(), translation.rights().orElseThrow(), () -> what + ", " + mapping);
            assertEquals(reference.at(virtual), tested(space, virtual), () -> what + ", " + mapping);
        }
        return mapped;
    }

    private void fill(int tableBytes, int entries, LongSupplier entry) {
        for (int table = tableBytes; table < SIZE; table += tableBytes) {
            for (int i = 0; i < 6; i++) {
                int index = i < 4 ? i : random.nextInt(entries);
                words.putLong(table + 8 * index, entry.getAsLong());
            }
        }
    }

    // riscv64: privileged architecture, "Virtual Address Translation Process"

    private long riscvEntry() {
        long flags = random.nextInt(3) == 0 ? random.nextInt(256) | 1 : random.nextInt(3) == 0 ? 0xcf : 1;
        long frame = random.nextInt(SIZE >>> 12);
        if (random.nextInt(4) == 0) {
            frame <<= 9;
        }
        long entry = frame << 10 | flags;
        if (random.nextInt(10) == 0) {
            entry |= 1L << random.nextInt(64);
        }
        if (random.nextInt(10) == 0) {
            entry = entry & ~(0xfL << 10) | 8L << 10 | 1L << 63 | 2;
        }
        return entry;
    }

    private String riscv(long table, int levels, long virtual) {
        int unused = 64 - (12 + 9 * levels);
        if (virtual << unused >> unused != virtual) {
            return FAULT;
        }
        long a = table;
        for (int i = levels - 1; i >= 0; i--) {
            long pte = at(a + (virtual >>> 12 + 9 * i & 511) * 8);
            boolean r = (pte & 2) != 0;
            boolean w = (pte & 4) != 0;
            boolean x = (pte & 8) != 0;
            if (pte == -1 || (pte & 1) == 0 || !r && w || (pte >>> 54 & 0x7f) != 0) {
                return FAULT;
            }
            long ppn = pte >>> 10 & 0xfff_ffff_ffffL;
            if (!r && !x) {
                if (i == 0 || (pte & 0xd0) != 0 || pte >>> 61 != 0) {
                    return FAULT;
                }
                a = ppn << 12;
                continue;
            }
            if ((ppn & (1L << 9 * i) - 1) != 0 || (pte >>> 61 & 3) == 3) {
                return FAULT;
            }
            if (pte < 0) {
                if (i != 0 || (ppn & 15) != 8) {
                    return FAULT;
                }
                ppn = ppn & ~15L | virtual >>> 12 & 15;
            }
            long physical = ppn << 12 | virtual & (1L << 12 + 9 * i) - 1;
            return text(
                    physical,
                    (r ? "r" : "-") + (w ? "w" : "-") + (x ? "x" : "-") + ((pte & 16) != 0 ? "u" : "-")
                            + ((pte & 32) != 0 ? "g" : "-"));
        }
        return FAULT;
    }

    @Test
    void riscv64() {
        int mapped = 0;
        for (int number = 0; number < 300; number++) {
            int levels = 3 + number % 3;
            begin(ByteOrder.LITTLE_ENDIAN);
            fill(4096, 512, this::riscvEntry);
            long table = 4096L * (1 + random.nextInt(60));
            long satp = (long) (levels + 5) << 60 | random.nextLong(1 << 16) << 44 | table >>> 12;
            AddressSpace space = space(Architectures.RISCV64, Map.of("satp", satp, "pc", 0L));
            int unused = 64 - (12 + 9 * levels);
            long[] addresses = random.longs(400)
                    .map(any -> address(12, 9))
                    .map(virtual -> any(10) ? virtual : virtual << unused >> unused)
                    .toArray();
            mapped += compare(space, virtual -> riscv(table, levels, virtual), addresses, "Sv case " + number);
        }
        assertTrue(mapped > 1_000, "only " + mapped + " addresses were mapped");
        begin(ByteOrder.LITTLE_ENDIAN);
        assertEquals("1234 rwxu-", tested(space(Architectures.RISCV64, Map.of("satp", 0L)), 0x1234));
        assertEquals(
                "1234 rwxu-",
                tested(space(Architectures.RISCV64, Map.of("satp", 8L << 60, "priv", 3L)), 0x1234));
    }

    private boolean any(int of) {
        return random.nextInt(of) == 0;
    }

    // s390x: Principles of Operation, chapter 3, "Translation Process"

    private long s390xEntry() {
        long entry = (long) random.nextInt(SIZE >>> 12) << 12;
        if (any(4)) {
            return entry | random.nextInt(1 << 12);
        }
        // Of a table of any level, mostly whole ones.
        return entry | random.nextInt(4) << 2 | (any(3) ? random.nextInt(256) << 6 & 0x3c0 : 0)
                | (any(4) ? random.nextInt(4) : 3);
    }

    private String s390x(long asce, long prefix, boolean large, boolean protection, long virtual) {
        int type = (int) (asce >>> 2) & 3;
        if ((asce & 0x20) != 0) {
            return virtual < 0 ? FAULT : text(real(virtual, prefix), "rwxu-");
        }
        int bits = new int[] {31, 42, 53, 64}[type];
        if (bits < 64 && virtual >>> bits != 0) {
            return FAULT;
        }
        long origin = asce & ~0xfffL;
        int offset = 0;
        int length = (int) asce & 3;
        boolean writable = true;
        for (int level = type; level >= 0; level--) {
            int index = (int) (virtual >>> 20 + 11 * level) & 0x7ff;
            if (index >>> 9 < offset || index >>> 9 > length) {
                return FAULT;
            }
            long entry = at(real(origin + 8L * index, prefix));
            if (entry == -1 || (entry & 0x20) != 0 || (entry >>> 2 & 3) != level) {
                return FAULT;
            }
            writable &= (entry & 0x200) == 0;
            if (level <= 1 && large && (entry & 0x400) != 0) {
                long size = level == 0 ? 1 << 20 : 1L << 31;
                long frame = (entry & -size) + (virtual & size - 1);
                return text(real(frame, prefix), rights(writable, protection && (entry & 0x100) != 0));
            }
            if (level == 0) {
                long page = at(real((entry & ~0x7ffL) + 8 * (virtual >>> 12 & 255), prefix));
                if (page == -1 || (page & 0xc00) != 0) {
                    return FAULT;
                }
                writable &= (page & 0x200) == 0;
                return text(
                        real(page & ~0xfffL | virtual & 0xfff, prefix),
                        rights(writable, protection && (page & 0x100) != 0));
            }
            origin = entry & ~0xfffL;
            offset = (int) (entry >>> 6) & 3;
            length = (int) entry & 3;
        }
        return FAULT;
    }

    private static String rights(boolean writable, boolean dataOnly) {
        return "r" + (writable ? "w" : "-") + (dataOnly ? "-" : "x") + "u-";
    }

    private static long real(long address, long prefix) {
        if (address >>> 13 == 0) {
            return address + prefix;
        }
        return address - prefix >= 0 && address - prefix < 8192 ? address - prefix : address;
    }

    @Test
    void s390x() {
        int mapped = 0;
        for (int number = 0; number < 200; number++) {
            begin(ByteOrder.BIG_ENDIAN);
            fill(4096, 512, this::s390xEntry);
            long asce = 4096L * (1 + random.nextInt(60)) | (number & 3) << 2 | (any(3) ? random.nextInt(4) : 3);
            long prefix = any(2) ? 0 : 8192L * random.nextInt(30);
            boolean large = any(2);
            boolean protection = any(2);
            int space = random.nextInt(4);
            AddressSpace tested = space(Architectures.S390X, Map.of(
                    "pswm", 0x0404_0001_8000_0000L | (long) space << 46,
                    "cr0", (large ? 0x80_0000L : 0) | (protection ? 0x10_0000L : 0),
                    "prefix", prefix,
                    "cr" + new int[] {1, 1, 7, 13}[space], asce));
            int bits = new int[] {31, 42, 53, 64}[number & 3];
            long[] addresses = random.longs(400)
                    .map(unused -> random.nextLong(1 << 12) | (any(3) ? random.nextLong(256) : random.nextLong(6)) << 12
                            | s390xIndex() << 20 | s390xIndex() << 31 | s390xIndex() << 42 | s390xIndex() << 53)
                    .map(virtual -> any(10) ? virtual : virtual << 64 - bits >>> 64 - bits)
                    .toArray();
            mapped += compare(
                    tested,
                    virtual -> s390x(asce, prefix, large, protection, virtual),
                    addresses,
                    "s390x case " + number);
        }
        assertTrue(mapped > 2_000, "only " + mapped + " addresses were mapped");
        AddressSpace off = space(Architectures.S390X, Map.of("pswm", 0x180000000L, "prefix", 0x4000L));
        assertEquals("4008 rwxu-", tested(off, 8));
        assertEquals("8 rwxu-", tested(off, 0x4008));
        assertEquals("8008 rwxu-", tested(off, 0x8008));
    }

    private long s390xIndex() {
        return any(4) ? random.nextLong(2048) : random.nextLong(4);
    }

    // arm64: Arm ARM, chapter D8, "Translation process"

    private long arm64Entry(int page) {
        long frame = (long) random.nextInt(Math.max(1, SIZE >>> page)) << page;
        if (any(4)) {
            frame <<= page - 3;
        }
        long entry =
                frame & 0xffff_ffff_ffffL | (any(3) ? random.nextInt(4) : 3) | random.nextInt(1 << 10) << 2 & 0xcfc;
        if (any(4)) {
            entry |= random.nextLong() & 0xfff8_0000_0000_0000L;
        }
        if (any(12)) {
            entry |= 1L << random.nextInt(64);
        }
        return entry;
    }

    /**
     * A walk from TTBRn.
     *
     * @param page log2 of the granule
     * @param bits width of the address
     * @param output width of the output address
     */
    private String arm64(long ttbr, int page, int bits, int output, boolean lpa2, boolean hd, boolean hpd,
            long virtual) {
        int stride = page - 3;
        int levels = 0;
        for (int covered = page; covered < bits; covered += stride) {
            levels++;
        }
        boolean wide = page == 16 ? output == 52 : lpa2;
        int topBits = bits - page - stride * (levels - 1);
        long align = Math.max(64, 8L << topBits);
        long table = ttbr & 0xffff_ffff_fffeL & -align;
        if (wide) {
            table = table & ~0x3cL | (ttbr >>> 2 & 15) << 48;
        }
        boolean writable = true;
        boolean user = true;
        boolean userRuns = true;
        boolean kernelRuns = true;
        for (int level = levels - 1; level >= 0; level--) {
            int shift = page + stride * level;
            int width = level == levels - 1 ? topBits : stride;
            long d = at(table + (virtual >>> shift & (1L << width) - 1) * 8);
            if (d == -1 || (d & 1) == 0) {
                return FAULT;
            }
            long next = switch (page) {
                case 16 -> d & 0xffff_ffff_0000L | (wide ? (d >>> 12 & 15) << 48 : 0);
                default -> wide ? d & 0x3_ffff_ffff_ffffL | (d >>> 8 & 3) << 50 : d & 0xffff_ffff_ffffL;
            };
            next &= -(1L << page);
            if (output < 52 && next >>> output != 0) {
                return FAULT;
            }
            boolean leaf = level == 0 || (d & 2) == 0;
            if (level == 0 && (d & 2) == 0 || level > 0 && isInvalidBlock(page, level, wide, d)) {
                return FAULT;
            }
            if (!leaf) {
                if (!hpd) {
                    writable &= (d >>> 62 & 1) == 0;
                    user &= (d >>> 61 & 1) == 0;
                    userRuns &= (d >>> 60 & 1) == 0;
                    kernelRuns &= (d >>> 59 & 1) == 0;
                }
                table = next;
                continue;
            }
            writable &= (d & 0x80) == 0 || hd && (d >>> 51 & 1) != 0;
            user &= (d & 0x40) != 0;
            userRuns &= (d >>> 54 & 1) == 0;
            kernelRuns &= (d >>> 53 & 1) == 0;
            long physical = next & -(1L << shift) | virtual & (1L << shift) - 1;
            return text(
                    physical,
                    "r" + (writable ? "w" : "-") + (userRuns || kernelRuns ? "x" : "-")
                            + (user || userRuns && !kernelRuns ? "u" : "-") + ((d & 0x800) == 0 ? "g" : "-"));
        }
        return FAULT;
    }

    private static boolean isInvalidBlock(int page, int level, boolean wide, long descriptor) {
        if ((descriptor & 2) != 0) {
            return false;
        }
        // Blocks: 4 KiB at levels 1 and 2 (0 with LPA2), 16 KiB at 2 (1 with LPA2), 64 KiB at 2 (1 with 52 bits).
        int highest = page == 12 ? wide ? 3 : 2 : wide ? 2 : 1;
        return level > highest;
    }

    @Test
    void arm64() {
        int mapped = 0;
        int[] pages = {12, 14, 16};
        for (int number = 0; number < 240; number++) {
            int page = pages[number % 3];
            begin(number % 7 == 0 ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN);
            fill(1 << page, 1 << page - 3, () -> arm64Entry(page));
            boolean lpa2 = page != 16 && any(3);
            int output = new int[] {36, 40, 48, lpa2 || page == 16 ? 52 : 48}[random.nextInt(4)];
            int ips = Map.of(36, 1, 40, 2, 48, 5, 52, 6).get(output);
            int[] widths = {30 + random.nextInt(19), lpa2 || page == 16 ? 52 : 48};
            int lower = widths[random.nextInt(2)];
            int upper = widths[random.nextInt(2)];
            boolean hd = any(2);
            boolean[] hpd = {any(4), any(4)};
            boolean[] tbi = {any(2), any(2)};
            long tcr = 64 - lower | (long) (64 - upper) << 16
                    | Map.of(12, 0L, 14, 2L, 16, 1L).get(page) << 14
                    | Map.of(12, 2L, 14, 1L, 16, 3L).get(page) << 30
                    | (long) ips << 32 | bit(tbi[0], 37) | bit(tbi[1], 38) | bit(hd, 40) | bit(hpd[0], 41)
                    | bit(hpd[1], 42) | bit(lpa2, 59);
            long low = (long) (1 + random.nextInt((SIZE >>> page) - 1)) << page | random.nextLong(1 << 16) << 48;
            long high = (long) (1 + random.nextInt((SIZE >>> page) - 1)) << page | 1;
            AddressSpace space = space(Architectures.ARM64, Map.of(
                    "tcr_el1", tcr,
                    "ttbr0_el1", low,
                    "ttbr1_el1", high,
                    "pstate", 0x3c5L,
                    "sctlr_el1", 1L | bit(words.order() == ByteOrder.BIG_ENDIAN, 25)));
            long[] addresses = random.longs(400)
                    .map(unused -> address(page, page - 3))
                    .map(virtual -> any(10) ? virtual : any(2) ? virtual & (1L << lower) - 1 : virtual | -1L << upper)
                    .map(virtual -> any(10) ? virtual ^ 0x5aL << 56 : virtual)
                    .toArray();
            mapped += compare(
                    space,
                    virtual -> {
                        boolean above = (virtual >>> 55 & 1) != 0;
                        int half = above ? 1 : 0;
                        int bits = above ? upper : lower;
                        long untagged = tbi[half] ? virtual << 8 >> 8 : virtual;
                        long rest = untagged >> bits;
                        return rest == (above ? -1 : 0)
                                ? arm64(above ? high : low, page, bits, output, lpa2, hd, hpd[half], untagged)
                                : FAULT;
                    },
                    addresses,
                    "arm64 case " + number);
        }
        assertTrue(mapped > 4_000, "only " + mapped + " addresses were mapped");
    }

    private static long bit(boolean set, int number) {
        return set ? 1L << number : 0;
    }
}
