package dev.guestcore.inspect;

import java.util.Objects;

/**
 * One vCPU that is in long mode in one of two guests only. The registers that both sources know may still be
 * equal: an unknown EFER that was written as zero makes a 64-bit guest a 32-bit one.
 *
 * @param inA mode in the first guest and how it was derived, for the user
 * @param inB mode in the second guest, likewise
 */
public record ModeDifference(String inA, String inB) {

    /** Checks for null. */
    public ModeDifference {
        Objects.requireNonNull(inA);
        Objects.requireNonNull(inB);
    }
}
