package dev.guestcore.source.demo;

/**
 * Where things lie in the demo machine. Guest-physical addresses; virtual addresses are the same, because the page
 * tables map one to one.
 *
 * <pre>
 *      0x1000  GDT: null, 64-bit code (0x08), data (0x10), then one 16-byte TSS descriptor a vCPU from 0x20 on
 *      0x2000  IDT: 32 interrupt gates to {@link #HANDLER}, the rest not present
 *      0x3000  TSS of vCPU c at 0x3000 + c * 0x80
 *      0x4000  page list of vCPU c at 0x4000 + c * 0x80
 *      0x6000  the counter that all vCPUs share, u64
 *      0x8000  the program, and the interrupt handler at 0x8800
 *      0x9000  banner
 *     0x10000  page tables: PML4, PDPT, three page directories, the page table of the first 2 MiB
 *     0x20000  stack of vCPU c ends at 0x21000 + c * 0x1000
 *     0x40000  low own pages of vCPU c at 0x40000 + c * 0x4000
 *     0xa0000  VGA window (device)
 *     0xf0000  ROM, 64 KiB, again at 0xffff0000
 *    0x100000  RAM up to the chosen size; needle at 0x234567
 *    0x300000  middle own pages of vCPU c at 0x300000 + c * 0x4000
 *  0xfec00000  IOAPIC (device)
 *  0xfee00000  local APIC (device)
 * 0x100000000  RAM, 4 MiB; high own pages of vCPU c at 0x100080000 + c * 0x4000
 * </pre>
 */
final class DemoLayout {

    static final int PAGE_SIZE = 4096;

    static final int MOST_VCPUS = 16;
    static final long LEAST_RAM = 4L << 20;
    static final long MOST_RAM = 1L << 30;
    static final long DEFAULT_RAM = 16L << 20;

    static final long LOW_RAM_SIZE = 0xa0000;
    static final long VGA = 0xa0000;
    static final long VGA_SIZE = 0x20000;
    static final long ROM = 0xf0000;
    static final long ROM_SIZE = 0x10000;
    static final long ROM_AT_TOP = 0xffff0000L;
    static final long MIDDLE_RAM = 0x100000;
    static final long IOAPIC = 0xfec00000L;
    static final long LOCAL_APIC = 0xfee00000L;
    static final long HIGH_RAM = 0x1_0000_0000L;
    static final long HIGH_RAM_SIZE = 4L << 20;

    static final long GDT = 0x1000;
    static final int CODE_SELECTOR = 0x08;
    static final int DATA_SELECTOR = 0x10;
    static final int FIRST_TASK_SELECTOR = 0x20;
    static final long IDT = 0x2000;
    static final int IDT_SIZE = 256 * 16;
    static final long TASKS = 0x3000;
    static final int TASK_STRIDE = 0x80;
    static final int TASK_SIZE = 0x68;
    static final long COUNTER = 0x6000;
    static final long CODE = 0x8000;
    static final long HANDLER = 0x8800;
    static final long BANNER = 0x9000;
    static final long PAGE_TABLES = 0x10000;
    static final long STACKS = 0x21000;
    static final long NEEDLE = 0x234567;

    /** Own pages of one vCPU. */
    static final int OWN_PAGES = 12;

    static final int WORDS_PER_PAGE = PAGE_SIZE / Long.BYTES;

    private static final int PAGES_PER_AREA = 4;
    private static final long[] AREAS = {0x40000, HIGH_RAM + 0x80000, 0x300000};
    private static final long PAGE_LISTS = 0x4000;
    private static final int PAGE_LIST_STRIDE = 0x80;

    private DemoLayout() {}

    /** Address of the list of own pages of a vCPU: {@link #OWN_PAGES} addresses, u64 each. */
    static long pageList(int vcpu) {
        return PAGE_LISTS + (long) vcpu * PAGE_LIST_STRIDE;
    }

    /** Address of an own page; neighbours in the list lie far apart in memory. */
    static long ownPage(int vcpu, int index) {
        long area = AREAS[index % AREAS.length];
        return area + (long) (vcpu * PAGES_PER_AREA + index / AREAS.length) * PAGE_SIZE;
    }
}
