package dev.guestcore.linux.types;

import java.util.Objects;

/**
 * A parameter of a function.
 *
 * @param name its name, empty for one without
 * @param type its type; {@code void} in the last place stands for any further ones ({@code ...})
 */
public record KernelParameter(String name, KernelType type) {

    /** Checks for null. */
    public KernelParameter {
        Objects.requireNonNull(name);
        Objects.requireNonNull(type);
    }
}
