package dev.guestcore;

import dev.guestcore.report.Place;
import dev.guestcore.report.Reported;
import dev.guestcore.report.Severity;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Something that the user should know about a source: unusual, or damaged but still readable. Immutable. Two findings are equal
 * if they are as bad and say the same.
 */
public final class Finding implements Reported {

    private static final String ID = "finding";

    private final Severity severity;
    private final String message;
    private final @Nullable Reported cause;

    private Finding(Severity severity, String message, @Nullable Reported cause) {
        if (severity == Severity.FAILED) {
            throw new IllegalArgumentException("what cannot be read at all is an error, no finding");
        }
        this.severity = severity;
        this.message = Objects.requireNonNull(message);
        this.cause = cause;
    }

    /** Something odd, in one line: what, where (file offset), expected, found, what it means for the user. */
    public static Finding note(String message) {
        return new Finding(Severity.NOTE, message, null);
    }

    /** Something that is there, but is not read. */
    public static Finding omitted(String message) {
        return new Finding(Severity.OMITTED, message, null);
    }

    /** Something lost. */
    public static Finding damage(String message) {
        return new Finding(Severity.DAMAGE, message, null);
    }

    /** Something odd, told as an error would. */
    public static Finding note(Reported cause) {
        return new Finding(Severity.NOTE, cause.text(), cause);
    }

    /** Something lost, told as an error would that need not stop the reader. */
    public static Finding damage(Reported cause) {
        return new Finding(Severity.DAMAGE, cause.text(), cause);
    }

    /**
     * A finding that is as bad as others that it stands for.
     *
     * @throws IllegalArgumentException for {@link Severity#FAILED}
     */
    public static Finding of(Severity severity, String message) {
        return new Finding(severity, message, null);
    }

    /** The same in other words. */
    public Finding withMessage(String other) {
        return new Finding(severity, other, cause);
    }

    @Override
    public String id() {
        return cause == null ? ID : cause.id();
    }

    @Override
    public Severity severity() {
        return severity;
    }

    /** One line: what, where (file offset), expected, found, what it means for the user. */
    public String message() {
        return message;
    }

    @Override
    public String text() {
        return message;
    }

    @Override
    public Place place() {
        return cause == null ? Place.UNKNOWN : cause.place();
    }

    @Override
    public String expected() {
        return cause == null ? "" : cause.expected();
    }

    @Override
    public String found() {
        return cause == null ? "" : cause.found();
    }

    @Override
    public String remedy() {
        return cause == null ? "" : cause.remedy();
    }

    @Override
    public String source() {
        return cause == null ? "" : cause.source();
    }

    /** Whether part of what the file should hold is lost or wrong. */
    public boolean isDamage() {
        return severity == Severity.DAMAGE;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Finding finding && severity == finding.severity && message.equals(finding.message);
    }

    @Override
    public int hashCode() {
        return Objects.hash(severity, message);
    }

    @Override
    public String toString() {
        return severity + ": " + message;
    }
}
