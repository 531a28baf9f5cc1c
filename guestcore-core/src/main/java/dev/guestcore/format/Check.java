package dev.guestcore.format;

import dev.guestcore.report.Place;
import dev.guestcore.report.Reported;
import dev.guestcore.report.Severity;
import java.util.Objects;
import java.util.OptionalLong;

/**
 * One rule of a format, tried on one file.
 *
 * @param id number of the rule, stable over versions ("vbox-07")
 * @param rule the rule in words
 * @param source where the rule comes from (a section of the format's documentation in docs/formats)
 * @param result the result
 * @param offset file offset of what was checked, if there is one place
 * @param expected what the rule requires
 * @param found what is there
 * @param readers which programs have trouble with it, and how ("libkdumpfile 0.5 crashes"), or empty
 */
public record Check(
        String id,
        String rule,
        String source,
        Result result,
        OptionalLong offset,
        String expected,
        String found,
        String readers)
        implements Reported {

    /** How a check went. */
    public enum Result {
        /** The rule is kept. */
        PASS,
        /** Unusual or a trap for some reader, but within the format. */
        NOTE,
        /** The rule is broken. */
        FAIL,
        /** Could not be tried because an earlier rule is broken. */
        SKIPPED
    }

    /** Checks for null. */
    public Check {
        Objects.requireNonNull(id);
        Objects.requireNonNull(rule);
        Objects.requireNonNull(source);
        Objects.requireNonNull(result);
        Objects.requireNonNull(offset);
        Objects.requireNonNull(expected);
        Objects.requireNonNull(found);
        Objects.requireNonNull(readers);
    }

    /** Damage where the rule is broken. */
    @Override
    public Severity severity() {
        return result == Result.FAIL ? Severity.DAMAGE : Severity.NOTE;
    }

    @Override
    public Place place() {
        return Place.ofOffset(offset);
    }

    @Override
    public String text() {
        return toString();
    }

    /** One line, with the offset in hexadecimal. */
    @Override
    public String toString() {
        String place = offset.isPresent() ? " at offset 0x" + Long.toHexString(offset.getAsLong()) : "";
        String values =
                (expected.isEmpty() ? "" : ", expected " + expected) + (found.isEmpty() ? "" : ", found " + found);
        return id + " " + result + ": " + rule + place + values + (readers.isEmpty() ? "" : "; " + readers);
    }
}
