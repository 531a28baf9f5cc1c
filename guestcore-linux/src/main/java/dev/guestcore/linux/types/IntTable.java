package dev.guestcore.linux.types;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Numbers outside the heap, which need not grow with what a guest holds. */
final class IntTable {

    private final MemorySegment numbers;

    IntTable(long size) {
        numbers = Arena.ofAuto().allocate(size * Integer.BYTES, Integer.BYTES);
    }

    int get(long index) {
        return numbers.getAtIndex(ValueLayout.JAVA_INT, index);
    }

    void set(long index, int value) {
        numbers.setAtIndex(ValueLayout.JAVA_INT, index, value);
    }
}
