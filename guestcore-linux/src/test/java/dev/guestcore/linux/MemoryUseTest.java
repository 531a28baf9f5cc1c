package dev.guestcore.linux;

import static dev.guestcore.linux.MadeUpLinux.BASE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.linux.MemoryUse.Kind;
import dev.guestcore.linux.types.BtfBuilder;
import dev.guestcore.linux.types.BtfBuilder.Member;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** Counters of memory in a kernel that a test wrote: in either place, and damaged. */
class MemoryUseTest {

    private static final long TOTAL = BASE + 0x100;
    private static final long ZONES = BASE + 0x200;
    private static final long NODES = BASE + 0x300;
    private static final long STATES = BASE + 0x400;
    private static final long COUNT = BASE + 0x500;
    private static final long PAGE = 4096;

    private static BtfBuilder types() {
        BtfBuilder btf = BtfBuilder.kernel();
        int number = btf.integer("long int", 8, 1);
        int integer = btf.integer("unsigned int", 4, 0);
        btf.integer("int", 4, 1);
        int counter = btf.struct("atomic64", 8, Member.at(0, "counter", number));
        btf.typedef("atomic_long_t", counter);
        btf.enumeration("zone_stat_item", false, 0, "NR_FREE_PAGES", "NR_PAGETABLE");
        btf.enumeration("node_stat_item", false, 0, "NR_ANON_MAPPED", "NR_FILE_PAGES", "NR_KERNEL_STACK_KB",
                "NR_ANON_THPS");
        btf.struct("hstate", 32, Member.at(0, "order", integer), Member.at(8, "nr_huge_pages", number),
                Member.at(16, "free_huge_pages", number));
        return btf;
    }

    private static MadeUpLinux guest() {
        return new MadeUpLinux()
                .symbol("_totalram_pages", 'B', TOTAL)
                .symbol("vm_zone_stat", 'B', ZONES)
                .symbol("vm_node_stat", 'B', NODES)
                .symbol("hstates", 'B', STATES)
                .symbol("hugetlb_max_hstate", 'B', COUNT)
                .put64(TOTAL, 4096)
                .put64(ZONES, 1000)
                .put64(ZONES + 8, 10)
                .put64(NODES, 300)
                .put64(NODES + 8, 200)
                .put64(NODES + 16, 64)
                .put64(NODES + 24, 7)
                .put32(COUNT, 1)
                .put32(STATES, 9)
                .put64(STATES + 8, 2)
                .put64(STATES + 16, 1);
    }

    @Test
    void countersAreFoundByName() {
        MemoryUse use = MemoryUse.of(guest().with(types()));
        assertEquals(List.of(), use.problems());
        assertEquals(OptionalLong.of(4096 * PAGE), use.total());
        assertEquals(1000 * PAGE, use.bytes().get(Kind.FREE));
        assertEquals(10 * PAGE, use.bytes().get(Kind.PAGE_TABLES));
        assertEquals(300 * PAGE, use.bytes().get(Kind.ANONYMOUS));
        assertEquals(200 * PAGE, use.bytes().get(Kind.PAGE_CACHE));
        assertEquals(64 << 10, use.bytes().get(Kind.KERNEL_STACKS));
        assertEquals(List.of(new MemoryUse.HugePages(2 << 20, 2, 1)), use.pools());
        assertEquals(OptionalLong.of((4096 - 1000 - 10 - 300 - 200 - 16 - 1024) * PAGE), use.other());
        // Whose unit this kernel does not tell, and what it does not count.
        assertFalse(use.bytes().containsKey(Kind.ANONYMOUS_HUGE));
        assertFalse(use.bytes().containsKey(Kind.SHARED));
        assertEquals(Optional.of(Kind.PAGE_CACHE), Kind.SHARED.whole());
    }

    @Test
    void countersBelowZeroAreNothing() {
        MemoryUse use = MemoryUse.of(guest().put64(NODES, -3).with(types()));
        assertEquals(List.of(), use.problems());
        assertEquals(0, use.bytes().get(Kind.ANONYMOUS));
    }

    @Test
    void whatCannotBeIsLeftOutAndSaid() {
        MemoryUse use = MemoryUse.of(guest()
                .put64(ZONES, Long.MAX_VALUE)
                .put64(NODES, 4097)
                .put64(STATES + 8, 1L << 60)
                .put32(COUNT, 1)
                .with(types()));
        assertEquals(3, use.problems().size(), use.problems()::toString);
        assertFalse(use.bytes().containsKey(Kind.FREE));
        assertFalse(use.bytes().containsKey(Kind.ANONYMOUS));
        assertEquals(List.of(), use.pools());
        assertEquals(OptionalLong.empty(), use.other());
        MemoryUse without = MemoryUse.of(guest().put64(TOTAL, -1).with(types()));
        assertEquals(OptionalLong.empty(), without.total());
        assertEquals(List.of("the total: -1 pages cannot be"), without.problems());
        assertEquals(1000 * PAGE, without.bytes().get(Kind.FREE));
    }

    @Test
    void missingMemoryIsSaid() {
        MemoryUse torn = MemoryUse.of(new MadeUpLinux()
                .symbol("_totalram_pages", 'B', 0x10)
                .symbol("vm_node_stat", 'B', 0x20)
                .with(types()));
        assertEquals(4, torn.problems().size(), torn.problems()::toString);
        assertTrue(torn.bytes().isEmpty());
    }
}
