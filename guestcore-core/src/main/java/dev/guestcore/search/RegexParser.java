package dev.guestcore.search;

import dev.guestcore.error.UnsupportedRequestException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/** Reads a regular expression over bytes. */
final class RegexParser {

    private static final int MOST_REPEATS = 1000;
    private static final int DEEPEST = 100;
    private static final int BYTES = 256;

    private final String text;
    private boolean ignoreCase;
    private boolean dotMatchesAll;
    private int at;
    private int depth;

    /** An expression. */
    sealed interface Node {}

    /** One byte of a set. */
    record OneOf(BitSet bytes) implements Node {}

    /** One after the other. */
    record Sequence(List<Node> parts) implements Node {}

    /** One of several. */
    record Choice(List<Node> options) implements Node {}

    /** Again and again; {@code most} is -1 for any number. */
    record Repeat(Node part, int least, int most) implements Node {}

    private RegexParser(String text) {
        this.text = text;
    }

    static Node parse(String expression) {
        RegexParser parser = new RegexParser(expression);
        parser.flags();
        Node node = parser.choice();
        if (parser.at < expression.length()) {
            throw parser.error("this ')' closes nothing");
        }
        return node;
    }

    private UnsupportedRequestException error(String what) {
        return new UnsupportedRequestException(
                "regular expression '" + text + "', character " + (at + 1) + ": " + what);
    }

    private void flags() {
        while (text.startsWith("(?i)", at) || text.startsWith("(?s)", at)) {
            ignoreCase |= text.charAt(at + 2) == 'i';
            dotMatchesAll |= text.charAt(at + 2) == 's';
            at += 4;
        }
    }

    private boolean more() {
        return at < text.length();
    }

    private Node choice() {
        if (++depth > DEEPEST) {
            throw error("more than " + DEEPEST + " parentheses inside one another");
        }
        List<Node> options = new ArrayList<>();
        options.add(sequence());
        while (more() && text.charAt(at) == '|') {
            at++;
            options.add(sequence());
        }
        depth--;
        return options.size() == 1 ? options.getFirst() : new Choice(options);
    }

    private Node sequence() {
        List<Node> parts = new ArrayList<>();
        while (more() && text.charAt(at) != '|' && text.charAt(at) != ')') {
            parts.add(repeated(single()));
        }
        return parts.size() == 1 ? parts.getFirst() : new Sequence(parts);
    }

    private Node repeated(Node part) {
        Node node = part;
        while (more()) {
            switch (text.charAt(at)) {
                case '*' -> node = new Repeat(node, 0, -1);
                case '+' -> node = new Repeat(node, 1, -1);
                case '?' -> node = new Repeat(node, 0, 1);
                case '{' -> node = counted(node);
                default -> {
                    return node;
                }
            }
            at++;
            if (more() && (text.charAt(at) == '?' || text.charAt(at) == '+')) {
                throw error("lazy and possessive repetition is not supported; the longest match is found");
            }
        }
        return node;
    }

    private Node counted(Node part) {
        int close = text.indexOf('}', at);
        if (close < 0) {
            throw error("'{' without '}'; write \\{ for the character");
        }
        String[] bounds = text.substring(at + 1, close).split(",", -1);
        int least = number(bounds[0]);
        int most = bounds.length == 1 ? least : bounds[1].isEmpty() ? -1 : number(bounds[1]);
        if (bounds.length > 2 || most >= 0 && most < least) {
            throw error("expected {n}, {n,} or {n,m} with n not above m");
        }
        at = close;
        return new Repeat(part, least, most);
    }

    private int number(String digits) {
        if (digits.isEmpty() || digits.length() > 4 || !digits.chars().allMatch(c -> c >= '0' && c <= '9')) {
            throw error("expected a number up to " + MOST_REPEATS + ", found '" + digits + "'");
        }
        int value = Integer.parseInt(digits);
        if (value > MOST_REPEATS) {
            throw error("expected a number up to " + MOST_REPEATS + ", found " + value);
        }
        return value;
    }

    private Node single() {
        char c = text.charAt(at);
        return switch (c) {
            case '(' -> group();
            case '[' -> new OneOf(bracket());
            case '.' -> {
                at++;
                BitSet all = range(0, BYTES - 1);
                all.set('\n', dotMatchesAll);
                yield new OneOf(all);
            }
            case '*', '+', '?', '{' -> throw error("nothing to repeat; write \\" + c + " for the character");
            case '^', '$' -> throw error("memory has no lines to anchor to; write \\" + c + " for the character");
            case '\\' -> new OneOf(escape());
            default -> literal();
        };
    }

