package dev.guestcore.linux.types;

import java.util.Objects;

/**
 * A function or a variable of which the type is known.
 *
 * @param name as the source has it
 * @param type its type
 */
public record KernelDeclaration(String name, KernelType type) {

    /** Checks for null. */
    public KernelDeclaration {
        Objects.requireNonNull(name);
        Objects.requireNonNull(type);
    }
}
