package dev.guestcore.format;

import dev.guestcore.AddressRange;
import java.util.Objects;

/**
 * Where memory will stand in a core, byte for byte as it is.
 *
 * @param range guest-physical addresses
 * @param offset of the first byte, from the start of the core
 */
public record MemoryPlace(AddressRange range, long offset) {

    /** Checks for null. */
    public MemoryPlace {
        Objects.requireNonNull(range);
    }

    /** Both in hexadecimal. */
    @Override
    public String toString() {
        return range + " at offset 0x" + Long.toHexString(offset);
    }
}
