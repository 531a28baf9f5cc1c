package dev.guestcore.format.vbox;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Sorts ranges by their first address in memory outside the heap; ranges with the same one keep their order. */
final class RangeSorter {

    private static final long ENTRY = 3L * Long.BYTES;

    private MemorySegment entries;
    private MemorySegment spare;
    private long count;

    /** For at most {@code capacity} ranges; the memory is given back with {@code arena}. */
    RangeSorter(Arena arena, long capacity) {
        entries = arena.allocate(Math.max(1, capacity) * ENTRY, Long.BYTES);
        spare = arena.allocate(Math.max(1, capacity) * ENTRY, Long.BYTES);
    }

    /** Gets ranges in order. */
    @FunctionalInterface
    interface Target {
        /** One range. */
        void add(long first, long last, long value);
    }

    void add(long first, long last, long value) {
        long at = count * ENTRY;
        entries.set(ValueLayout.JAVA_LONG, at, first);
        entries.set(ValueLayout.JAVA_LONG, at + 8, last);
        entries.set(ValueLayout.JAVA_LONG, at + 16, value);
        count++;
    }

    /** Sorts, then hands the ranges over. */
    void drainTo(Target target) {
        for (long width = 1; width < count; width *= 2) {
            for (long start = 0; start < count; start += 2 * width) {
                merge(start, Math.min(start + width, count), Math.min(start + 2 * width, count));
            }
            MemorySegment merged = spare;
            spare = entries;
            entries = merged;
        }
        for (long i = 0; i < count; i++) {
            target.add(first(i), get(i, 8), get(i, 16));
        }
    }

    private void merge(long start, long middle, long end) {
        long left = start;
        long right = middle;
        for (long i = start; i < end; i++) {
            boolean takeLeft =
                    right == end || left < middle && Long.compareUnsigned(first(left), first(right)) <= 0;
            long from = takeLeft ? left++ : right++;
            MemorySegment.copy(entries, from * ENTRY, spare, i * ENTRY, ENTRY);
        }
    }

    private long first(long index) {
        return get(index, 0);
    }

    private long get(long index, long field) {
        return entries.get(ValueLayout.JAVA_LONG, index * ENTRY + field);
    }
}
