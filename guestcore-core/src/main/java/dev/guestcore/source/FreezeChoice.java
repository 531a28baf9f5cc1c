package dev.guestcore.source;

import dev.guestcore.FreezeMethod;
import java.util.Objects;

/**
 * How a guest is going to be frozen, and why not more briefly.
 *
 * @param method the method
 * @param reason one line that says why no method with a shorter freeze is possible; empty if the source has none, or if the
 *     method was requested
 */
public record FreezeChoice(FreezeMethod method, String reason) {

    /** Checks for null. */
    public FreezeChoice {
        Objects.requireNonNull(method);
        Objects.requireNonNull(reason);
    }
}
