package dev.guestcore.serve.gdb;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/** Numbers and texts in hexadecimal digits, as the protocol writes them. */
final class Hex {

    private static final HexFormat DIGITS = HexFormat.of();

    private Hex() {}

    /** An unsigned number of at most 64 bits. */
    static long number(String digits) {
        return number(digits, Long.BYTES * 2);
    }

    /** A number of at most so many digits. */
    static long number(String digits, int most) {
        String significant = digits;
        while (significant.length() > most && significant.startsWith("0")) {
            significant = significant.substring(1);
        }
        if (significant.isEmpty()
                || significant.length() > most
                || !significant.chars().allMatch(HexFormat::isHexDigit)) {
            throw RequestException.invalid("the hexadecimal number '" + shown(digits) + "'");
        }
        return Long.parseUnsignedLong(significant, 16);
    }

    private static String shown(String text) {
        return text.length() > 40 ? text.substring(0, 40) + "..." : text;
    }

    static String of(byte[] bytes, int size) {
        return DIGITS.formatHex(bytes, 0, size);
    }

    static String ofText(String text) {
        return DIGITS.formatHex(text.getBytes(StandardCharsets.UTF_8));
    }

    static String text(String digits) {
        try {
            return new String(DIGITS.parseHex(digits), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw RequestException.invalid("a text in hexadecimal digits");
        }
    }
}
