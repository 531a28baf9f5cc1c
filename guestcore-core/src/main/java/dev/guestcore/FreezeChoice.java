package dev.guestcore;

import java.util.Objects;

/**
 * How a guest is going to be frozen, and why not by a shorter way.
 *
 * @param method the way
 * @param reason one line that says why no shorter way can be taken; empty if the way is the shortest that the source has, or
 *     the one that was asked for
 */
public record FreezeChoice(FreezeMethod method, String reason) {

    /** Checks for null. */
    public FreezeChoice {
        Objects.requireNonNull(method);
        Objects.requireNonNull(reason);
    }
}
