package dev.guestcore.linux;

import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.types.KernelMember;
import dev.guestcore.linux.types.KernelType;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * A maple tree (since 6.1). Nodes are aligned to 256 bytes; the low bits of what points to them tell their type. Source:
 * {@code include/linux/maple_tree.h} of Linux.
 */
final class MapleWalk {

    private static final int DENSE = 0;
    private static final int LEAF = 1;
    private static final int ALLOCATION_RANGE = 3;
    private static final long LAST_RESERVED = 4096;
    private static final int DEEPEST = 32;

    private final Linux linux;
    private final Layout range;
    private final Layout allocationRange;
    private final Layout dense;
    private final Steps<IndexEntry> steps = new Steps<>(Walk.LIMIT);
    private final Deque<Frame> open = new ArrayDeque<>();

    /** Where a node of one type has its pivots (the last index of each slot) and slots. */
    private record Layout(long pivots, int pivotCount, long slots, int slotCount) {

        static Layout of(KernelType type, String pivots, String slots) {
            KernelMember pivot = KernelObject.memberOf(type, pivots);
            KernelMember slot = KernelObject.memberOf(type, slots);
            return new Layout(
                    pivot.offset(),
                    count(pivot),
                    slot.offset(),
                    count(slot));
        }

        static int count(KernelMember array) {
            long count = array.type().resolved().count();
            if (count < 1 || count > Long.SIZE) {
                throw new LinuxException("a node of a maple tree has " + count + " of '" + array.name()
                        + "'; expected 1 to 64");
            }
            return (int) count;
        }
    }

    /** A node on the way down. */
    private static final class Frame {

        private final long address;
        private final int type;
        private final Layout layout;
        private final long last;
        private long first;
        private int slot;

        Frame(long address, int type, Layout layout, long first, long last) {
            this.address = address;
            this.type = type;
            this.layout = layout;
            this.first = first;
            this.last = last;
        }

        boolean isDone() {
            return slot >= layout.slotCount;
        }

        void finish() {
            slot = layout.slotCount;
        }
    }

    private MapleWalk(Linux linux) {
        this.linux = linux;
        range = Layout.of(linux.type("struct maple_range_64"), "pivot", "slot");
        allocationRange = Layout.of(linux.type("struct maple_arange_64"), "pivot", "slot");
        KernelMember slots = KernelObject.memberOf(linux.type("struct maple_node"), "slot");
        dense = new Layout(0, 0, slots.offset(), Layout.count(slots));
    }

    /** All entries of a {@code maple_tree}, ascending. */
    static Walk<IndexEntry> of(KernelObject tree) {
        return new MapleWalk(tree.linux()).walk(tree.get("ma_root").asLong());
    }

    private static boolean isReserved(long entry) {
        return (entry & 3) == 2 && Long.compareUnsigned(entry, LAST_RESERVED) < 0;
    }

    private Walk<IndexEntry> walk(long root) {
        if ((root & 3) == 2 && !isReserved(root)) {
            enter(root, 0, -1L);
        } else if (root != 0 && !isReserved(root)) {
            steps.found(new IndexEntry(0, 0, root));
        }
        while (!open.isEmpty()) {
            Frame node = open.element();
            if (node.isDone()) {
                open.remove();
            } else {
                look(node);
            }
        }
        return steps.end();
    }

    private void enter(long encoded, long first, long last) {
        long address = encoded & ~0xffL;
        int type = (int) (encoded >>> 3) & 0xf;
        if (type > ALLOCATION_RANGE || open.size() == DEEPEST) {
            steps.broken("broken at 0x" + Long.toHexString(encoded) + ": "
                    + (type > ALLOCATION_RANGE ? "a node of unknown type " + type
                            : "more than " + DEEPEST + " levels"));
        } else if (steps.visit(address)) {
            Layout layout = type == DENSE ? dense : type == ALLOCATION_RANGE ? allocationRange : range;
            open.push(new Frame(address, type, layout, first, last));
        }
    }

    private void look(Frame node) {
        int slot = node.slot++;
        long first = node.first;
        try {
            long last = last(node, slot);
            if (Long.compareUnsigned(last, first) < 0 || Long.compareUnsigned(last, node.last) > 0) {
                steps.broken("broken at 0x" + Long.toHexString(node.address) + ": slot " + slot + " ends at 0x"
                        + Long.toHexString(last) + ", outside of 0x" + Long.toHexString(first) + " to 0x"
                        + Long.toHexString(node.last));
                node.finish();
                return;
            }
            long entry = linux.pointerAt(node.address + node.layout.slots + (long) slot * linux.pointerSize());
            if (last == node.last) {
                node.finish();
            }
            node.first = last + 1;
            take(node, entry, first, last);
        } catch (GuestcoreException e) {
            steps.broken(node.address, e);
            node.finish();
        }
    }

    /** The last index of a slot: a pivot of zero behind the first slot, and none at all, mean the end of the node. */
    private long last(Frame node, int slot) {
        if (node.type == DENSE) {
            return node.first;
        }
        if (slot >= node.layout.pivotCount) {
            return node.last;
        }
        long pivot = linux.pointerAt(node.address + node.layout.pivots + (long) slot * linux.pointerSize());
        return pivot == 0 && slot > 0 ? node.last : pivot;
    }

    private void take(Frame node, long entry, long first, long last) {
        if (entry == 0 || isReserved(entry)) {
            return;
        }
        if (node.type == LEAF || node.type == DENSE) {
            steps.found(new IndexEntry(first, last, entry));
        } else {
            enter(entry, first, last);
        }
    }
}
