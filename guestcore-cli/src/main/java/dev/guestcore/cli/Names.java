package dev.guestcore.cli;

import java.util.Locale;

/** Names of constants as they are printed. */
final class Names {

    private Names() {}

    /** "descriptor-table" for DESCRIPTOR_TABLE. */
    static String of(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
