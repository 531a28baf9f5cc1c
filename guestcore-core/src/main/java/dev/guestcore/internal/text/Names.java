package dev.guestcore.internal.text;

import java.util.Locale;

/** Names of constants as they are printed. */
public final class Names {

    private Names() {}

    /** "descriptor-table" for DESCRIPTOR_TABLE. */
    public static String of(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
