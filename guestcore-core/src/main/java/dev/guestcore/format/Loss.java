package dev.guestcore.format;

import java.util.Objects;

/**
 * Something that the source has and the written file does not.
 *
 * @param what the fact ("register lstar of vCPU 0", "kind ROM of 0xf0000-0xfffff")
 * @param why what the format has instead
 * @param kept whether it is stored in Guestcore's own record, so that a later conversion restores it
 */
public record Loss(String what, String why, boolean kept) {

    /** Checks for null. */
    public Loss {
        Objects.requireNonNull(what);
        Objects.requireNonNull(why);
    }
}
