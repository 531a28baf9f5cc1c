package dev.guestcore;

import java.util.Objects;

/**
 * A contiguous range of guest-physical memory of one kind. What no region covers is a hole.
 *
 * @param range guest-physical addresses
 * @param kind what is there
 * @param name the source's name for it ("pc.ram"), empty where the source has none
 */
public record MemoryRegion(AddressRange range, Kind kind, String name) {

    /** What answers at the addresses of a region. */
    public enum Kind {
        /** Memory that the guest can write; also all memory of a file format that does not tell RAM from ROM. */
        RAM,
        /** Memory that the guest can only read. */
        ROM,
        /** Memory-mapped device registers: nothing is stored for them. */
        DEVICE
    }

    /** Checks for null. */
    public MemoryRegion {
        Objects.requireNonNull(range);
        Objects.requireNonNull(kind);
        Objects.requireNonNull(name);
    }

    /** Whether pages of this region have content that a dump can hold. */
    public boolean hasContent() {
        return kind != Kind.DEVICE;
    }
}
