package dev.guestcore.linux;

import static dev.guestcore.linux.MadeUpLinux.BASE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.linux.types.BtfBuilder;
import dev.guestcore.linux.types.BtfBuilder.Member;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Lists and trees, whole and damaged. */
class WalkTest {

    private static final long HEAD = BASE + 0x100;
    private static final long NOWHERE = 0xffff_0000_0000L;

    private static BtfBuilder types() {
        BtfBuilder btf = BtfBuilder.kernel();
        int unsignedLong = btf.integer("long unsigned int", 8, 0);
        int integer = btf.integer("int", 4, 1);
        int character = btf.integer("unsigned char", 1, 0);
        int any = btf.pointer(0);
        int list = btf.struct("list_head", 16, Member.at(0, "next", any), Member.at(8, "prev", any));
        int hnode = btf.struct("hlist_node", 16, Member.at(0, "next", any), Member.at(8, "pprev", any));
        int nulls = btf.struct("hlist_nulls_node", 16, Member.at(0, "next", any), Member.at(8, "pprev", any));
        btf.struct("hlist_head", 8, Member.at(0, "first", btf.pointer(hnode)));
        btf.struct("hlist_nulls_head", 8, Member.at(0, "first", btf.pointer(nulls)));
        int rb = btf.struct("rb_node", 24, Member.at(0, "__rb_parent_color", unsignedLong),
                Member.at(8, "rb_right", any), Member.at(16, "rb_left", any));
        int rbRoot = btf.struct("rb_root", 8, Member.at(0, "rb_node", btf.pointer(rb)));
        btf.struct("rb_root_cached", 16, Member.at(0, "rb_root", rbRoot), Member.at(8, "rb_leftmost", any));
        btf.struct("element", 64, Member.at(0, "number", integer), Member.at(16, "node", list),
                Member.at(32, "link", hnode), Member.at(8, "branch", rb), Member.at(40, "nulls", nulls));
        btf.struct("xa_node", 64, Member.at(0, "shift", character),
                Member.at(8, "slots", btf.array(any, integer, 4)));
        btf.struct("radix_tree_node", 64, Member.at(0, "shift", character),
                Member.at(16, "slots", btf.array(any, integer, 4)));
        int xarray = btf.struct("xarray", 16, Member.at(8, "xa_head", any));
        btf.struct("radix_tree_root", 16, Member.at(8, "rnode", any));
        btf.struct("idr", 24, Member.at(8, "idr_rt", xarray));
        btf.struct("maple_tree", 16, Member.at(8, "ma_root", any));
        btf.struct("maple_range_64", 256, Member.at(8, "pivot", btf.array(unsignedLong, integer, 3)),
                Member.at(32, "slot", btf.array(any, integer, 4)));
        btf.struct("maple_arange_64", 256, Member.at(8, "pivot", btf.array(unsignedLong, integer, 2)),
                Member.at(24, "slot", btf.array(any, integer, 3)));
        btf.struct("maple_node", 256, Member.at(8, "slot", btf.array(any, integer, 31)));
        return btf;
    }

    private static long element(int number) {
        return BASE + 0x1000L * number;
    }

    private static MadeUpLinux numbered(int count) {
        MadeUpLinux guest = new MadeUpLinux();
        for (int i = 1; i <= count; i++) {
            guest.put32(element(i), i);
        }
        return guest;
    }

    private static List<Long> numbers(Walk<KernelObject> walk) {
        return walk.map(each -> each.getLong("number")).items();
    }

    private static Walk<KernelObject> list(MadeUpLinux guest) {
        return guest.with(types()).object("struct list_head", HEAD).list("struct element", "node");
    }

    @Test
    void aListGoesRound() {
        Walk<KernelObject> walk = list(numbered(3).ring(HEAD, element(3) + 16, element(1) + 16, element(2) + 16));
        assertEquals(List.of(3L, 1L, 2L), numbers(walk));
        assertTrue(walk.complete());
        assertEquals(List.of(), walk.problems());
        assertEquals(Walk.of(List.of()), list(new MadeUpLinux().ring(HEAD)));
    }

    @Test
    void aListIntoNowhereTellsWhere() {
        Walk<KernelObject> walk = list(numbered(3)
                .ring(HEAD, element(1) + 16, element(2) + 16, element(3) + 16)
                .put64(element(2) + 16, NOWHERE));
        assertEquals(List.of(1L, 2L), numbers(walk));
        assertFalse(walk.complete());
        assertTrue(walk.problems().getFirst().startsWith("broken at 0x102010: cannot read"), walk.problems()::toString);
    }

