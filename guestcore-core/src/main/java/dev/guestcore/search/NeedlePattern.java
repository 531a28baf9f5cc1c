package dev.guestcore.search;

import java.util.List;

/** One of a few strings of bytes. */
final class NeedlePattern extends SearchPattern {

    private final List<byte[]> needles;

    NeedlePattern(String description, List<byte[]> needles) {
        super(description, needles.stream().mapToInt(needle -> needle.length).max().orElseThrow(), true);
        this.needles = needles;
    }

    @Override
    boolean matchesZeros() {
        return needles.stream().anyMatch(NeedlePattern::isZero);
    }

    private static boolean isZero(byte[] needle) {
        for (byte value : needle) {
            if (value != 0) {
                return false;
            }
        }
        return true;
    }

    @Override
    ByteMatcher matcher() {
        return new Matcher(needles);
    }

    private static final class Matcher implements ByteMatcher {

        private final NeedleFinder[] finders;
        private final int[] next;
        private byte[] bytes = {};
        private int startsEnd;
        private int end;
        private int current = -1;
        private int start;

        Matcher(List<byte[]> needles) {
            finders = needles.stream().map(NeedleFinder::new).toArray(NeedleFinder[]::new);
            next = new int[finders.length];
        }

        @Override
        public void reset(byte[] newBytes, int from, int newStartsEnd, int newEnd) {
            bytes = newBytes;
            startsEnd = newStartsEnd;
            end = newEnd;
            current = -1;
            for (int i = 0; i < finders.length; i++) {
                next[i] = search(i, from);
            }
        }

        private int search(int finder, int from) {
            int length = finders[finder].length();
            int found = finders[finder].indexOf(bytes, from, Math.min(startsEnd, end - length + 1));
            return found < 0 ? Integer.MAX_VALUE : found;
        }

        @Override
        public boolean find() {
            if (current >= 0) {
                next[current] = search(current, start + 1);
            }
            current = 0;
            for (int i = 1; i < next.length; i++) {
                if (next[i] < next[current]) {
                    current = i;
                }
            }
            start = next[current];
            return start != Integer.MAX_VALUE;
        }

        @Override
        public int start() {
            return start;
        }

        @Override
        public int length() {
            return finders[current].length();
        }
    }
}
