package dev.guestcore.search;

import dev.guestcore.error.UnsupportedRequestException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;

/**
 * What {@link MemorySearch} looks for. Immutable.
 *
 * <p>Bytes and texts are found at any offset, overlapping matches too. Of a regular expression, the longest match at the
 * lowest address is found, and the next one starts after it.
 */
public abstract sealed class SearchPattern permits NeedlePattern, RegexPattern {

    /** The longest thing that can be searched for, and the longest match of a regular expression, in bytes. */
    public static final int LONGEST = 4096;

    private final String description;
    private final int longest;
    private final boolean overlapping;

    SearchPattern(String description, int longest, boolean overlapping) {
        this.description = description;
        this.longest = longest;
        this.overlapping = overlapping;
    }

    /** These bytes. */
    public static SearchPattern bytes(byte[] bytes) {
        checkLength(bytes.length);
        return new NeedlePattern("bytes " + HexFormat.of().formatHex(bytes), List.of(bytes.clone()));
    }

    /**
     * Bytes given as hexadecimal digits, with or without blanks ("4c 69 6e 75 78").
     *
     * @throws UnsupportedRequestException if that is not hexadecimal
     */
    public static SearchPattern hex(String digits) {
        try {
            return bytes(HexFormat.of().parseHex(digits.replace(" ", "").toLowerCase(Locale.ROOT)));
        } catch (IllegalArgumentException e) {
            throw new UnsupportedRequestException("'" + digits + "' is not an even number of hexadecimal digits");
        }
    }

    /**
     * A text, in any of some encodings.
     *
     * @param encodings for instance UTF-8, UTF-16LE, UTF-16BE; UTF-16 without byte order would look for its mark too
     * @throws UnsupportedRequestException if the text cannot be written in one of them
     */
    public static SearchPattern text(String text, Collection<Charset> encodings) {
        List<byte[]> needles = new ArrayList<>();
        for (Charset encoding : encodings) {
            try {
                ByteBuffer encoded = encoding.newEncoder().encode(CharBuffer.wrap(text));
                byte[] bytes = new byte[encoded.remaining()];
                encoded.get(bytes);
                checkLength(bytes.length);
                if (needles.stream().noneMatch(known -> Arrays.equals(known, bytes))) {
                    needles.add(bytes);
                }
            } catch (CharacterCodingException e) {
                throw new UnsupportedRequestException("'" + text + "' cannot be written in " + encoding);
            }
        }
        if (needles.isEmpty()) {
            throw new UnsupportedRequestException("no encoding is given for the text to search for");
        }
        return new NeedlePattern("text \"" + text + "\"", needles);
    }

    /**
     * A regular expression over bytes, matched in time that grows with the memory only, whatever the expression.
     *
     * <p>{@code . [a-z] [^x] \d \w \s \D \W \S \xHH \n \r \t \0 | ( ) (?: ) * + ? {m,n}}; {@code (?i)} in front ignores
     * the case of ASCII letters, {@code (?s)} lets the dot match a line feed too. Other characters stand for their
     * UTF-8 bytes.
     *
     * @param expression the expression
     * @param longestMatch most bytes of a match, up to {@link #LONGEST}
     * @throws UnsupportedRequestException if it is no such expression, can match nothing at all, or is too large
     */
    public static SearchPattern regex(String expression, int longestMatch) {
        checkLength(longestMatch);
        return new RegexPattern(expression, longestMatch);
    }

    private static void checkLength(int length) {
        if (length < 1 || length > LONGEST) {
            throw new UnsupportedRequestException(
                    "what to search for must have 1 to " + LONGEST + " bytes, found " + length);
        }
    }

    /** Most bytes of a match. */
    public int longestMatch() {
        return longest;
    }

    /** Whether a match may begin inside the one before. */
    boolean isOverlapping() {
        return overlapping;
    }

    /** Whether something can be found in zeros. */
    abstract boolean matchesZeros();

    /** A matcher for one thread. */
    abstract ByteMatcher matcher();

    @Override
    public String toString() {
        return description;
    }
}
