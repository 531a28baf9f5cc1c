package dev.guestcore.linux.symbols;

import java.util.Arrays;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Finds the names in kallsyms when a part of memory there is damaged or missing. Either the markers are whole: then each tells
 * where 256 names begin, and only those are lost from which a walk does not lead to the next marker. Or the names are whole up to
 * where memory is missing: then the walk over them tells what the markers are, and those that can be read must agree.
 */
final class DamagedNames {

    /** What is not less is no list of markers by chance. */
    private static final int LEAST_MARKERS = 8;

    private static final int STEP = NameTable.STEP;
    private static final int LARGE = 0x80;
    private static final int FOREIGN_MARKERS = 8;
    private static final int SAMPLES = 8;

    /** Bytes of names, lengths included, that kernels have on average: 10 to 20. */
    private static final int SHORTEST_AVERAGE = 4;

    private static final int LONGEST_AVERAGE = 40;

    /** A sequence number of kallsyms by name has so many bytes. */
    private static final int SEQUENCE_BYTES = 3;

    private static final int ALIGNMENT = Long.BYTES;
    private static final long MOST_AT_END = 128L * STEP;

    private final PhysicalWindow window;
    private final TokenTable tokens;
    private final Effort effort;

    DamagedNames(PhysicalWindow window, TokenTable tokens, Effort effort) {
        this.window = window;
        this.tokens = tokens;
        this.effort = effort;
    }

    /**
     * Names of which some are lost.
     *
     * @param names with as many entries as there are symbols
     * @param numbers where the number of symbols may stand
     */
    record Found(NameTable names, List<Long> numbers) {}

    Optional<Found> find() {
        return byMarkers().or(this::byNumber);
    }

    private Optional<Found> byMarkers() {
        long last = tokens.address() - 3 * Integer.BYTES & -Integer.BYTES;
        for (long at = last; at >= window.first() && !effort.isSpent(); at -= Integer.BYTES) {
            if (window.intAt(at) != 0) {
                continue;
            }
            int next = window.intAt(at + Integer.BYTES);
            int width = next == 0 ? Long.BYTES : Integer.BYTES;
            Optional<Found> found = Markers.at(window, at, width)
                    .filter(markers -> markers.count() >= LEAST_MARKERS)
                    .flatMap(this::before);
            if (found.isPresent()) {
                return found;
            }
        }
        return Optional.empty();
    }

    /** The names end at the first marker; where they begin, their number stands before them. */
    private Optional<Found> before(Markers markers) {
        return before(markers, true).or(() -> before(markers, false));
    }

    /** Where they begin, walks from the markers lead to the next ones. */
    private Optional<Found> before(Markers markers, boolean numbered) {
        for (int count = markers.count(); count >= Math.max(LEAST_MARKERS, markers.count() - FOREIGN_MARKERS);
                count--) {
            long highest = markers.address() - markers.value(count - 1);
            long lowest = Math.max(highest - MOST_AT_END - Long.BYTES, window.first() + Long.BYTES);
            for (long first = highest & -Integer.BYTES; first >= lowest && !effort.isSpent(); first -= Integer.BYTES) {
                for (boolean twoBytes : new boolean[] {true, false}) {
                    Blocks blocks = new Blocks(first, markers, count, twoBytes);
                    if ((!numbered || blocks.stated() > 0) && mayBegin(first, markers, count, twoBytes)) {
                        Optional<Found> found = blocks.read(numbered);
                        if (found.isPresent()) {
                            return found;
                        }
                    }
                }
            }
        }
        return Optional.empty();
    }

    /** Whether from half of a few markers a walk leads to the next. */
    private boolean mayBegin(long first, Markers markers, int count, boolean twoBytes) {
        int good = 0;
        for (int sample = 0; sample < SAMPLES && good + SAMPLES - sample > SAMPLES / 2; sample++) {
            int block = (int) ((long) sample * (count - 1) / SAMPLES);
            long end = first + markers.value(block + 1);
            good += walk(first + markers.value(block), STEP, end, twoBytes, new int[STEP]) == end ? 1 : 0;
        }
        return good > SAMPLES / 2;
    }

    /**
     * Walks over names.
     *
     * @param starts takes where each begins, from the start of the walk
     * @return where it ends; -1 if it does not
     */
    private long walk(long from, int count, long limit, boolean twoBytes, int[] starts) {
        long at = from;
        effort.spend(1);
        for (int i = 0; i < count; i++) {
            if (at >= limit || at < window.first()) {
                return -1;
            }
            starts[i] = (int) (at - from);
            at = next(at, twoBytes);
            if (at < 0 || at > limit) {
                effort.spend(i);
                return -1;
            }
        }
        effort.spend(count);
        return at;
    }

