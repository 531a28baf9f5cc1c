package dev.guestcore.internal.text;

import dev.guestcore.AddressRange;

/** Amounts and counts as text for the user. The same in every locale. */
public final class Amounts {

    private static final String[] UNITS = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    private static final String[] QUARTERS = {"", ".25", ".5", ".75"};
    private static final int BITS_PER_UNIT = 10;

    private Amounts() {}

    /**
     * A number of bytes in the largest binary unit that it fills: "72 MiB", "3.5 GiB", "1.25 GiB". What would take more
     * than two decimals is rounded to one, with a tilde in front: "~960.0 KiB", "~1.3 MiB".
     *
     * @param bytes how many, unsigned
     */
    public static String human(long bytes) {
        int bits = Long.SIZE - Long.numberOfLeadingZeros(bytes);
        int unit = Math.clamp((bits - 1) / BITS_PER_UNIT, 0, UNITS.length - 1);
        int shift = unit * BITS_PER_UNIT;
        long whole = bytes >>> shift;
        long rest = bytes & (1L << shift) - 1;
        // Of the fractions of a power of two only quarters have at most two decimals.
        if (rest == 0) {
            return whole + " " + UNITS[unit];
        }
        if ((rest & (1L << shift - 2) - 1) == 0) {
            return whole + QUARTERS[(int) (rest >>> shift - 2)] + " " + UNITS[unit];
        }
        // Below 10 * 2^60, so it fits unsigned.
        long tenths = rest * 10 >>> shift;
        boolean roundsUp = (rest * 10 & 1L << shift - 1) != 0;
        long shown = whole * 10 + tenths + (roundsUp ? 1 : 0);
        return "~" + shown / 10 + "." + shown % 10 + " " + UNITS[unit];
    }

    /** The length of a range, also of one that has all 2^64 addresses. */
    public static String human(AddressRange range) {
        long lessOne = range.last() - range.first();
        return lessOne == -1L ? "16 EiB" : human(lessOne + 1);
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

    /**
     * A count with what is said of it: "1 region is empty", "1,204 regions are empty".
     *
     * @param one what is said of one, behind its number
     * @param several what is said of any other number
     */
    public static String counted(long count, String one, String several) {
        return count(count) + " " + (count == 1 ? one : several);
    }

    /** "1 region", "1,204 regions". */
    public static String counted(long count, String noun) {
        return count(count) + " " + noun + (count == 1 ? "" : "s");
    }
}
