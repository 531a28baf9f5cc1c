package dev.guestcore;

import java.util.Optional;

/**
 * A non-empty range of byte addresses, both ends inclusive and unsigned, so that a range may end at 2^64 - 1.
 *
 * @param first lowest address, unsigned
 * @param last highest address, unsigned, not below {@code first}
 */
public record AddressRange(long first, long last) implements Comparable<AddressRange> {

    /** Checks that the range is not empty. */
    public AddressRange {
        if (Long.compareUnsigned(first, last) > 0) {
            throw new IllegalArgumentException(
                    "range starts at 0x" + Long.toHexString(first) + " after its end 0x" + Long.toHexString(last));
        }
    }

    /**
     * The range of {@code size} bytes from {@code first} on.
     *
     * @param first lowest address
     * @param size length in bytes, 1 to 2^63 - 1
     * @throws IllegalArgumentException if the range is empty or would pass 2^64
     */
    public static AddressRange ofSize(long first, long size) {
        if (size <= 0) {
            throw new IllegalArgumentException("size of a range must be 1 to 2^63-1, found " + size);
        }
        return new AddressRange(first, first + (size - 1));
    }

    /**
     * Length in bytes.
     *
     * @throws ArithmeticException if the range is longer than 2^63 - 1 bytes
     */
    public long size() {
        long length = last - first;
        if (Long.compareUnsigned(length, Long.MAX_VALUE) >= 0) {
            throw new ArithmeticException("range " + this + " is longer than 2^63-1 bytes");
        }
        return length + 1;
    }

    /** Whether {@code address} lies in this range. */
    public boolean contains(long address) {
        return Long.compareUnsigned(address, first) >= 0 && Long.compareUnsigned(address, last) <= 0;
    }

    /** Whether the two ranges share an address. */
    public boolean overlaps(AddressRange other) {
        return Long.compareUnsigned(first, other.last) <= 0 && Long.compareUnsigned(other.first, last) <= 0;
    }

    /** The addresses that both ranges have. */
    public Optional<AddressRange> intersection(AddressRange other) {
        long from = Long.compareUnsigned(first, other.first) >= 0 ? first : other.first;
        long to = Long.compareUnsigned(last, other.last) <= 0 ? last : other.last;
        return Long.compareUnsigned(from, to) <= 0 ? Optional.of(new AddressRange(from, to)) : Optional.empty();
    }

    /** Whether {@code next} begins right behind this range. */
    public boolean isFollowedBy(AddressRange next) {
        return last != -1L && last + 1 == next.first;
    }

    @Override
    public int compareTo(AddressRange other) {
        int byFirst = Long.compareUnsigned(first, other.first);
        return byFirst != 0 ? byFirst : Long.compareUnsigned(last, other.last);
    }

    @Override
    public String toString() {
        return "0x" + Long.toHexString(first) + "-0x" + Long.toHexString(last);
    }
}
