package dev.guestcore.inspect;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Counts distinct 64-bit hashes in bounded memory outside the heap: exactly as long as they fit, beyond that by
 * adaptive sampling (Flajolet, "On adaptive sampling", 1990): when a table is full, only hashes whose top bit is 0 are
 * kept, next time those whose top two bits are 0, and so on. What is left, times 2 to the number of these bits, is an
 * unbiased estimate of the whole. The result does not depend on the order or the threads in which hashes come.
 *
 * <p>Split into shards by the lowest bits, each a table of its own with its own lock. Thread-safe.
 */
final class DistinctCounter {

    private static final int SHARD_BITS = 4;
    private static final int SHARDS = 1 << SHARD_BITS;
    private static final int FIRST_SLOTS = 1 << 8;

    private final Shard[] shards = new Shard[SHARDS];

    /**
     * Prepares the tables.
     *
     * @param arena holds them
     * @param mostSlots size of all tables together at most, 8 bytes a slot, a power of two and at least 4096; three
     *     quarters of them are used
     */
    DistinctCounter(Arena arena, int mostSlots) {
        for (int i = 0; i < SHARDS; i++) {
            shards[i] = new Shard(arena, mostSlots / SHARDS);
        }
    }

    /** Takes a hash into account. */
    void add(long hash) {
        shards[(int) hash & SHARDS - 1].add(hash);
    }

    /** How many different hashes came, or an estimate of that. */
    long count() {
        long count = 0;
        for (Shard shard : shards) {
            count += shard.estimate();
        }
        return count;
    }

    /** Whether {@link #count} is exact. */
    boolean isExact() {
        for (Shard shard : shards) {
            if (shard.isSampling()) {
                return false;
            }
        }
        return true;
    }

    private static final class Shard {

        private final Arena arena;
        private final int mostSlots;
        private MemorySegment table;
        private int slots = FIRST_SLOTS;
        private int used;
        private int level;
        private boolean hasZero;

        Shard(Arena arena, int mostSlots) {
            this.arena = arena;
            this.mostSlots = mostSlots;
            this.table = arena.allocate((long) FIRST_SLOTS * Long.BYTES, Long.BYTES);
        }

        synchronized void add(long hash) {
            if (!isKept(hash)) {
                return;
            }
            if (hash == 0) {
                // An empty slot is 0, so this one hash stands beside the table.
                hasZero = true;
                return;
            }
            if (!insert(hash)) {
                return;
            }
            used++;
            while (used > slots / 4 * 3) {
                if (slots < mostSlots) {
                    grow();
                } else {
                    level++;
                    thin();
                }
            }
        }

        private boolean isKept(long hash) {
            return level == 0 || hash >>> Long.SIZE - level == 0;
        }

        private boolean insert(long hash) {
            int slot = slotOf(hash);
            while (true) {
                long found = table.getAtIndex(ValueLayout.JAVA_LONG, slot);
                if (found == hash) {
                    return false;
                }
                if (found == 0) {
                    table.setAtIndex(ValueLayout.JAVA_LONG, slot, hash);
                    return true;
                }
                slot = slot + 1 & slots - 1;
            }
        }

        private int slotOf(long hash) {
            return (int) (hash >>> SHARD_BITS) & slots - 1;
        }

        /** Moves to a table of twice the size; the old ones together are never larger than the new one. */
        private void grow() {
            MemorySegment old = table;
            int oldSlots = slots;
            slots *= 2;
            table = arena.allocate((long) slots * Long.BYTES, Long.BYTES);
            for (int slot = 0; slot < oldSlots; slot++) {
                long hash = old.getAtIndex(ValueLayout.JAVA_LONG, slot);
                if (hash != 0) {
                    insert(hash);
                }
            }
        }

        private void thin() {
            long[] kept = new long[used];
            int count = 0;
            for (int slot = 0; slot < slots; slot++) {
                long hash = table.getAtIndex(ValueLayout.JAVA_LONG, slot);
                if (hash != 0 && isKept(hash)) {
                    kept[count++] = hash;
                }
            }
            table.fill((byte) 0);
            used = count;
            for (int i = 0; i < count; i++) {
                insert(kept[i]);
            }
        }

        synchronized long estimate() {
            return (long) used + (hasZero ? 1 : 0) << level;
        }

        synchronized boolean isSampling() {
            return level > 0;
        }
    }
}
