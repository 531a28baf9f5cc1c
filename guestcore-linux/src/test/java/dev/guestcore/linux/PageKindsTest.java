package dev.guestcore.linux;

import static dev.guestcore.linux.MadeUpLinux.BASE;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.Progress;
import dev.guestcore.linux.PageKinds.Kind;
import dev.guestcore.linux.types.BtfBuilder;
import dev.guestcore.linux.types.BtfBuilder.Member;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Kinds of pages in a kernel that a test wrote: by the marks of its version, and damaged. */
class PageKindsTest {

    private static final long SECTIONS = BASE + 0x100;
    private static final long ROOT = BASE + 0x1000;
    private static final long STRUCTURES = BASE + 0x10000;

    /** The first page that the guest has. */
    private static final int FIRST = (int) (BASE >> 12);

    private static final int LRU = 1 << 1;
    private static final int PRIVATE = 1 << 2;
    private static final int HEAD = 1 << 5;
    private static final int SLAB = 1 << 6;
    private static final int FREE = ~0x80;

    private static BtfBuilder types(boolean newMarks) {
        BtfBuilder btf = BtfBuilder.kernel();
        int number = btf.integer("long unsigned int", 8, 0);
        int integer = btf.integer("int", 4, 1);
        int small = btf.integer("unsigned char", 1, 0);
        btf.struct("page", 64, Member.at(0, "flags", number), Member.at(8, "compound_head", number),
                Member.at(16, "compound_dtor", small), Member.at(17, "compound_order", small),
                Member.at(24, "mapping", number), Member.at(40, "private", number),
                Member.at(48, "_mapcount", integer));
        btf.enumeration(
                "pageflags", false, 0, "PG_locked", "PG_lru", "PG_private", "PG_swapcache", "PG_swapbacked", "PG_head",
                "PG_slab", "PG_hwpoison");
        btf.struct("mem_section", 16, Member.at(0, "section_mem_map", number));
        int list = btf.struct("free_area", 8, Member.at(0, "nr_free", number));
        btf.struct("zone", 88, Member.at(0, "free_area", btf.array(list, integer, 11)));
        if (newMarks) {
            btf.enumeration("pagetype", false, 0xf0, "PGTY_buddy", "PGTY_offline", "PGTY_table", "PGTY_guard",
                    "PGTY_hugetlb",
                    "PGTY_slab");
        } else {
            btf.enumeration("compound_dtor_id", false, 0, "NULL_COMPOUND_DTOR", "COMPOUND_PAGE_DTOR",
                    "HUGETLB_PAGE_DTOR");
        }
        return btf;
    }

    private static MadeUpLinux guest() {
        return new MadeUpLinux()
                .symbol("mem_section", 'B', SECTIONS)
                .put64(SECTIONS, ROOT)
                .put64(ROOT, STRUCTURES - FIRST * 64L | 7);
    }

    /** Writes the structure of the page so many behind the first. */
    private static MadeUpLinux page(MadeUpLinux linux, int number, int flags, long mapping, long data, int mark) {
        long at = STRUCTURES + number * 64L;
        return linux.put64(at, flags).put64(at + 24, mapping).put64(at + 40, data).put32(at + 48, mark);
    }

    private static List<String> runs(Linux linux) {
        List<String> runs = new ArrayList<>();
        PageKinds.find(linux).orElseThrow().show(Progress.none(),
                (kind, first, count) -> runs.add(kind.name() + " " + (first - FIRST) + " " + count));
        return runs;
    }

    @Test
    void kindsAreToldByFlagsAndMarks() {
        MadeUpLinux linux = guest();
        page(linux, 0, 0, 0, 2, FREE);
        page(linux, 4, LRU, 0x1000, 0, -1);
        page(linux, 5, LRU | PRIVATE, 0x1000, 0, -1);
        page(linux, 6, LRU, 0x1001, 0, 0);
        page(linux, 7, 0, 0x1001, 0, 0);
        page(linux, 8, SLAB, 0x1001, 0, FREE);
        page(linux, 9, 1 << 7, 0, 0, -1);
        page(linux, 10, 0, 0, 0, ~0x100);
        assertEquals(
                List.of("FREE 0 4", "CACHE 4 1", "PRIVATE_CACHE 5 1", "USER 6 2", "FREE 9 2"),
                runs(linux.with(types(false))));
    }

    @Test
    void pagesThatBelongTogetherAreOfOneKind() {
        MadeUpLinux linux = guest();
        page(linux, 0, HEAD | LRU, 0x1001, 0, -1);
        linux.put8(STRUCTURES + 64 + 17, 3);
        page(linux, 8, HEAD, 0, 0, -1);
        linux.put8(STRUCTURES + 9 * 64 + 16, 2).put8(STRUCTURES + 9 * 64 + 17, 1);
        // An order that the page's number does not allow.
        page(linux, 11, HEAD | LRU, 0x1000, 0, -1);
        linux.put8(STRUCTURES + 12 * 64 + 17, 2);
        assertEquals(List.of("USER 0 10", "CACHE 11 1"), runs(linux.with(types(false))));
    }

    @Test
    void newerKernelsMarkInTheUpperByte() {
        MadeUpLinux linux = guest();
        page(linux, 0, 0, 0, 1, 0xf0 << 24);
        page(linux, 2, 0, 0x1001, 0, 0xf5 << 24);
        page(linux, 3, 0, 0, 0, FREE);
        page(linux, 4, 0, 0, 0, 0xf1 << 24);
        assertEquals(List.of("FREE 0 2", "FREE 4 1"), runs(linux.with(types(true))));
    }

    @Test
    void whatCannotBeReadIsOfNoKind() {
        // A huge order, of a page that claims to be free.
        MadeUpLinux linux = page(guest(), 0, 0, 0, 63, FREE);
        page(linux, 1, 0, 0, 11, FREE);
        assertEquals(List.of(), runs(linux.with(types(false))));
        // Structures of a section of 32768 pages begin inside memory, and go on behind its end.
        long readable = (BASE + (1 << 20) - (STRUCTURES - FIRST * 64L)) / 64;
        assertEquals(
                (1 << 15) - readable,
                PageKinds.find(guest().with(types(false))).orElseThrow().show(Progress.none(),
                        (kind, first, count) -> {}));
        MadeUpLinux nowhere = guest().put64(ROOT, 0x7000_0000_0000L | 7);
        assertEquals(List.of(), runs(nowhere.with(types(false))));
        assertEquals(List.of(), runs(guest().put64(SECTIONS, 0).with(types(false))));
        assertEquals(List.of(), runs(guest().put64(ROOT, STRUCTURES - FIRST * 64L).with(types(false))));
    }

    @Test
    void aKernelWhoseTypesDoNotTellHasNone() {
        BtfBuilder none = BtfBuilder.kernel();
        none.integer("int", 4, 1);
        assertEquals(Optional.empty(), PageKinds.find(guest().with(none)));
    }
}
