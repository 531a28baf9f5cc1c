package dev.guestcore.linux.types;

import java.util.Objects;

/**
 * A member of a structure or union.
 *
 * @param name its name, empty for one without
 * @param type its type
 * @param bitOffset where it begins, in bits from the start of the structure
 * @param bitSize of a bit field the number of its bits, otherwise 0
 */
public record KernelMember(String name, KernelType type, long bitOffset, int bitSize) {

    /** Checks for null. */
    public KernelMember {
        Objects.requireNonNull(name);
        Objects.requireNonNull(type);
    }

    /** Where it begins, in bytes from the start of the structure; of a bit field, the byte that holds its first bit. */
    public long offset() {
        return bitOffset / Byte.SIZE;
    }
}
