package dev.guestcore.search;

import dev.guestcore.error.UnsupportedRequestException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/** A regular expression over bytes. */
final class RegexPattern extends SearchPattern {

    private static final int WORTHWHILE_PREFIX = 2;

    private final RegexProgram forward;
    private final RegexProgram backward;
    private final byte[] prefix;
    private final boolean matchesZeros;

    RegexPattern(String expression, int longestMatch) {
        super("regular expression /" + expression + "/", longestMatch, false);
        RegexParser.Node node = RegexParser.parse(expression);
        forward = new RegexProgram(node, false);
        backward = new RegexProgram(node, true);
        LazyAutomaton automaton = new LazyAutomaton(forward, false);
        if (automaton.isAccepting(automaton.start())) {
            throw new UnsupportedRequestException("regular expression '" + expression
                    + "' can match an empty string, so it would be found at every address; use + where you wrote *");
        }
        matchesZeros = longestMatch(automaton, new byte[longestMatch], 0, longestMatch) > 0;
        prefix = prefixOf(node);
    }

    /** The bytes with which every match begins. */
    private static byte[] prefixOf(RegexParser.Node node) {
        List<RegexParser.Node> parts =
                node instanceof RegexParser.Sequence sequence ? sequence.parts() : List.of(node);
        List<Byte> bytes = new ArrayList<>();
        for (RegexParser.Node part : parts) {
            if (!(part instanceof RegexParser.OneOf(BitSet set)) || set.cardinality() != 1) {
                break;
            }
            bytes.add((byte) set.nextSetBit(0));
        }
        byte[] result = new byte[bytes.size()];
        for (int i = 0; i < result.length; i++) {
            result[i] = bytes.get(i);
        }
        return result;
    }

    @Override
    boolean matchesZeros() {
        return matchesZeros;
    }

    @Override
    ByteMatcher matcher() {
        return prefix.length >= WORTHWHILE_PREFIX ? new PrefixMatcher() : new GeneralMatcher();
    }

    private static int longestMatch(LazyAutomaton automaton, byte[] bytes, int from, int end) {
        int state = automaton.start();
        int longest = 0;
        for (int at = from; at < end; at++) {
            state = automaton.next(state, bytes[at]);
            if (state == LazyAutomaton.DEAD) {
                return longest;
            }
            if (automaton.isAccepting(state)) {
                longest = at + 1 - from;
            }
        }
        return longest;
    }

    /** What both ways have in common: candidates in ascending order, the longest match from each. */
    private abstract class AbstractMatcher implements ByteMatcher {

        private final LazyAutomaton automaton = new LazyAutomaton(forward, false);
        private byte[] bytes = {};
        private int next;
        private int startsEnd;
        private int end;
        private int start;
        private int length;

        /** The first index from {@code from} on at which a match may begin, or a negative number. */
        abstract int candidate(byte[] in, int from, int before, int inEnd);

        @Override
        public void reset(byte[] newBytes, int from, int newStartsEnd, int newEnd) {
            bytes = newBytes;
            next = from;
            startsEnd = newStartsEnd;
            end = newEnd;
        }

        @Override
        public final boolean find() {
            while (next < startsEnd) {
                int at = candidate(bytes, next, startsEnd, end);
                if (at < 0) {
                    break;
                }
                int found = longestMatch(automaton, bytes, at, Math.min(end, at + longestMatch()));
                if (found > 0) {
                    start = at;
                    length = found;
                    next = at + found;
                    return true;
                }
                next = at + 1;
            }
            return false;
        }

        @Override
        public int start() {
            return start;
        }

        @Override
        public int length() {
            return length;
        }
    }

    private final class PrefixMatcher extends AbstractMatcher {

        private final NeedleFinder finder = new NeedleFinder(prefix);

        @Override
        int candidate(byte[] in, int from, int before, int inEnd) {
            return finder.indexOf(in, from, Math.min(before, inEnd - prefix.length + 1));
        }
    }

    /** Runs once from the end to the start and marks every place where a match begins. */
    private final class GeneralMatcher extends AbstractMatcher {

        private final LazyAutomaton reverse = new LazyAutomaton(backward, true);
        private long[] starts = {};
        private int base;

        @Override
        public void reset(byte[] newBytes, int from, int newStartsEnd, int newEnd) {
            super.reset(newBytes, from, newStartsEnd, newEnd);
            base = from;
            int words = Math.max(0, newStartsEnd - from) / Long.SIZE + 1;
            if (starts.length < words) {
                starts = new long[words];
            } else {
                Arrays.fill(starts, 0, words, 0);
            }
            int state = reverse.start();
            for (int at = newEnd - 1; at >= from; at--) {
                state = reverse.next(state, newBytes[at]);
                if (reverse.isAccepting(state) && at < newStartsEnd) {
                    starts[at - base >>> 6] |= 1L << at - base;
                }
            }
        }

        @Override
        int candidate(byte[] in, int from, int before, int inEnd) {
            int bit = from - base;
            int bits = before - base;
            while (bit < bits) {
                long word = starts[bit >>> 6] >>> bit;
                if (word != 0) {
                    int found = bit + Long.numberOfTrailingZeros(word);
                    return found < bits ? base + found : -1;
                }
                bit = (bit | 63) + 1;
            }
            return -1;
        }
    }
}
