package dev.guestcore.address;

import dev.guestcore.AddressRange;
import dev.guestcore.cpu.PageRights;
import java.util.Objects;

/**
 * A range of virtual addresses that is mapped throughout with the same rights and one size of page.
 *
 * @param range virtual addresses
 * @param rights what the page tables allow
 * @param pageSize bytes of a page; 4 GiB without paging
 * @param physical where the first address leads
 * @param contiguous whether all of the range is contiguous behind the page tables too
 */
public record Mapping(
        AddressRange range, PageRights rights, long pageSize, PhysicalAddress physical, boolean contiguous) {

    /** Checks for null. */
    public Mapping {
        Objects.requireNonNull(range);
        Objects.requireNonNull(rights);
        Objects.requireNonNull(physical);
    }

    @Override
    public String toString() {
        return range + " " + rights + " -> " + physical + ", pages of 0x" + Long.toHexString(pageSize)
                + (contiguous ? "" : ", not contiguous");
    }
}
