package dev.guestcore.cpu;

import java.util.List;
import java.util.Objects;

/**
 * A root table and the virtual addresses that are translated from it. Most modes have one tree; arm64 has one for each half of
 * its addresses.
 *
 * @param half which addresses
 * @param virtualBits how many bits of them are translated, 1 to 64; at most 63 without levels
 * @param table physical address of the root table; 0 without levels
 * @param levels from the root down; empty where addresses are not translated
 * @param firstIndex lowest index that the root table has
 * @param lastIndex highest index that the root table has
 */
public record TableTree(
        Half half, int virtualBits, long table, List<TableLevel> levels, int firstIndex, int lastIndex) {

    /** Addresses of so many bits. */
    public enum Half {
        /** From 0 on. */
        LOWER,
        /** Up to 2^64 - 1. */
        UPPER,
        /** From 0 and up to 2^64 - 1: addresses are sign-extended, so that each half has one bit less. */
        BOTH
    }

    /** Copies the list. */
    public TableTree {
        Objects.requireNonNull(half);
        levels = List.copyOf(levels);
    }

    /** The table in hexadecimal. */
    @Override
    public String toString() {
        return "TableTree[" + half + ", " + virtualBits + " bits, table=0x" + Long.toHexString(table) + ", levels="
                + levels + ", indexes " + firstIndex + " to " + lastIndex + "]";
    }

    /** A tree with a whole root table. */
    public static TableTree of(Half half, int virtualBits, long table, List<TableLevel> levels) {
        return new TableTree(half, virtualBits, table, levels, 0, levels.getFirst().entries() - 1);
    }

    /** Addresses that are physical ones already. */
    public static TableTree untranslated(int bits) {
        return new TableTree(Half.LOWER, bits, 0, List.of(), 0, 0);
    }

    /** Whether {@code virtual} is one of its addresses. */
    public boolean contains(long virtual) {
        return canonical(virtual) == virtual;
    }

    /** The address of this tree that has the translated bits of {@code virtual}. */
    public long canonical(long virtual) {
        int unused = Long.SIZE - virtualBits;
        return switch (half) {
            case LOWER -> virtual << unused >>> unused;
            case UPPER -> unused == 0 ? virtual : virtual | -1L << virtualBits;
            case BOTH -> virtual << unused >> unused;
        };
    }

    /** The lowest of its addresses in the upper half; 0 if it has none there. */
    public long firstOfUpperHalf() {
        return switch (half) {
            case LOWER -> 0;
            case UPPER -> virtualBits == Long.SIZE ? 0 : -1L << virtualBits;
            case BOTH -> -1L << virtualBits - 1;
        };
    }

    /** The highest of its addresses in the lower half; -1 if it has none there. */
    public long lastOfLowerHalf() {
        return switch (half) {
            case LOWER -> -1L >>> Long.SIZE - virtualBits;
            case UPPER -> -1;
            case BOTH -> (1L << virtualBits - 1) - 1;
        };
    }
}
