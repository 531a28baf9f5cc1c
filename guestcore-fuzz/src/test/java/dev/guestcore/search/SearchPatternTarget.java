package dev.guestcore.search;

import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.fuzz.Target;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;

/** Regular expressions, which a debugger may send too; plain ones find what those of the class library find. */
public final class SearchPatternTarget implements Target {

    private static final int LONGEST_MATCH = 16;
    private static final int MOST_COMPARED = 12;
    private static final Pattern PLAIN = Pattern.compile("[a-c.()|*+?]{1,10}");
    private static final Pattern TWO_QUANTIFIERS = Pattern.compile("[*+?][*+?]|\\(\\?");

    @Override
    public String name() {
        return "search-pattern";
    }

    @Override
    public String title() {
        return "regular expressions to search for";
    }

    /** The expression, a zero byte, memory to search in. */
    @Override
    public void run(byte[] input) {
        int end = 0;
        while (end < input.length && input[end] != 0) {
            end++;
        }
        String expression = new String(input, 0, end, StandardCharsets.ISO_8859_1);
        byte[] memory = end < input.length ? Arrays.copyOfRange(input, end + 1, input.length) : new byte[0];
        SearchPattern pattern;
        try {
            pattern = SearchPattern.regex(expression, LONGEST_MATCH);
        } catch (UnsupportedRequestException e) {
            return;
        }
        boolean compared = PLAIN.matcher(expression).matches()
                && !TWO_QUANTIFIERS.matcher(expression).find()
                && memory.length <= MOST_COMPARED;
        Pattern known = compared ? Pattern.compile(expression, Pattern.DOTALL) : null;
        if (known != null) {
            for (int i = 0; i < memory.length; i++) {
                memory[i] = (byte) ('a' + (memory[i] & 3));
            }
        }
        ByteMatcher matcher = pattern.matcher();
        matcher.reset(memory, 0, memory.length, memory.length);
        int from = 0;
        while (matcher.find()) {
            require(matcher.start() >= from && matcher.length() > 0 && matcher.length() <= LONGEST_MATCH
                    && matcher.start() + matcher.length() <= memory.length, "a match out of bounds of " + expression);
            if (known != null) {
                check(known, memory, from, matcher.start(), matcher.length());
            }
            from = matcher.start() + matcher.length();
        }
        if (known != null) {
            check(known, memory, from, memory.length, 0);
        }
    }

    /** The next match is the longest at the lowest place. */
    private static void check(Pattern known, byte[] memory, int from, int start, int length) {
        String text = new String(memory, StandardCharsets.ISO_8859_1);
        for (int at = from; at <= start && at < text.length(); at++) {
            int longest = 0;
            for (int size = 1; at + size <= text.length(); size++) {
                if (known.matcher(text.substring(at, at + size)).matches()) {
                    longest = size;
                }
            }
            require(longest == (at == start ? length : 0), known + " in " + text + ": at " + at + " " + longest
                    + " bytes match, found " + length + " at " + start);
        }
    }

    private static void require(boolean holds, String broken) {
        if (!holds) {
            throw new AssertionError(broken);
        }
    }

    @Override
    public List<byte[]> seeds() {
        return List.of(
                "a(b|c)*c~abcbcc", "a+b?.~aaab", "(a|ab)(c|bc)~abcabc",
                "(?i)[a-z]{2,4}\\x00\\d+~Abc012", "\\w+\\s[^x]~foo bar",
                "(?s)(?:Linux|linux) version .~Linux version 6", "a|b|c~abc", "(a*b)+~aabab", "..~abcab")
                .stream()
                .map(text -> text.replace('~', '\0').getBytes(StandardCharsets.ISO_8859_1))
                .toList();
    }

    @Override
    public List<byte[]> dictionary() {
        return List.of(
                "(?i)", "(?s)", "(?:", "[a-z]", "[^x]", "{2,4}", "{1000}", "\\x41", "\\d", "\\W", "|", "()", "*", "+")
                .stream()
                .map(text -> text.getBytes(StandardCharsets.ISO_8859_1))
                .toList();
    }

    @Override
    public int longest() {
        return 256;
    }
}
