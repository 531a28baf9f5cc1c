package dev.guestcore.inspect;

import dev.guestcore.AddressRange;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;

/** Sizes and counts as text for people. The same in every locale. */
public final class Sizes {

    private static final String[] UNITS = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    private static final int BITS_PER_UNIT = 10;

    private Sizes() {}

    /**
     * A number of bytes in the largest binary unit that it fills: "72 MiB", "3.5 GiB". A number without decimals, or
     * with other decimals than ".0", of which there are at most two, is exact; else one decimal, rounded ("960.0 KiB",
     * "1.3 MiB").
     *
     * @param bytes how many, unsigned
     */
    public static String human(long bytes) {
        return human(new BigInteger(Long.toUnsignedString(bytes)));
    }

    /** The length of a range, also of one that has all 2^64 addresses. */
    public static String human(AddressRange range) {
        BigInteger lessOne = new BigInteger(Long.toUnsignedString(range.last() - range.first()));
        return human(lessOne.add(BigInteger.ONE));
    }

    private static String human(BigInteger bytes) {
        int unit = Math.clamp((bytes.bitLength() - 1) / BITS_PER_UNIT, 0, UNITS.length - 1);
        BigDecimal value = new BigDecimal(bytes).divide(new BigDecimal(BigInteger.ONE.shiftLeft(unit * BITS_PER_UNIT)));
        BigDecimal exact = value.stripTrailingZeros();
        BigDecimal shown = exact.scale() <= 2 ? exact : value.setScale(1, RoundingMode.HALF_UP);
        return shown.toPlainString() + " " + UNITS[unit];
    }

    /**
     * A count with a comma between groups of three digits: "1,204".
     *
     * @param count how many, not negative
     */
    public static String count(long count) {
        StringBuilder text = new StringBuilder(Long.toString(count));
        for (int at = text.length() - 3; at > 0; at -= 3) {
            text.insert(at, ',');
        }
        return text.toString();
    }

    /** "1 region", "1,204 regions". */
    static String counted(long count, String noun) {
        return count(count) + " " + noun + (count == 1 ? "" : "s");
    }
}