    /** Where the name behind the one at an address begins; -1 if there is no name. */
    private long next(long at, boolean twoBytes) {
        int length = window.contains(at, 1) ? window.byteAt(at) : 0;
        if (length == 0) {
            return -1;
        }
        if (twoBytes && (length & LARGE) != 0) {
            return window.contains(at + 1, 1) ? at + 2 + (length & LARGE - 1 | window.byteAt(at + 1) << 7) : -1;
        }
        return at + 1 + length;
    }

    /** Names of which markers tell where every 256th begins. */
    private final class Blocks {

        private final long first;
        private final Markers markers;
        private final int count;
        private final boolean twoBytes;

        Blocks(long first, Markers markers, int count, boolean twoBytes) {
            this.first = first;
            this.markers = markers;
            this.count = count;
            this.twoBytes = twoBytes;
        }

        /**
         * The names, if half of them can be read.
         *
         * @param numbered whether the number of symbols stands before them; otherwise damage must be in one place
         */
        Optional<Found> read(boolean numbered) {
            int symbols = numbered ? stated() : counted();
            if (symbols <= 0) {
                return Optional.empty();
            }
            int[] starts = new int[symbols];
            Arrays.fill(starts, -1);
            BitSet bad = new BitSet();
            for (int block = 0; block < count; block++) {
                bad.set(block, !read(block, starts));
            }
            if (!numbered && bad.length() - bad.nextSetBit(0) > Math.max(bad.cardinality(), 1)) {
                return Optional.empty();
            }
            NameTable table = new NameTable(
                    window.copy(first, (int) (markers.address() - first)), starts, twoBytes, tokens);
            int plausible = loseImplausible(table, starts);
            return plausible > symbols / 2
                    ? Optional.of(new Found(table, List.of(first - Long.BYTES, first - Integer.BYTES)))
                    : Optional.empty();
        }

        /** How many symbols there are, as the number before the names says; -1 if that is none. */
        int stated() {
            for (int gap = Long.BYTES; gap >= Integer.BYTES; gap -= Integer.BYTES) {
                int stated = window.intAt(first - gap);
                if (stated > (count - 1) * STEP && stated <= count * STEP) {
                    return stated;
                }
            }
            return -1;
        }

        /** The same by a walk over the last of them. */
        private int counted() {
            long at = first + markers.value(count - 1);
            int number = 0;
            while (at >= 0 && at < markers.address() && number < STEP && window.byteAt(at) != 0) {
                number++;
                at = next(at, twoBytes);
            }
            return at >= 0 && at <= markers.address() && markers.address() - at < ALIGNMENT
                    ? (count - 1) * STEP + number
                    : -1;
        }

        /** Whether nothing is lost of 256 names. */
        private boolean read(int block, int[] starts) {
            boolean isLast = block == count - 1;
            int names = isLast ? starts.length - block * STEP : STEP;
            long from = first + markers.value(block);
            long limit = isLast ? markers.address() : first + markers.value(block + 1);
            int[] inside = new int[names];
            long end = walk(from, names, limit, twoBytes, inside);
            boolean isWhole = isLast ? end >= 0 && limit - end < ALIGNMENT : end == limit;
            int known = isWhole ? names : beforeLostPage(from, names, limit, inside);
            for (int i = 0; i < known; i++) {
                starts[block * STEP + i] = (int) (from - first) + inside[i];
            }
            return isWhole;
        }

        /** How many names of a block end before a page that is missing. */
        private int beforeLostPage(long from, int names, long limit, int[] inside) {
            long lost = firstLostPage(from, limit);
            int known = 0;
            long at = from;
            while (known < names && at >= 0) {
                long next = at < lost ? next(at, twoBytes) : -1;
                if (next < 0 || next > lost) {
                    break;
                }
                inside[known++] = (int) (at - from);
                at = next;
            }
            return lost < limit ? known : 0;
        }
    }

    private long firstLostPage(long from, long limit) {
        for (long page = from & -PhysicalWindow.PAGE; page < limit; page += PhysicalWindow.PAGE) {
            if (window.isLost(page)) {
                return page;
            }
        }
        return Long.MAX_VALUE;
    }

    /** Takes out names that cannot be any; gives how many are left. */
    private static int loseImplausible(NameTable table, int[] starts) {
        int left = 0;
        for (int symbol = 0; symbol < starts.length; symbol++) {
            if (starts[symbol] >= 0 && !table.isPlausible(symbol)) {
                starts[symbol] = -1;
            }
            left += starts[symbol] >= 0 ? 1 : 0;
        }
        return left;
    }

    /** The number of symbols tells how far the tokens must lie behind the names. */
    private Optional<Found> byNumber() {
        long last = tokens.address() - (long) LEAST_MARKERS * STEP * SHORTEST_AVERAGE & -Integer.BYTES;
        for (long number = last; number >= window.first() && !effort.isSpent(); number -= Integer.BYTES) {
            int count = window.intAt(number);
            for (int gap = Long.BYTES; gap >= Integer.BYTES && fits(number, count); gap -= Integer.BYTES) {
                for (boolean twoBytes : new boolean[] {true, false}) {
                    Optional<Found> found = new Counted(number + gap, number, count, twoBytes).read();
                    if (found.isPresent()) {
                        return found;
                    }
                }
            }
        }
        return Optional.empty();
    }

