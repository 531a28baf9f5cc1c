package dev.guestcore.report;

/**
 * One thing that Guestcore tells of a file, a guest or a request: a finding, a check, a loss or an error. What cannot be told is
 * empty. {@link #text} says in one line what the parts say, and what goes beyond them.
 */
public interface Reported {

    /** Which rule or kind of thing it is about, the same in all versions: {@code kdump-07}, {@code malformed-dump}. */
    String id();

    /** How bad it is. */
    Severity severity();

    /** One line for people. */
    String text();

    /** Where it is. */
    default Place place() {
        return Place.UNKNOWN;
    }

    /** What the rule asks for. */
    default String expected() {
        return "";
    }

    /** What is there. */
    default String found() {
        return "";
    }

    /** What the user can do. */
    default String remedy() {
        return "";
    }

    /** Where the rule comes from: a section of the documentation. */
    default String source() {
        return "";
    }
}
