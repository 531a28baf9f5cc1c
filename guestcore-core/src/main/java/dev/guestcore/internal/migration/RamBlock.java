package dev.guestcore.internal.migration;

import java.util.Objects;

/**
 * A block of memory as QEMU names it. Pages are addressed by their offset in it; where it lies in the guest-physical address
 * space the stream does not say.
 *
 * @param index position in the stream's list, from 0
 * @param name QEMU's name ("pc.ram"); characters that are not printable ASCII are replaced by '?'
 * @param size bytes, a multiple of 4096, at least 4096
 */
public record RamBlock(int index, String name, long size) {

    /** Checks for null. */
    public RamBlock {
        Objects.requireNonNull(name);
    }
}
