package dev.guestcore.linux.types;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.IntStream;

/** The records of a section by name: chains of those whose names have the same hash. */
final class BtfNames {

    /** Kernels have about twenty. */
    private static final int MOST_NUMBERS = 256;

    private final Btf btf;
    private final int mask;
    private final IntTable heads;
    private final IntTable next;
    private final int[] numbers;

    BtfNames(Btf btf) {
        this.btf = btf;
        int size = Integer.highestOneBit(Math.max(btf.count(), 8)) << 1;
        mask = size - 1;
        heads = new IntTable(size);
        next = new IntTable(btf.count() + 1L);
        int[] found = new int[MOST_NUMBERS];
        int count = 0;
        // Chains begin with what was added last, and should begin with what stands first.
        for (int id = btf.endId() - 1; id >= btf.firstId(); id--) {
            BtfKind kind = btf.kind(id);
            if (kind.isNamed()) {
                add(id);
            }
            boolean number = kind == BtfKind.INT || kind == BtfKind.FLOAT;
            if (number && count < MOST_NUMBERS && btf.nameBytes(id).isPresent()) {
                found[count++] = id;
            }
        }
        numbers = Arrays.copyOf(found, count);
    }

    private void add(int id) {
        btf.nameBytes(id).filter(name -> name.byteSize() > 0).ifPresent(name -> {
            int slot = hash(name) & mask;
            next.set(id - btf.firstId(), heads.get(slot));
            heads.set(slot, id);
        });
    }

    /** The numbers of all records of this name, ascending. */
    IntStream all(String name) {
        MemorySegment wanted = MemorySegment.ofArray(name.getBytes(StandardCharsets.UTF_8));
        return IntStream.iterate(heads.get(hash(wanted) & mask), id -> id != 0, id -> next.get(id - btf.firstId()))
                .filter(id -> btf.nameBytes(id).filter(bytes -> bytes.mismatch(wanted) < 0).isPresent());
    }

    /** Integers and floating-point numbers. */
    IntStream numbers() {
        return Arrays.stream(numbers);
    }

    private static int hash(MemorySegment name) {
        int hash = 0;
        for (long i = 0; i < name.byteSize(); i++) {
            hash = hash * 31 + name.get(ValueLayout.JAVA_BYTE, i);
        }
        return hash ^ hash >>> 15;
    }
}
