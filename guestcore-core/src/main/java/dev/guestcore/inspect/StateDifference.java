package dev.guestcore.inspect;

import dev.guestcore.PageState;

/**
 * Memory of which two guests have bytes in one only, or in neither for different reasons.
 *
 * @param inA state in the first guest
 * @param inB state in the second guest
 * @param ranges where
 */
public record StateDifference(PageState inA, PageState inB, RangeTally ranges) {}
