package dev.guestcore.search;

import dev.guestcore.error.UnsupportedRequestException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;

/**
 * A regular expression as a nondeterministic automaton over bytes (Thompson's construction). State 0 accepts.
 * Immutable.
 */
final class RegexProgram {

    static final int ACCEPT = 0;
    private static final int MOST_STATES = 4000;

    /** Repeating what needs no byte makes no states, but takes time. */
    private static final int MOST_STEPS = 50_000;

    private final List<BitSet> consumed = new ArrayList<>();
    private final List<int[]> successors = new ArrayList<>();
    private final int start;
    private final boolean reversed;
    private int steps;

    /** Translates; {@code reversed} for matching from the end to the start. */
    RegexProgram(RegexParser.Node node, boolean reversed) {
        this.reversed = reversed;
        state(new BitSet(), new int[0]);
        start = compile(node, ACCEPT);
    }

    private int state(BitSet bytes, int[] next) {
        if (consumed.size() >= MOST_STATES) {
            throw tooLarge();
        }
        consumed.add(bytes);
        successors.add(next);
        return consumed.size() - 1;
    }

    private static UnsupportedRequestException tooLarge() {
        return new UnsupportedRequestException(
                "the regular expression is too large: more than " + MOST_STATES + " states; repeat less");
    }

    private int split(int... next) {
        return state(new BitSet(), next);
    }

    private int compile(RegexParser.Node node, int next) {
        if (++steps > MOST_STEPS) {
            throw tooLarge();
        }
        return switch (node) {
            case RegexParser.OneOf one -> state(one.bytes(), new int[] {next});
            case RegexParser.Sequence sequence -> {
                List<RegexParser.Node> parts = new ArrayList<>(sequence.parts());
                if (!reversed) {
                    Collections.reverse(parts);
                }
                int target = next;
                for (RegexParser.Node part : parts) {
                    target = compile(part, target);
                }
                yield target;
            }
            case RegexParser.Choice choice -> {
                int[] targets = new int[choice.options().size()];
                for (int i = 0; i < targets.length; i++) {
                    targets[i] = compile(choice.options().get(i), next);
                }
                yield split(targets);
            }
            case RegexParser.Repeat repeat -> repeat(repeat, next);
        };
    }

    private int repeat(RegexParser.Repeat repeat, int next) {
        int target = next;
        if (repeat.most() < 0) {
            int loop = split(next);
            int body = compile(repeat.part(), loop);
            successors.set(loop, new int[] {body, next});
            target = loop;
        } else {
            for (int i = repeat.least(); i < repeat.most(); i++) {
                target = split(compile(repeat.part(), target), next);
            }
        }
        for (int i = 0; i < repeat.least(); i++) {
            target = compile(repeat.part(), target);
        }
        return target;
    }

    int size() {
        return consumed.size();
    }

    int start() {
        return start;
    }

    /** The bytes that lead on from a state; empty where the successors need none. */
    BitSet consumed(int state) {
        return consumed.get(state);
    }

    int[] successors(int state) {
        return successors.get(state);
    }

    /** Adds to {@code states} all that is reached without a byte. */
    void close(BitSet states) {
        int[] open = new int[size()];
        int count = 0;
        for (int state = states.nextSetBit(0); state >= 0; state = states.nextSetBit(state + 1)) {
            open[count++] = state;
        }
        while (count > 0) {
            int state = open[--count];
            if (consumed.get(state).isEmpty()) {
                for (int next : successors.get(state)) {
                    if (!states.get(next)) {
                        states.set(next);
                        open[count++] = next;
                    }
                }
            }
        }
    }
}
