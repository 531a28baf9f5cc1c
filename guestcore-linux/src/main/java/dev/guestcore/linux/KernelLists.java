package dev.guestcore.linux;

import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.types.KernelType;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.OptionalLong;

/**
 * Lists and trees whose nodes lie in what they connect. Sources: {@code include/linux/list.h}, {@code list_nulls.h},
 * {@code llist.h}, {@code rbtree_types.h} of Linux.
 */
final class KernelLists {

    private KernelLists() {}

    /** {@code list_for_each_entry}: a ring through its head. */
    static Walk<KernelObject> list(KernelObject head, KernelType type, String member) {
        Linux linux = head.linux();
        long offset = KernelObject.memberOf(type, member).offset();
        long next = offset(linux, "struct list_head", "next");
        long prev = offset(linux, "struct list_head", "prev");
        long before = head.address();
        Steps<KernelObject> steps = new Steps<>(Walk.LIMIT);
        try {
            long node = linux.pointerAt(before + next);
            while (node != head.address() && steps.visit(node)) {
                long back = linux.pointerAt(node + prev);
                if (back != before) {
                    steps.odd("the element before 0x" + Long.toHexString(node) + " is 0x" + Long.toHexString(before)
                            + ", but it says 0x" + Long.toHexString(back));
                }
                steps.found(linux.object(type, node - offset));
                before = node;
                node = linux.pointerAt(node + next);
            }
        } catch (GuestcoreException e) {
            steps.broken(before, e);
        }
        return steps.end();
    }

    /** {@code hlist_for_each_entry}, {@code hlist_nulls_for_each_entry}, {@code llist_for_each_entry}: to a null. */
    static Walk<KernelObject> chain(KernelObject head, KernelType type, String member) {
        Linux linux = head.linux();
        KernelType headType = head.type().resolved();
        KernelObject first = head.get("first");
        KernelType nodeType = first.type().resolved().target()
                .orElseThrow(() -> new LinuxException(headType + " is not the head of a list: 'first' is no pointer"));
        long next = KernelObject.memberOf(nodeType, "next").offset();
        long offset = KernelObject.memberOf(type, member).offset();
        // The end of a list with nulls is odd and tells which list it was.
        boolean nulls = nodeType.name().equals("hlist_nulls_node");
        Steps<KernelObject> steps = new Steps<>(Walk.LIMIT);
        long at = head.address();
        try {
            long node = first.asLong();
            while (node != 0 && !(nulls && (node & 1) != 0) && steps.visit(node)) {
                at = node;
                // The next is read first: an element whose memory is missing ends the walk before it is told.
                long after = linux.pointerAt(node + next);
                steps.found(linux.object(type, node - offset));
                node = after;
            }
        } catch (GuestcoreException e) {
            steps.broken(at, e);
        }
        return steps.end();
    }

    /** {@code rbtree_inorder_for_each_entry}: from left to right. */
    static Walk<KernelObject> tree(KernelObject root, KernelType type, String member) {
        Linux linux = root.linux();
        long offset = KernelObject.memberOf(type, member).offset();
        long left = offset(linux, "struct rb_node", "rb_left");
        long right = offset(linux, "struct rb_node", "rb_right");
        KernelObject start = root.has("rb_node") ? root.get("rb_node") : root.get("rb_root.rb_node");
        Steps<KernelObject> steps = new Steps<>(Walk.LIMIT);
        Deque<Long> open = new ArrayDeque<>();
        long node = start.asLong();
        while (node != 0 || !open.isEmpty()) {
            if (node != 0) {
                node = down(linux, node, left, open, steps);
            } else {
                long place = open.pop();
                steps.found(linux.object(type, place - offset));
                node = read(linux, place + right, steps).orElse(0);
            }
        }
        return steps.end();
    }

    private static long down(Linux linux, long node, long left, Deque<Long> open, Steps<?> steps) {
        OptionalLong next = steps.visit(node) ? read(linux, node + left, steps) : OptionalLong.empty();
        if (next.isPresent()) {
            open.push(node);
        }
        return next.orElse(0);
    }

    private static OptionalLong read(Linux linux, long address, Steps<?> steps) {
        try {
            return OptionalLong.of(linux.pointerAt(address));
        } catch (GuestcoreException e) {
            steps.broken(address, e);
            return OptionalLong.empty();
        }
    }

    private static long offset(Linux linux, String type, String member) {
        return KernelObject.memberOf(linux.type(type), member).offset();
    }
}
