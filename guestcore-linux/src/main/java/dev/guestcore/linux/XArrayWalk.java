package dev.guestcore.linux;

import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.types.KernelMember;
import dev.guestcore.linux.types.KernelType;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * An XArray, or the radix tree before 4.20, told by the members of the root. Sources: {@code include/linux/xarray.h},
 * {@code include/linux/radix-tree.h} of Linux.
 */
final class XArrayWalk {

    /** Up to here are the entries that the XArray keeps for itself. */
    private static final long LAST_RESERVED = 4096;

    private static final int ABOVE_ROOT = Long.SIZE;

    private final Linux linux;
    private final boolean radix;
    private final long shiftOffset;
    private final long slotsOffset;
    private final int slots;
    private final int bits;
    private final Steps<IndexEntry> steps = new Steps<>(Walk.LIMIT);
    private final Deque<Frame> open = new ArrayDeque<>();

    /** A node on the way down. */
    private static final class Frame {

        private final long address;
        private final long first;
        private final int shift;
        private int slot;

        Frame(long address, long first, int shift) {
            this.address = address;
            this.first = first;
            this.shift = shift;
        }
    }

    private XArrayWalk(Linux linux, boolean radix) {
        this.linux = linux;
        this.radix = radix;
        KernelType type = linux.type(radix ? "struct radix_tree_node" : "struct xa_node");
        shiftOffset = KernelObject.memberOf(type, "shift").offset();
        KernelMember array = KernelObject.memberOf(type, "slots");
        slotsOffset = array.offset();
        long count = array.type().resolved().count();
        if (count < 2 || count > Long.SIZE || Long.bitCount(count) != 1) {
            throw new LinuxException(type + " has " + count + " slots; expected a power of two up to 64");
        }
        slots = (int) count;
        bits = Long.numberOfTrailingZeros(count);
    }

    /** All entries of an {@code xarray}, {@code radix_tree_root} or {@code idr}, ascending. */
    static Walk<IndexEntry> of(KernelObject given) {
        KernelObject root = given.has("idr_rt") ? given.get("idr_rt") : given;
        boolean radix = !root.has("xa_head");
        return new XArrayWalk(given.linux(), radix).walk(root.get(radix ? "rnode" : "xa_head").asLong());
    }

    private boolean isNode(long entry) {
        return radix ? (entry & 3) == 1 : (entry & 3) == 2 && Long.compareUnsigned(entry, LAST_RESERVED) > 0;
    }

    private Walk<IndexEntry> walk(long head) {
        if (isNode(head)) {
            enter(head, 0, ABOVE_ROOT);
        } else {
            add(new IndexEntry(0, 0, head));
        }
        while (!open.isEmpty()) {
            Frame node = open.element();
            if (node.slot == slots) {
                open.remove();
            } else {
                look(node, node.slot++);
            }
        }
        return steps.end();
    }

    private void look(Frame node, int slot) {
        long place = node.address + slotsOffset + (long) slot * linux.pointerSize();
        try {
            long entry = linux.pointerAt(place);
            long first = node.first | (long) slot << node.shift;
            if (isNode(entry) && node.shift > 0) {
                enter(entry, first, node.shift);
            } else {
                add(new IndexEntry(first, first | (1L << node.shift) - 1, entry));
            }
        } catch (GuestcoreException e) {
            steps.broken(place, e);
            node.slot = slots;
        }
    }

    private void enter(long entry, long first, int parentShift) {
        long address = entry & ~3L;
        if (!steps.visit(address)) {
            return;
        }
        int shift = linux.memory().readByte(address + shiftOffset) & 0xff;
        if (shift >= parentShift || shift % bits != 0) {
            steps.broken("broken at 0x" + Long.toHexString(address) + ": a node with shift " + shift
                    + (parentShift == ABOVE_ROOT ? "" : " below one with shift " + parentShift));
            return;
        }
        open.push(new Frame(address, first, shift));
    }

    private void add(IndexEntry entry) {
        boolean reserved = !radix && (entry.entry() & 3) == 2
                && Long.compareUnsigned(entry.entry(), LAST_RESERVED) <= 0;
        if (entry.entry() != 0 && !reserved) {
            steps.found(entry);
        }
    }
}