    private boolean fits(long number, int count) {
        long between = tokens.address() - number;
        return count > (LEAST_MARKERS - 1) * STEP
                && count <= NameTable.MOST_SYMBOLS
                && between > (long) count * SHORTEST_AVERAGE
                && between < (long) count * (LONGEST_AVERAGE + SEQUENCE_BYTES + 1);
    }

    /** Names of which the number is known, and that are whole up to where memory is missing. */
    private final class Counted {

        private final long first;
        private final long number;
        private final int count;
        private final boolean twoBytes;

        Counted(long first, long number, int count, boolean twoBytes) {
            this.first = first;
            this.number = number;
            this.count = count;
            this.twoBytes = twoBytes;
        }

        Optional<Found> read() {
            int[] few = new int[STEP];
            if (walk(first, STEP, tokens.address(), twoBytes, few) < 0 || !isPlausible(few)) {
                return Optional.empty();
            }
            int[] all = new int[count];
            Arrays.fill(all, -1);
            long at = first;
            int known = 0;
            while (known < count && at >= 0 && at < tokens.address()) {
                long next = next(at, twoBytes);
                if (next < 0 || next > tokens.address()) {
                    break;
                }
                all[known++] = (int) (at - first);
                at = next;
            }
            effort.spend(known);
            return at >= 0 ? agreed(at, known, all) : Optional.empty();
        }

        private boolean isPlausible(int[] few) {
            long end = first + few[STEP - 1];
            NameTable table = new NameTable(
                    window.copy(first, (int) (Math.min(end + MOST_AT_END, tokens.address()) - first)), few, twoBytes,
                    tokens);
            return IntStream.range(0, STEP - 1).allMatch(table::isPlausible);
        }

        /** The names, if markers stand behind them, but for a page at most. */
        private Optional<Found> agreed(long end, int known, int[] all) {
            for (int width = Integer.BYTES; width <= Long.BYTES; width += Integer.BYTES) {
                for (int alignment = ALIGNMENT; alignment >= Integer.BYTES; alignment -= Integer.BYTES) {
                    long last = known == count ? end + alignment - 1 & -alignment : -1;
                    for (long at : known == count ? List.of(last) : places(width, alignment)) {
                        long page = at & -PhysicalWindow.PAGE;
                        int left = known == count ? count : endingBefore(page, end, known, all);
                        boolean isThere = known == count || end >= page;
                        if (isThere && (count - left) * 2L < PhysicalWindow.PAGE && areMarkers(at, width, left, all)) {
                            Arrays.fill(all, left, count, -1);
                            return found(end, all);
                        }
                    }
                }
            }
            return Optional.empty();
        }

        /** Where markers may begin, by where the tokens do. */
        private List<Long> places(int width, int alignment) {
            long markers = (long) Math.ceilDiv(count, STEP) * width;
            long sequences = ((long) count * SEQUENCE_BYTES + alignment - 1) & -alignment;
            return Stream.of(tokens.address() - markers, tokens.address() - sequences - markers)
                    .map(at -> at & -alignment)
                    .filter(at -> at > first)
                    .toList();
        }

        /** How many names end before a page that is damaged. */
        private int endingBefore(long page, long end, int known, int[] all) {
            int left = known;
            long last = end;
            while (left > 0 && last > page) {
                last = first + all[--left];
            }
            return left;
        }

        private boolean areMarkers(long at, int width, int known, int[] all) {
            int markers = Math.ceilDiv(count, STEP);
            long sequences = tokens.address() - at - (long) markers * width;
            boolean touching = sequences >= 0
                    && (sequences < ALIGNMENT
                            || sequences >= (long) count * SEQUENCE_BYTES
                                    && sequences < (long) count * SEQUENCE_BYTES + 2 * ALIGNMENT);
            if (!touching) {
                return false;
            }
            Set<Long> wrong = new HashSet<>();
            for (int i = 0; i < markers; i++) {
                long place = at + (long) i * width;
                long value = width == Long.BYTES ? window.longAt(place) : Integer.toUnsignedLong(window.intAt(place));
                boolean isRight = i * STEP < known ? value == all[i * STEP] : value > all[known - 1];
                if (!isRight) {
                    wrong.add(place & -PhysicalWindow.PAGE);
                }
            }
            return wrong.isEmpty()
                    || wrong.size() == 1 && (known == count || wrong.contains(at & -PhysicalWindow.PAGE));
        }

        private Optional<Found> found(long end, int[] all) {
            NameTable table = new NameTable(
                    window.copy(first, (int) (Math.min(end + MOST_AT_END, tokens.address()) - first)), all, twoBytes,
                    tokens);
            int left = loseImplausible(table, all);
            return left > count / 2 ? Optional.of(new Found(table, List.of(number))) : Optional.empty();
        }
    }
}
