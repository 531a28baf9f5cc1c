package dev.guestcore.search;

import dev.guestcore.address.PhysicalAddress;
import java.util.Objects;
import java.util.Optional;

/**
 * One match.
 *
 * @param address where it begins: guest-physical or guest-virtual, as was searched
 * @param length bytes of the match
 * @param physical where it begins physically; empty for a search of physical memory
 * @param region name or kind of the region it begins in ("pc.ram"), or rights of the page ("rw---")
 * @param context bytes around it and the match itself, as far as they can be read; cut where the match is longer than a
 *     few lines
 * @param contextAddress address of the first byte of {@code context}
 */
public record SearchHit(
        long address,
        int length,
        Optional<PhysicalAddress> physical,
        String region,
        byte[] context,
        long contextAddress) {

    /** Checks for null. */
    public SearchHit {
        Objects.requireNonNull(physical);
        Objects.requireNonNull(region);
        Objects.requireNonNull(context);
    }

    @Override
    public String toString() {
        return length + " bytes at 0x" + Long.toHexString(address)
                + physical.map(place -> " (" + place + ")").orElse("") + (region.isEmpty() ? "" : " in " + region);
    }
}