    @Test
    void aListInACircleEnds() {
        Walk<KernelObject> walk = list(numbered(3)
                .ring(HEAD, element(1) + 16, element(2) + 16, element(3) + 16)
                .put64(element(3) + 16, element(2) + 16));
        assertEquals(List.of(1L, 2L, 3L), numbers(walk));
        assertFalse(walk.complete());
        assertEquals(List.of("comes back to 0x102010, where it was before"), walk.problems());
    }

    @Test
    void anElementThatWasTakenOutHalfIsTold() {
        Walk<KernelObject> walk = list(numbered(3)
                .ring(HEAD, element(1) + 16, element(2) + 16, element(3) + 16)
                .put64(element(3) + 24, element(1) + 16));
        assertEquals(List.of(1L, 2L, 3L), numbers(walk));
        assertTrue(walk.complete());
        assertEquals(List.of("the element before 0x103010 is 0x102010, but it says 0x101010"), walk.problems());
    }

    @Test
    void itemsThatCannotBeReadAreTold() {
        Walk<Long> walk = new Walk<>(List.of(element(1), NOWHERE, element(2)), true, List.of("before"))
                .map(address -> numbered(2).with(types()).object("struct element", address).getLong("number"));
        assertEquals(List.of(1L, 2L), walk.items());
        assertEquals(2, walk.problems().size());
        Walk<Integer> nested =
                Walk.of(List.of(1, 2)).flatMap(number -> new Walk<>(List.of(number), false, List.of("x")));
        assertEquals(List.of(1, 2), nested.items());
        assertEquals(List.of("x", "x"), nested.problems());
    }

    @Test
    void chainsEndAtNullOrAnOddNumber() {
        MadeUpLinux guest = numbered(3)
                .put64(HEAD, element(2) + 32)
                .put64(element(2) + 32, element(1) + 32)
                .put64(element(1) + 32, 0);
        Linux linux = guest.with(types());
        assertEquals(List.of(2L, 1L),
                numbers(linux.object("struct hlist_head", HEAD).chain("struct element", "link")));
        guest.put64(HEAD, element(2) + 40).put64(element(2) + 40, element(3) + 40).put64(element(3) + 40, 0x1235);
        Walk<KernelObject> nulls = linux.object("struct hlist_nulls_head", HEAD).chain("struct element", "nulls");
        assertEquals(List.of(2L, 3L), numbers(nulls));
        assertTrue(nulls.complete());
        guest.put64(element(3) + 40, element(2) + 40);
        nulls = linux.object("struct hlist_nulls_head", HEAD).chain("struct element", "nulls");
        assertEquals(List.of(2L, 3L), numbers(nulls));
        assertFalse(nulls.complete());
        guest.put64(element(3) + 40, NOWHERE);
        assertFalse(linux.object("struct hlist_nulls_head", HEAD).chain("struct element", "nulls").complete());
    }

    private static MadeUpLinux tree() {
        MadeUpLinux guest = numbered(5);
        node(guest, 3, 2, 5);
        node(guest, 2, 1, 0);
        node(guest, 1, 0, 0);
        node(guest, 5, 4, 0);
        node(guest, 4, 0, 0);
        return guest.put64(HEAD, element(3) + 8);
    }

    private static void node(MadeUpLinux guest, int number, int left, int right) {
        guest.put64(element(number) + 8 + 8, right == 0 ? 0 : element(right) + 8);
        guest.put64(element(number) + 8 + 16, left == 0 ? 0 : element(left) + 8);
    }

    @Test
    void treesAreWalkedFromLeftToRight() {
        for (String root : List.of("struct rb_root", "struct rb_root_cached")) {
            Walk<KernelObject> walk = tree().with(types()).object(root, HEAD).tree("struct element", "branch");
            assertEquals(List.of(1L, 2L, 3L, 4L, 5L), numbers(walk));
            assertTrue(walk.complete());
        }
    }

    @Test
    void damagedTreesEnd() {
        MadeUpLinux guest = tree().put64(element(4) + 8 + 16, element(3) + 8);
        Walk<KernelObject> walk = guest.with(types()).object("struct rb_root", HEAD).tree("struct element", "branch");
        assertEquals(List.of(1L, 2L, 3L, 4L, 5L), numbers(walk));
        assertFalse(walk.complete());
        guest.put64(element(4) + 8 + 16, 0).put64(element(2) + 8 + 16, NOWHERE);
        walk = guest.with(types()).object("struct rb_root", HEAD).tree("struct element", "branch");
        assertFalse(walk.complete());
        assertEquals(1, walk.problems().size());
    }

    private static Walk<IndexEntry> xarray(MadeUpLinux guest) {
        return guest.with(types()).object("struct xarray", HEAD).xarray();
    }

