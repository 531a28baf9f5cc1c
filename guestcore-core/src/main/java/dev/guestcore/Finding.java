package dev.guestcore;

import java.util.Objects;

/**
 * Something that the user should know about a source: unusual, or damaged but still readable.
 *
 * @param severity how bad
 * @param message one line: what, where (file offset), expected, found, what it means for the user
 */
public record Finding(Severity severity, String message) {

    /** How bad a finding is. */
    public enum Severity {
        /** Unusual, but nothing is lost. */
        NOTE,
        /** Something sound is not read, because there is no place for it: what is written from this source lacks it. */
        OMITTED,
        /** Part of what the file should hold is lost or wrong; the rest can be used. */
        DAMAGE
    }

    /** Checks for null. */
    public Finding {
        Objects.requireNonNull(severity);
        Objects.requireNonNull(message);
    }

    /** Whether part of what the file should hold is lost or wrong. */
    public boolean isDamage() {
        return severity == Severity.DAMAGE;
    }

    /** Something odd. */
    public static Finding note(String message) {
        return new Finding(Severity.NOTE, message);
    }

    /** Something that is there, but is not read. */
    public static Finding omitted(String message) {
        return new Finding(Severity.OMITTED, message);
    }

    /** Something lost. */
    public static Finding damage(String message) {
        return new Finding(Severity.DAMAGE, message);
    }
}
