package dev.guestcore.cli;

import dev.guestcore.format.CoreFormat;
import dev.guestcore.open.Guests;

/** Full names of formats. */
final class FormatNames {

    private FormatNames() {}

    /** The full name of a format, or the short one if it is not a format (a live source). */
    static String title(String name) {
        return Guests.formats().stream()
                .filter(format -> format.name().equals(name))
                .map(CoreFormat::title)
                .findFirst()
                .orElse(name);
    }
}