    @Test
    void xarraysOfEveryDepth() {
        long pointer = 0xffff_8880_0000_1000L;
        assertEquals(List.of(), xarray(new MadeUpLinux()).items());
        assertEquals(List.of(new IndexEntry(0, 0, pointer)),
                xarray(new MadeUpLinux().put64(HEAD + 8, pointer)).items());
        MadeUpLinux guest = new MadeUpLinux()
                .put64(HEAD + 8, element(1) | 2)
                .put8(element(1), 2)
                .put64(element(1) + 8, element(2) | 2)
                // A sibling, kept for itself; a value; a node.
                .put64(element(1) + 16, 2)
                .put64(element(1) + 24, 0x43)
                .put64(element(1) + 32, element(3) | 2)
                .put8(element(2), 0)
                .put64(element(2) + 8 + 24, pointer)
                .put8(element(3), 0)
                .put64(element(3) + 8, pointer + 8)
                .put64(element(3) + 8 + 8, 0x406);
        Walk<IndexEntry> walk = xarray(guest);
        assertEquals(List.of(new IndexEntry(3, 3, pointer), new IndexEntry(8, 11, 0x43),
                new IndexEntry(12, 12, pointer + 8)), walk.items());
        assertTrue(walk.complete());
        assertEquals(walk.items(), guest.with(types()).object("struct idr", HEAD - 8).xarray().items());
        // A node that leads to itself, and one into nowhere.
        guest.put8(element(3), 2);
        assertFalse(xarray(guest).complete());
        guest.put8(element(3), 0).put64(element(1) + 32, NOWHERE | 2);
        Walk<IndexEntry> broken = xarray(guest);
        assertEquals(2, broken.size());
        assertFalse(broken.complete());
    }

    @Test
    void radixTreesOfBefore() {
        MadeUpLinux guest = new MadeUpLinux()
                .put64(HEAD + 8, element(1) | 1)
                .put8(element(1), 0)
                .put64(element(1) + 16 + 16, element(9));
        Walk<IndexEntry> walk = guest.with(types()).object("struct radix_tree_root", HEAD).xarray();
        assertEquals(List.of(new IndexEntry(2, 2, element(9))), walk.items());
    }

    private static Walk<IndexEntry> maple(MadeUpLinux guest) {
        return guest.with(types()).object("struct maple_tree", HEAD).mapleTree();
    }

    private static MadeUpLinux mapleGuest() {
        long root = element(1);
        long left = element(2);
        long right = element(3);
        return new MadeUpLinux()
                .put64(HEAD + 8, root | 3 << 3 | 2)
                .put64(root + 8, 0xfff)
                .put64(root + 24, left | 1 << 3)
                .put64(root + 32, right | 1 << 3)
                // 0-0x3ff nothing, 0x400-0x7ff, 0x800-0xfff; ends at the maximum of the node.
                .put64(left + 8, 0x3ff)
                .put64(left + 16, 0x7ff)
                .put64(left + 24, 0xfff)
                .put64(left + 40, 0xa000)
                .put64(left + 48, 0xb000)
                .put64(left + 56, 0xdead)
                // 0x1000-0x1fff; nothing to the end, told by a pivot of zero.
                .put64(right + 8, 0x1fff)
                .put64(right + 32, 0xc000);
    }

    @Test
    void mapleTreesTellRanges() {
        Walk<IndexEntry> walk = maple(mapleGuest());
        assertEquals(List.of(new IndexEntry(0x400, 0x7ff, 0xa000), new IndexEntry(0x800, 0xfff, 0xb000),
                new IndexEntry(0x1000, 0x1fff, 0xc000)), walk.items());
        assertTrue(walk.complete());
        assertEquals(List.of(), walk.problems());
        assertEquals(List.of(), maple(new MadeUpLinux()).items());
        assertEquals(List.of(new IndexEntry(0, 0, 0x5000)), maple(new MadeUpLinux().put64(HEAD + 8, 0x5000)).items());
    }

    @Test
    void damagedMapleTreesEnd() {
        // A pivot that goes back, a node that leads to itself, an unknown type, nowhere.
        assertFalse(maple(mapleGuest().put64(element(2) + 16, 0x3fe)).complete());
        assertFalse(maple(mapleGuest().put64(element(1) + 24, element(1) | 2 << 3)).complete());
        assertFalse(maple(mapleGuest().put64(element(1) + 24, element(2) | 9 << 3)).complete());
        Walk<IndexEntry> walk = maple(mapleGuest().put64(element(1) + 24, NOWHERE | 1 << 3));
        assertEquals(1, walk.size());
        assertFalse(walk.complete());
    }
}