    private Node group() {
        at++;
        if (text.startsWith("?:", at)) {
            at += 2;
        } else if (more() && text.charAt(at) == '?') {
            throw error("only (?: ), and (?i) (?s) at the very front, are supported");
        }
        Node inside = choice();
        if (!more()) {
            throw error("'(' without ')'");
        }
        at++;
        return inside;
    }

    private Node literal() {
        int codePoint = text.codePointAt(at);
        at += Character.charCount(codePoint);
        if (codePoint < 0x80) {
            return new OneOf(withCase(range(codePoint, codePoint)));
        }
        List<Node> parts = new ArrayList<>();
        for (byte value : Character.toString(codePoint).getBytes(StandardCharsets.UTF_8)) {
            parts.add(new OneOf(range(value & 0xff, value & 0xff)));
        }
        return new Sequence(parts);
    }

    private BitSet bracket() {
        at++;
        boolean negated = more() && text.charAt(at) == '^';
        if (negated) {
            at++;
        }
        BitSet set = new BitSet(BYTES);
        boolean first = true;
        while (more() && (first || text.charAt(at) != ']')) {
            first = false;
            BitSet low = member();
            boolean isRange = at + 1 < text.length() && text.charAt(at) == '-' && text.charAt(at + 1) != ']';
            if (!isRange) {
                set.or(low);
                continue;
            }
            at++;
            BitSet high = member();
            if (low.cardinality() != 1 || high.cardinality() != 1 || low.nextSetBit(0) > high.nextSetBit(0)) {
                throw error("a range needs two single bytes in ascending order");
            }
            set.set(low.nextSetBit(0), high.nextSetBit(0) + 1);
        }
        if (!more()) {
            throw error("'[' without ']'");
        }
        at++;
        BitSet result = withCase(set);
        if (negated) {
            result.flip(0, BYTES);
        }
        if (result.isEmpty()) {
            throw error("this set holds no byte");
        }
        return result;
    }

    private BitSet member() {
        if (!more()) {
            throw error("'[' without ']'");
        }
        char c = text.charAt(at);
        if (c == '\\') {
            return escape();
        }
        if (c >= 0x80) {
            throw error("a set holds single bytes; write \\xHH, or (?:a|b) for characters that are several bytes");
        }
        at++;
        return range(c, c);
    }

    private BitSet escape() {
        if (at + 1 >= text.length()) {
            throw error("'\\' at the end");
        }
        char c = text.charAt(at + 1);
        at += 2;
        return switch (c) {
            case 'd' -> digits();
            case 'D' -> inverted(digits());
            case 'w' -> wordCharacters();
            case 'W' -> inverted(wordCharacters());
            case 's' -> blanks();
            case 'S' -> inverted(blanks());
            case 'n' -> range('\n', '\n');
            case 'r' -> range('\r', '\r');
            case 't' -> range('\t', '\t');
            case '0' -> range(0, 0);
            case 'x' -> hexadecimal();
            default -> {
                if (Character.isLetterOrDigit(c)) {
                    at -= 2;
                    throw error("'\\" + c + "' is not supported");
                }
                yield range(c, c);
            }
        };
    }

    private BitSet hexadecimal() {
        int high = at + 1 < text.length() ? Character.digit(text.charAt(at), 16) : -1;
        int low = at + 1 < text.length() ? Character.digit(text.charAt(at + 1), 16) : -1;
        if (high < 0 || low < 0) {
            throw error("\\x needs two hexadecimal digits");
        }
        at += 2;
        return range(high << 4 | low, high << 4 | low);
    }

    private BitSet withCase(BitSet set) {
        if (!ignoreCase) {
            return set;
        }
        BitSet both = (BitSet) set.clone();
        for (int letter = 'a'; letter <= 'z'; letter++) {
            int upper = letter - 'a' + 'A';
            if (set.get(letter) || set.get(upper)) {
                both.set(letter);
                both.set(upper);
            }
        }
        return both;
    }

    private static BitSet range(int from, int to) {
        BitSet set = new BitSet(BYTES);
        set.set(from, to + 1);
        return set;
    }

    private static BitSet inverted(BitSet set) {
        set.flip(0, BYTES);
        return set;
    }

    private static BitSet digits() {
        return range('0', '9');
    }

    private static BitSet wordCharacters() {
        BitSet set = digits();
        set.set('a', 'z' + 1);
        set.set('A', 'Z' + 1);
        set.set('_');
        return set;
    }

    private static BitSet blanks() {
        BitSet set = range('\t', '\r');
        set.set(' ');
        return set;
    }
}
