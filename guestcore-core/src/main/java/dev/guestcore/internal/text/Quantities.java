package dev.guestcore.internal.text;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Numbers of bytes and addresses as users write them, which includes every way in which they are printed: decimal ("4096",
 * "1,204") or with {@code 0x} hexadecimal, and with units for powers of 1024 ("4K", "64KiB", "1.5 GiB", "12 B"). A bare
 * number that might be meant as hexadecimal is none.
 */
public final class Quantities {

    /** What {@link #parse} takes, for messages. */
    public static final String SYNTAX = "a number such as 4096, 0x1000, 640K, 16MiB or '1.5 GiB'";

    private static final Pattern FORM = Pattern.compile(
            "(?:0x([0-9a-f]+(?:_[0-9a-f]+)*)|([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+(?:_[0-9]+)*(?:\\.[0-9]{1,9})?))"
                    + "(?: *(?:([kmgtpe])ib|([kmgtp]))| +(?-i:B))?",
            Pattern.CASE_INSENSITIVE);
    private static final int HEX = 1;
    private static final int DECIMAL = 2;
    private static final int UNIT = 3;
    /** Without E: 12e is more likely meant as hexadecimal. For the same reason B needs a blank. */
    private static final int SHORT_UNIT = 4;
    private static final String UNITS = "kmgtpe";
    private static final int BITS_PER_UNIT = 10;
    private static final int LONGEST = 64;

    private Quantities() {}

    /**
     * Reads an unsigned 64-bit number.
     *
     * @return the number, or empty if the text is none or the number does not fit into 64 bits
     */
    public static OptionalLong parse(String text) {
        try {
            BigInteger value = read(text);
            return value.bitLength() <= Long.SIZE ? OptionalLong.of(value.longValue()) : OptionalLong.empty();
        } catch (NumberFormatException e) {
            return OptionalLong.empty();
        }
    }

    /**
     * Reads a number of any size.
     *
     * @throws NumberFormatException if the text is none; the message says what to write instead
     */
    public static BigInteger read(String text) {
        String stripped = text.strip();
        Matcher parts = FORM.matcher(stripped);
        if (stripped.length() > LONGEST || !parts.matches()) {
            throw new NumberFormatException(remedy(stripped));
        }
        String unit = Optional.ofNullable(parts.group(UNIT))
                .or(() -> Optional.ofNullable(parts.group(SHORT_UNIT)))
                .orElse("")
                .toLowerCase(Locale.ROOT);
        int shift = unit.isEmpty() ? 0 : (UNITS.indexOf(unit) + 1) * BITS_PER_UNIT;
        if (parts.group(HEX) != null) {
            return new BigInteger(digits(parts.group(HEX)), 16).shiftLeft(shift);
        }
        String digits = digits(parts.group(DECIMAL));
        if (digits.length() > 1 && digits.startsWith("0") && !digits.startsWith("0.")) {
            throw new NumberFormatException(
                    "it begins with 0: write 0x" + digits + " if it is hexadecimal, or leave the zeros out");
        }
        try {
            return new BigDecimal(digits)
                    .multiply(new BigDecimal(BigInteger.ONE.shiftLeft(shift)))
                    .toBigIntegerExact();
        } catch (ArithmeticException e) {
            throw new NumberFormatException("it is not a whole number of bytes");
        }
    }

    private static String digits(String grouped) {
        return grouped.replaceAll("[_,]", "");
    }

    private static String remedy(String text) {
        if (text.startsWith("~")) {
            return "the tilde marks a rounded size; give an exact one";
        }
        if (text.length() <= LONGEST && text.matches("[0-9a-fA-F_]*[a-fA-F][0-9a-fA-F_]*")) {
            return "it has hexadecimal digits: write 0x" + text;
        }
        if (text.length() <= LONGEST && text.matches("(?i)[0-9.]+ *[kmgtpe]b")) {
            return "units are powers of 1024: write " + text.substring(0, text.length() - 1).replace(" ", "") + "iB";
        }
        return "write " + SYNTAX;
    }
}
