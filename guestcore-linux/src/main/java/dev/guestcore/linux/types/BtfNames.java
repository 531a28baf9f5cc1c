package dev.guestcore.linux.types;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.IntStream;

/** The records of a section by name: chains of those whose names have the same hash. */
final class BtfNames {

    /** Kernels have about twenty. */
    private static final int MOST_NUMBERS = 256;

    private final Btf btf;
    private final int mask;
    private final int[] heads;
    private final int[] next;
    private final int[] numbers;

    BtfNames(Btf btf) {
        this.btf = btf;
        int size = Integer.highestOneBit(Math.max(btf.count(), 8)) << 1;
        mask = size - 1;
        heads = new int[size];
        next = new int[btf.count()];
        int[] found = new int[MOST_NUMBERS];
        int count = 0;
        // Chains begin with what was added last, and should begin with what stands first.
        for (int id = btf.endId() - 1; id >= btf.firstId(); id--) {
            if (!btf.isKnown(id)) {
                continue;
            }
            BtfKind kind = btf.kind(id);
            if (kind.isNamed()) {
                add(id);
            }
            boolean number = kind == BtfKind.INT || kind == BtfKind.FLOAT;
            if (number && count < MOST_NUMBERS && btf.nameHash(id) != 0) {
                found[count++] = id;
            }
        }
        numbers = Arrays.copyOf(found, count);
    }

    private void add(int id) {
        int hash = btf.nameHash(id);
        if (hash != 0) {
            int slot = slot(hash);
            next[id - btf.firstId()] = heads[slot];
            heads[slot] = id;
        }
    }

    private int slot(int hash) {
        return (hash ^ hash >>> 15) & mask;
    }

    /** The numbers of all records of this name, ascending. */
    IntStream all(String name) {
        byte[] wanted = name.getBytes(StandardCharsets.UTF_8);
        int hash = hash(wanted, 0, wanted.length);
        int first = hash == 0 ? 0 : heads[slot(hash)];
        return IntStream.iterate(first, id -> id != 0, id -> next[id - btf.firstId()])
                .filter(id -> btf.isNamed(id, wanted));
    }

    /** Integers and floating-point numbers. */
    IntStream numbers() {
        return Arrays.stream(numbers);
    }

    /** A hash of bytes, 0 only for none. */
    static int hash(byte[] bytes, int from, int to) {
        int hash = 0;
        for (int i = from; i < to; i++) {
            hash = hash * 31 + bytes[i];
        }
        return from < to && hash == 0 ? 1 : hash;
    }
}
