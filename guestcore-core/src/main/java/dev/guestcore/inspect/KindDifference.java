package dev.guestcore.inspect;

import dev.guestcore.MemoryRegion;

/**
 * Memory that two guests both have, but as regions of different kinds.
 *
 * @param inA kind in the first guest
 * @param inB kind in the second guest
 * @param ranges where
 */
public record KindDifference(MemoryRegion.Kind inA, MemoryRegion.Kind inB, RangeTally ranges) {}
