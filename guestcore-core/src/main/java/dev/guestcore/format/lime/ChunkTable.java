package dev.guestcore.format.lime;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The chunks of Snappy streams, outside the heap: for each the first address, the offset of its data in the file behind the
 * checksum, and its sizes. Filled by one thread; after that only the mark for damage changes.
 */
final class ChunkTable {

    private static final long ENTRY = 32;
    private static final long DAMAGED = 31;

    private final Arena arena;
    private MemorySegment table;
    private long count;

    ChunkTable(Arena arena) {
        this.arena = arena;
        this.table = arena.allocate(64 * ENTRY, Long.BYTES);
    }

    /** Adds a chunk; gives its index. */
    long add(long address, long offset, int storedSize, int size, boolean compressed) {
        long at = count * ENTRY;
        if (at == table.byteSize()) {
            MemorySegment larger = arena.allocate(2 * at, Long.BYTES);
            MemorySegment.copy(table, 0, larger, 0, at);
            table = larger;
        }
        table.set(ValueLayout.JAVA_LONG, at, address);
        table.set(ValueLayout.JAVA_LONG, at + 8, offset);
        table.set(ValueLayout.JAVA_INT, at + 16, storedSize);
        table.set(ValueLayout.JAVA_INT, at + 20, size);
        table.set(ValueLayout.JAVA_BYTE, at + 24, (byte) (compressed ? 1 : 0));
        return count++;
    }

    long address(long index) {
        return table.get(ValueLayout.JAVA_LONG, index * ENTRY);
    }

    long offset(long index) {
        return table.get(ValueLayout.JAVA_LONG, index * ENTRY + 8);
    }

    int storedSize(long index) {
        return table.get(ValueLayout.JAVA_INT, index * ENTRY + 16);
    }

    int size(long index) {
        return table.get(ValueLayout.JAVA_INT, index * ENTRY + 20);
    }

    boolean isCompressed(long index) {
        return table.get(ValueLayout.JAVA_BYTE, index * ENTRY + 24) != 0;
    }

    /** Whether the chunk was tried and found damaged. A race here only means that it is tried once more. */
    boolean isDamaged(long index) {
        return table.get(ValueLayout.JAVA_BYTE, index * ENTRY + DAMAGED) != 0;
    }

    void markDamaged(long index) {
        table.set(ValueLayout.JAVA_BYTE, index * ENTRY + DAMAGED, (byte) 1);
    }
}
