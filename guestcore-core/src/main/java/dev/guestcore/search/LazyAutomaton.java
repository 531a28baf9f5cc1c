package dev.guestcore.search;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The deterministic automaton of a {@link RegexProgram}, whose states are made when they are first needed and forgotten
 * when there are too many: time per byte and memory are bounded for any expression. Not thread-safe.
 */
final class LazyAutomaton {

    /** No match can come any more. */
    static final int DEAD = 0;

    private static final int MOST_STATES = 512;
    private static final int UNKNOWN = -1;

    private final RegexProgram program;
    private final boolean beginsAnywhere;
    private final int[] classes = new int[256];
    private final int classCount;
    private final int[] samples = new int[256];

    private final Map<BitSet, Integer> numbers = new HashMap<>();
    private final List<BitSet> sets = new ArrayList<>();
    private final boolean[] accepting = new boolean[MOST_STATES];
    private final int[] transitions;
    private int startState;

    /**
     * Prepares.
     *
     * @param beginsAnywhere whether a match may begin at every byte, not only at the first
     */
    LazyAutomaton(RegexProgram program, boolean beginsAnywhere) {
        this.program = program;
        this.beginsAnywhere = beginsAnywhere;
        this.classCount = classify();
        this.transitions = new int[MOST_STATES * classCount];
        clear();
    }

    /** Bytes that no state tells apart are one class. */
    private int classify() {
        Map<BitSet, Integer> seen = new HashMap<>();
        for (int value = 0; value < classes.length; value++) {
            BitSet signature = new BitSet(program.size());
            for (int state = 0; state < program.size(); state++) {
                signature.set(state, program.consumed(state).get(value));
            }
            int number = seen.computeIfAbsent(signature, key -> seen.size());
            classes[value] = number;
            samples[number] = value;
        }
        return seen.size();
    }

    private void clear() {
        numbers.clear();
        sets.clear();
        Arrays.fill(transitions, UNKNOWN);
        number(new BitSet());
        BitSet first = new BitSet(program.size());
        first.set(program.start());
        program.close(first);
        startState = number(first);
    }

    private int number(BitSet set) {
        Integer known = numbers.get(set);
        if (known != null) {
            return known;
        }
        int number = sets.size();
        numbers.put(set, number);
        sets.add(set);
        accepting[number] = set.get(RegexProgram.ACCEPT);
        return number;
    }

    /** The state before the first byte. Valid until the next call of {@link #next}. */
    int start() {
        return startState;
    }

    /** The state after one more byte. States of before are not valid any more. */
    int next(int state, byte value) {
        int slot = state * classCount + classes[value & 0xff];
        int known = transitions[slot];
        return known >= 0 ? known : make(state, slot);
    }

    private int make(int state, int slot) {
        int sample = samples[slot - state * classCount];
        BitSet from = sets.get(state);
        BitSet to = new BitSet(program.size());
        for (int each = from.nextSetBit(0); each >= 0; each = from.nextSetBit(each + 1)) {
            if (program.consumed(each).get(sample)) {
                to.set(program.successors(each)[0]);
            }
        }
        if (beginsAnywhere) {
            to.set(program.start());
        }
        program.close(to);
        if (sets.size() >= MOST_STATES && !numbers.containsKey(to)) {
            clear();
            return number(to);
        }
        int made = number(to);
        transitions[slot] = made;
        return made;
    }

    boolean isAccepting(int state) {
        return accepting[state];
    }
}
