package dev.guestcore.linux.types;

import java.util.Objects;

/**
 * A constant of an enumeration.
 *
 * @param name its name
 * @param value its value
 */
public record KernelConstant(String name, long value) {

    /** Checks for null. */
    public KernelConstant {
        Objects.requireNonNull(name);
    }
}
