package dev.guestcore.internal.ranges;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Address ranges in any order that may overlap, on the way to an {@link Extents} table without overlaps. All of it lies
 * outside the heap, and n ranges take O(n log n), however they overlap. Not thread-safe.
 *
 * <p>The number beside a range is taken for the file offset of its first address, so a range of which only a later part is
 * seen gets a larger one; a negative number is a mark and stays as it is.
 */
public final class LayeredExtents {

    private static final long ENTRY = 3L * Long.BYTES;
    private static final long WORD = Long.BYTES;

    private final Arena scratch;
    private MemorySegment table;
    private long count;
    private boolean ordered = true;

    /** Which of two overlapping ranges is seen. */
    public enum Precedence {
        /** The one that was added first. */
        EARLIER,
        /** The one that was added last. */
        LATER
    }

    /**
     * Begins with no ranges.
     *
     * @param scratch memory for the work; may be closed after {@link #build}
     */
    public LayeredExtents(Arena scratch) {
        this.scratch = scratch;
        this.table = scratch.allocate(64 * ENTRY, WORD);
    }

    /**
     * Adds a range.
     *
     * @param first lowest address, unsigned
     * @param last highest address, unsigned, not below {@code first}
     * @param value file offset of {@code first}, or a negative mark
     */
    public void add(long first, long last, long value) {
        long offset = count * ENTRY;
        if (offset == table.byteSize()) {
            MemorySegment larger = scratch.allocate(2 * offset, WORD);
            MemorySegment.copy(table, 0, larger, 0, offset);
            table = larger;
        }
        table.set(ValueLayout.JAVA_LONG, offset, first);
        table.set(ValueLayout.JAVA_LONG, offset + WORD, last);
        table.set(ValueLayout.JAVA_LONG, offset + 2 * WORD, value);
        ordered &= count == 0 || Long.compareUnsigned(last(count - 1), first) < 0;
        count++;
    }

    /** Number of ranges added. */
    public long count() {
        return count;
    }

    /** Whether the ranges were added ascending and without overlap. */
    public boolean isOrdered() {
        return ordered;
    }

    /** Sees ranges as they were added. */
    @FunctionalInterface
    public interface Visitor {
        /** Sees a range and the number beside it. */
        void visit(long first, long last, long value);
    }

    /** Shows all ranges in the order in which they were added, also those that others hide. */
    public void forEach(Visitor visitor) {
        for (long i = 0; i < count; i++) {
            visitor.visit(first(i), last(i), value(i));
        }
    }

    long first(long index) {
        return table.get(ValueLayout.JAVA_LONG, index * ENTRY);
    }

    long last(long index) {
        return table.get(ValueLayout.JAVA_LONG, index * ENTRY + WORD);
    }

    long value(long index) {
        return table.get(ValueLayout.JAVA_LONG, index * ENTRY + 2 * WORD);
    }

    /**
     * The table of what is seen. Ranges that were added in order stay as they are; of others, neighbours that also lie
     * side by side in the file become one.
     *
     * @param arena how long the table lives
     */
    public Extents build(Arena arena, Precedence precedence) {
        Extents.Builder builder = new Extents.Builder(arena);
        if (ordered) {
            for (long i = 0; i < count; i++) {
                builder.add(first(i), last(i), value(i));
            }
        } else {
            sweep(builder, sorted(), precedence);
        }
        return builder.build();
    }

    /** Indices of the ranges by first address; equal ones in the order they were added. */
    MemorySegment sorted() {
        MemorySegment from = scratch.allocate(count * WORD, WORD);
        MemorySegment to = scratch.allocate(count * WORD, WORD);
        for (long i = 0; i < count; i++) {
            put(from, i, i);
        }
        for (long width = 1; width < count; width *= 2) {
            for (long low = 0; low < count; low += 2 * width) {
                merge(from, to, low, Math.min(low + width, count), Math.min(low + 2 * width, count));
            }
            MemorySegment swapped = from;
            from = to;
            to = swapped;
        }
        return from;
    }

    private void merge(MemorySegment from, MemorySegment to, long low, long middle, long high) {
        long left = low;
        long right = middle;
        for (long out = low; out < high; out++) {
            boolean takeLeft = right >= high
                    || left < middle && Long.compareUnsigned(first(at(from, left)), first(at(from, right))) <= 0;
            put(to, out, at(from, takeLeft ? left++ : right++));
        }
    }

    private void sweep(Extents.Builder builder, MemorySegment order, Precedence precedence) {
        Heap open = new Heap(scratch.allocate(count * WORD, WORD), precedence);
        long next = 0;
        long position = 0;
        while (true) {
            while (open.size > 0 && Long.compareUnsigned(last(open.top()), position) < 0) {
                open.pop();
            }
            if (open.size == 0) {
                if (next == count) {
                    return;
                }
                position = first(at(order, next));
            }
            while (next < count && first(at(order, next)) == position) {
                open.push(at(order, next++));
            }
            long seen = open.top();
            long end = last(seen);
            if (next < count && Long.compareUnsigned(first(at(order, next)), end) <= 0) {
                end = first(at(order, next)) - 1;
            }
            long value = value(seen);
            append(builder, position, end, value < 0 ? value : value + (position - first(seen)));
            if (end == -1L) {
                return;
            }
            position = end + 1;
        }
    }

    private static void append(Extents.Builder builder, long first, long last, long value) {
        long previous = builder.count() - 1;
        if (previous >= 0 && builder.last(previous) + 1 == first) {
            long before = builder.value(previous);
            long expected = before < 0 ? before : before + (first - builder.first(previous));
            if (value == expected) {
                builder.extendLast(last);
                return;
            }
        }
        builder.add(first, last, value);
    }

    static long at(MemorySegment array, long index) {
        return array.get(ValueLayout.JAVA_LONG, index * WORD);
    }

    private static void put(MemorySegment array, long index, long value) {
        array.set(ValueLayout.JAVA_LONG, index * WORD, value);
    }

    /** A binary heap of range indices; the one with precedence is on top. */
    private static final class Heap {

        private final MemorySegment array;
        private final Precedence precedence;
        private long size;

        Heap(MemorySegment array, Precedence precedence) {
            this.array = array;
            this.precedence = precedence;
        }

        private boolean wins(long left, long right) {
            return precedence == Precedence.EARLIER ? left < right : left > right;
        }

        long top() {
            return at(array, 0);
        }

        void push(long index) {
            long place = size++;
            while (place > 0 && wins(index, at(array, (place - 1) / 2))) {
                put(array, place, at(array, (place - 1) / 2));
                place = (place - 1) / 2;
            }
            put(array, place, index);
        }

        void pop() {
            long moved = at(array, --size);
            long place = 0;
            while (2 * place + 1 < size) {
                long child = 2 * place + 1;
                if (child + 1 < size && wins(at(array, child + 1), at(array, child))) {
                    child++;
                }
                if (!wins(at(array, child), moved)) {
                    break;
                }
                put(array, place, at(array, child));
                place = child;
            }
            put(array, place, moved);
        }
    }
}
