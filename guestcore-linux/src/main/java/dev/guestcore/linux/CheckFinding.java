package dev.guestcore.linux;

import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A sign of tampering or of trouble in a kernel.
 *
 * @param id what kind it is, for programs: {@code syscall-entry}, {@code hidden-task}
 * @param category what it is a sign of
 * @param message what was found, for the user; may hold control characters that stood in memory
 * @param address virtual address of the evidence, if it is at one place
 * @param expected what should be there, if that can be told
 * @param found what is there
 */
public record CheckFinding(
        String id,
        Category category,
        String message,
        OptionalLong address,
        Optional<String> expected,
        Optional<String> found) {

    /** What it is a sign of, the worst last. */
    public enum Category {
        /** Worth to know, and usual on many systems. */
        NOTE,
        /** The guest is in trouble. */
        TROUBLE,
        /** What the kernel itself does not do: a sign of tampering, or of damaged memory. */
        TAMPERING
    }

    /** Checks for null. */
    public CheckFinding {
        Objects.requireNonNull(id);
        Objects.requireNonNull(category);
        Objects.requireNonNull(message);
        Objects.requireNonNull(address);
        Objects.requireNonNull(expected);
        Objects.requireNonNull(found);
    }

    static CheckFinding of(String id, Category category, String message) {
        return new CheckFinding(id, category, message, OptionalLong.empty(), Optional.empty(), Optional.empty());
    }

    static CheckFinding tampering(String id, String message, long address, String expected, String found) {
        return new CheckFinding(
                id, Category.TAMPERING, message, OptionalLong.of(address), Optional.of(expected), Optional.of(found));
    }
}
