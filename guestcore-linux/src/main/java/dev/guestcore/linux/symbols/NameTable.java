package dev.guestcore.linux.symbols;

import java.util.Arrays;
import java.util.Optional;

/**
 * The names in kallsyms: of each symbol a length and as many numbers of tokens. The length is one byte; since Linux 6.1 bit 7
 * marks one of two bytes, the lower 7 bits first. The first character is the type that {@code nm} shows. Markers tell
 * where every 256th symbol begins.
 */
final class NameTable {

    /** Symbols from one marker to the next. */
    static final int STEP = 256;

    /** More than any kernel has; what is larger is no table. */
    static final int MOST_SYMBOLS = 1 << 20;

    /** Longer than any name of Linux, which ends at 512 characters. */
    static final int LONGEST_NAME = 1024;

    private static final int LARGE = 0x80;

    private final byte[] names;
    /** Where the length of each name stands; -1 of a name that is lost. */
    private final int[] starts;

    private final boolean twoBytes;
    private final TokenTable tokens;

    NameTable(byte[] names, int[] starts, boolean twoBytes, TokenTable tokens) {
        this.names = names;
        this.starts = starts;
        this.twoBytes = twoBytes;
        this.tokens = tokens;
    }

    /** Looks at a table whose place and number of symbols are supposed. */
    static final class Supposed {

        private final PhysicalWindow window;
        private final long first;
        private final int count;
        private final Markers markers;
        private final boolean twoBytes;

        Supposed(PhysicalWindow window, long first, int count, Markers markers, boolean twoBytes) {
            this.window = window;
            this.first = first;
            this.count = count;
            this.markers = markers;
            this.twoBytes = twoBytes;
        }

        /** Whether the walk over all names meets every marker and ends right before the first of them. */
        Optional<NameTable> check(TokenTable tokens, Effort effort) {
            if (!meetsMarkers(STEP, new int[0], effort)) {
                return Optional.empty();
            }
            int[] starts = new int[count + 1];
            if (!meetsMarkers(count, starts, effort)) {
                return Optional.empty();
            }
            long gap = markers.address() - (first + starts[count]);
            if (gap < 0 || gap >= Long.BYTES) {
                return Optional.empty();
            }
            NameTable table = new NameTable(
                    window.copy(first, starts[count]), Arrays.copyOf(starts, count), twoBytes, tokens);
            return table.isSane(effort) ? Optional.of(table) : Optional.empty();
        }

        /** Walks over {@code wanted} names; notes where they begin and end if there is room. */
        private boolean meetsMarkers(int wanted, int[] starts, Effort effort) {
            long at = first;
            int walked = Math.min(wanted, count);
            if (!effort.spend(walked)) {
                return false;
            }
            for (int i = 0; i < walked; i++) {
                if (i % STEP == 0 && at - first != markers.value(i / STEP)) {
                    return false;
                }
                if (starts.length > 0) {
                    starts[i] = (int) (at - first);
                }
                if (at + 1 >= markers.address()) {
                    return false;
                }
                int length = window.byteAt(at++);
                if (twoBytes && (length & LARGE) != 0) {
                    length = length & LARGE - 1 | window.byteAt(at++) << 7;
                }
                at += length;
                if (length == 0 || at > markers.address()) {
                    return false;
                }
            }
            if (starts.length > 0) {
                starts[walked] = (int) (at - first);
            }
            return walked < STEP || walked == count || at - first == markers.value(walked / STEP);
        }
    }

    private boolean isSane(Effort effort) {
        if (!effort.spend(names.length)) {
            return false;
        }
        for (int symbol = 0; symbol < size(); symbol++) {
            if (!hasSaneName(symbol)) {
                return false;
            }
        }
        return true;
    }

    /** Whether a name is neither empty nor too long. */
    private boolean hasSaneName(int symbol) {
        int end = end(symbol);
        int length = 0;
        for (int at = firstToken(symbol); at < end; at++) {
            length += tokens.length(Byte.toUnsignedInt(names[at]));
        }
        return length >= 2 && length <= LONGEST_NAME;
    }

    /** Whether a name is sane and begins with a letter, as nm shows types: for names that nothing else vouches for. */
    boolean isPlausible(int symbol) {
        int type = tokens.character(Byte.toUnsignedInt(names[firstToken(symbol)]), 0) | 0x20;
        return hasSaneName(symbol) && type >= 'a' && type <= 'z';
    }

    int size() {
        return starts.length;
    }

    /** Whether the name of a symbol is known. */
    boolean isKnown(int symbol) {
        return starts[symbol] >= 0;
    }

    private int firstToken(int symbol) {
        int at = starts[symbol];
        return twoBytes && (names[at] & LARGE) != 0 ? at + 2 : at + 1;
    }

    private int end(int symbol) {
        int at = starts[symbol];
        int length = Byte.toUnsignedInt(names[at]);
        return twoBytes && (length & LARGE) != 0
                ? at + 2 + (length & LARGE - 1 | Byte.toUnsignedInt(names[at + 1]) << 7)
                : at + 1 + length;
    }

    /**
     * Writes the type and the name of a symbol.
     *
     * @param target has room for {@link #LONGEST_NAME}
     * @return how many bytes they have, at least 2
     */
    int expand(int symbol, byte[] target) {
        int length = 0;
        int end = end(symbol);
        for (int at = firstToken(symbol); at < end; at++) {
            int token = Byte.toUnsignedInt(names[at]);
            int characters = tokens.length(token);
            for (int i = 0; i < characters; i++) {
                target[length++] = tokens.character(token, i);
            }
        }
        return length;
    }
}
