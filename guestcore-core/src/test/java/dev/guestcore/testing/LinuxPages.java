package dev.guestcore.testing;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The first pages of a guest as a Linux kernel of x86-64 lays them out: page tables for its image and its map of all memory,
 * and which sections of memory it knows, by Linux' own structures. Knows nothing of the code under test.
 *
 * <pre>
 *  0x10000  top table: 511 to the image's, the direct map's entry to the other
 *  0x11000  0x12000  image: 0xffffffff81000000 is guest-physical 0, in a page of 2 MiB
 *  0x13000  0x14000  direct map: so many pages of 2 MiB from 0 on
 *  0x20000  mem_section: a pointer to the array of roots (Linux 4.15 and later), or that array
 *  0x21000  array of roots, 0x800 of them
 *  0x25000  root 0: sections of 16 bytes
 * </pre>
 */
public final class LinuxPages {

    /** Where {@code PAGE_OFFSET} lies: as KASLR puts it. */
    public static final long DIRECT_MAP = 0xffff93c540000000L;

    /** Bytes that the structures take. */
    public static final int SIZE = 0x26000;

    private static final long TABLE = 0x63;
    private static final long LARGE = 0xe3;

    private LinuxPages() {}

    /**
     * Puts the structures into memory.
     *
     * @param memory begins at guest-physical 0, at least {@link #SIZE} bytes
     * @param sections how many sections of 128 MiB the kernel knows
     * @param pointer whether {@code mem_section} is a pointer
     */
    public static void put(byte[] memory, int sections, boolean pointer) {
        Arrays.fill(memory, 0x10000, SIZE, (byte) 0);
        ByteBuffer to = ByteBuffer.wrap(memory).order(ByteOrder.LITTLE_ENDIAN);
        to.putLong(0x10000 + 8 * 511, 0x11000 | TABLE);
        to.putLong(0x11000 + 8 * 510, 0x12000 | TABLE);
        to.putLong(0x12000 + 8 * 8, LARGE);
        to.putLong(0x10000 + 8 * index(DIRECT_MAP, 39), 0x13000 | TABLE);
        to.putLong(0x13000 + 8 * index(DIRECT_MAP, 30), 0x14000 | TABLE);
        for (int i = 0; i < Math.max(1, memory.length >> 21); i++) {
            to.putLong(0x14000 + 8 * i, ((long) i << 21) | LARGE);
        }
        to.putLong(0x20000, DIRECT_MAP + (pointer ? 0x21000 : 0x25000));
        if (pointer) {
            to.putLong(0x21000, DIRECT_MAP + 0x25000);
        }
        for (int i = 0; i < sections; i++) {
            to.putLong(0x25000 + 16 * i, 0xffffea0000000000L | 0x1f);
        }
    }

    private static int index(long address, int shift) {
        return (int) (address >>> shift) & 511;
    }

    /** What such a kernel says of itself. */
    public static byte[] vmcoreInfo() {
        return """
                OSRELEASE=6.1.0-test
                PAGESIZE=4096
                SYMBOL(swapper_pg_dir)=ffffffff81010000
                SYMBOL(_stext)=ffffffff81000000
                SYMBOL(mem_section)=ffffffff81020000
                LENGTH(mem_section)=2048
                SIZE(mem_section)=16
                OFFSET(mem_section.section_mem_map)=0
                NUMBER(SECTION_SIZE_BITS)=27
                NUMBER(phys_base)=-16777216
                NUMBER(pgtable_l5_enabled)=0
                """
                .getBytes(StandardCharsets.US_ASCII);
    }
}
