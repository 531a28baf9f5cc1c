package dev.guestcore.internal.text;

import java.util.OptionalLong;

/** Numbers as users write them. */
public final class Quantities {

    /** What {@link #parse} takes, for messages. */
    public static final String SYNTAX = "a number such as 4096, 0x1000, 640K, 16M or 1T";

    private static final String UNITS = "KMGT";

    private Quantities() {}

    /**
     * Reads an unsigned 64-bit number: decimal, or hexadecimal after "0x", each with K, M, G or T for 2^10, 2^20, 2^30
     * or 2^40 behind it if need be.
     *
     * @return the number, or empty if the text is none or the number does not fit into 64 bits
     */
    public static OptionalLong parse(String text) {
        int unit = text.isEmpty() ? -1 : UNITS.indexOf(Character.toUpperCase(text.charAt(text.length() - 1)));
        String digits = unit < 0 ? text : text.substring(0, text.length() - 1);
        boolean hexadecimal = digits.startsWith("0x") || digits.startsWith("0X");
        String number = hexadecimal ? digits.substring(2) : digits;
        if (number.isEmpty() || Character.digit(number.charAt(0), 16) < 0) {
            return OptionalLong.empty();
        }
        try {
            long value = Long.parseUnsignedLong(number, hexadecimal ? 16 : 10);
            int shift = 10 * (unit + 1);
            if (value << shift >>> shift != value) {
                return OptionalLong.empty();
            }
            return OptionalLong.of(value << shift);
        } catch (NumberFormatException e) {
            return OptionalLong.empty();
        }
    }
}
