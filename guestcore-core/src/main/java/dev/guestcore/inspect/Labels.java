package dev.guestcore.inspect;

import java.util.function.IntPredicate;

/** Makes names from a source fit to be shown: they may hold anything. */
final class Labels {

    private static final int MOST_CHARACTERS = 100;

    private static final int USUAL_ADDRESS_DIGITS = 12;
    private static final int ALL_ADDRESS_DIGITS = 16;

    private Labels() {}

    /** How many digits the addresses of a map take, so that all have as many. */
    static int addressDigits(MemoryMap map) {
        long last = map.rows().isEmpty() ? 0 : map.rows().getLast().range().last();
        return last >>> USUAL_ADDRESS_DIGITS * 4 == 0 ? USUAL_ADDRESS_DIGITS : ALL_ADDRESS_DIGITS;
    }

    /**
     * The text without what could steer a terminal, turn the direction of writing or is not allowed in XML, and not too
     * long.
     */
    static String clean(String text) {
        IntPredicate isShown = character -> switch (Character.getType(character)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.UNASSIGNED,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            default -> true;
        };
        return text.codePoints()
                .filter(isShown)
                .limit(MOST_CHARACTERS)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString()
                .strip();
    }

    /** The text, or its beginning with an ellipsis, in at most so many characters. */
    static String cut(String text, int most, String ellipsis) {
        int length = text.codePointCount(0, text.length());
        if (length <= most) {
            return text;
        }
        int kept = Math.max(0, most - ellipsis.length());
        String beginning = text.substring(0, text.offsetByCodePoints(0, kept));
        return beginning + ellipsis.substring(0, Math.min(most, ellipsis.length()));
    }

    /** Base-2 logarithm of an unsigned number as a whole number of sixteenths, the same on every machine. */
    static int logSixteenths(long value) {
        double positive = value < 0 ? 0x1p63 : Math.max(1, value);
        return (int) Math.floor(16 * StrictMath.log(positive) / StrictMath.log(2) + 1e-9);
    }
}
