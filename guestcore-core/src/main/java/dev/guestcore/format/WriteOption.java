package dev.guestcore.format;

import java.util.List;
import java.util.Objects;

/**
 * An option that a format's writer takes, for programs that let a user choose.
 *
 * @param name as on the command line, without dashes ("layout")
 * @param values possible values; empty for a switch, which is "true" or absent
 * @param help what it does, in one line
 */
public record WriteOption(String name, List<String> values, String help) {

    /** Copies the list. */
    public WriteOption {
        Objects.requireNonNull(name);
        values = List.copyOf(values);
        Objects.requireNonNull(help);
    }

    /** A switch. */
    public static WriteOption flag(String name, String help) {
        return new WriteOption(name, List.of(), help);
    }
}
