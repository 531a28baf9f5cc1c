package dev.guestcore.internal.ranges;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A sorted table of address ranges that do not overlap, each with one number beside it, in memory outside the heap: the
 * heap does not grow with the number of ranges. 24 bytes a range.
 *
 * <p>Fill it with {@link Builder}, from one thread; after that it is immutable and thread-safe.
 */
public final class Extents {

    private static final long ENTRY = 3L * Long.BYTES;

    private final MemorySegment table;
    private final long count;

    private Extents(MemorySegment table, long count) {
        this.table = table;
        this.count = count;
    }

    /** Number of ranges. */
    public long count() {
        return count;
    }

    /** First address of range {@code index}. */
    public long first(long index) {
        return table.get(ValueLayout.JAVA_LONG, index * ENTRY);
    }

    /** Last address of range {@code index}. */
    public long last(long index) {
        return table.get(ValueLayout.JAVA_LONG, index * ENTRY + Long.BYTES);
    }

    /** The number beside range {@code index}. */
    public long value(long index) {
        return table.get(ValueLayout.JAVA_LONG, index * ENTRY + 2L * Long.BYTES);
    }

    /** Whether range {@code index} contains {@code address}; false for an index out of bounds. */
    public boolean contains(long index, long address) {
        return index >= 0
                && index < count
                && Long.compareUnsigned(first(index), address) <= 0
                && Long.compareUnsigned(address, last(index)) <= 0;
    }

    /** Index of the last range that starts at or before {@code address}, or -1 if all start behind it. O(log n). */
    public long floor(long address) {
        long low = 0;
        long high = count - 1;
        while (low <= high) {
            long middle = low + high >>> 1;
            if (Long.compareUnsigned(first(middle), address) <= 0) {
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return high;
    }

    /** Collects ranges. */
    public static final class Builder {

        private final Arena arena;
        private MemorySegment table;
        private long count;

        /** The table will live as long as {@code arena}. */
        public Builder(Arena arena) {
            this.arena = arena;
            this.table = arena.allocate(64 * ENTRY, Long.BYTES);
        }

        /**
         * Appends a range.
         *
         * @param first lowest address; behind all ranges so far
         * @param last highest address
         * @param value the number beside it
         * @return whether it could be added: false if it starts before the end of the one before
         */
        public boolean add(long first, long last, long value) {
            if (count > 0 && Long.compareUnsigned(first, last(count - 1)) <= 0) {
                return false;
            }
            long offset = count * ENTRY;
            if (offset == table.byteSize()) {
                MemorySegment larger = arena.allocate(2 * offset, Long.BYTES);
                MemorySegment.copy(table, 0, larger, 0, offset);
                table = larger;
            }
            table.set(ValueLayout.JAVA_LONG, offset, first);
            table.set(ValueLayout.JAVA_LONG, offset + Long.BYTES, last);
            table.set(ValueLayout.JAVA_LONG, offset + 2L * Long.BYTES, value);
            count++;
            return true;
        }

        /** Makes the last range longer. */
        public void extendLast(long last) {
            table.set(ValueLayout.JAVA_LONG, (count - 1) * ENTRY + Long.BYTES, last);
        }

        /** Number of ranges so far. */
        public long count() {
            return count;
        }

        /** Last address of range {@code index}. */
        public long last(long index) {
            return table.get(ValueLayout.JAVA_LONG, index * ENTRY + Long.BYTES);
        }

        /** First address of range {@code index}. */
        public long first(long index) {
            return table.get(ValueLayout.JAVA_LONG, index * ENTRY);
        }

        /** The number beside range {@code index}. */
        public long value(long index) {
            return table.get(ValueLayout.JAVA_LONG, index * ENTRY + 2L * Long.BYTES);
        }

        /** The finished table. */
        public Extents build() {
            return new Extents(table, count);
        }
    }
}
