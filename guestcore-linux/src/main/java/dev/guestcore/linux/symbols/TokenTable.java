package dev.guestcore.linux.symbols;

import dev.guestcore.GuestMemory;
import java.lang.foreign.Arena;
import java.util.Optional;

/**
 * The 256 texts of which the names in kallsyms are made, and the table of their places (scripts/kallsyms.c of Linux). A digit is
 * a text of its own, so memory holds them in a row.
 */
final class TokenTable {

    static final int TOKENS = 256;

    /** Digits, each between zeros: what every token table holds. */
    private static final byte[] MARK = mark();

    private static final int FIRST_DIGIT = '0';
    private static final int DIGITS = 10;
    private static final int INDEX_BYTES = TOKENS * Short.BYTES;

    /** Longer than any table: the places in it are of 16 bits, and the tables of real kernels take 1 KiB. */
    private static final int MOST_BYTES = 1 << 14;

    /** No processor has physical addresses of more bits. */
    private static final long BEYOND = 1L << 56;

    private final long address;
    private final long end;
    private final byte[] text;
    private final int[] starts;

    private TokenTable(long address, long end, byte[] text, int[] starts) {
        this.address = address;
        this.end = end;
        this.text = text;
        this.starts = starts;
    }

    /** What to search memory for. */
    static byte[] searched() {
        return MARK.clone();
    }

    private static byte[] mark() {
        byte[] mark = new byte[2 * DIGITS + 1];
        for (int i = 0; i < DIGITS; i++) {
            mark[2 * i + 1] = (byte) (FIRST_DIGIT + i);
        }
        return mark;
    }

    /**
     * The table around a find. The index behind it tells where it begins.
     *
     * @param hit where {@link #searched()} was found
     */
    static Optional<TokenTable> around(GuestMemory memory, long hit) {
        if (hit < 0 || hit >= BEYOND) {
            return Optional.empty();
        }
        long digit = hit + 1;
        try (Arena arena = Arena.ofConfined()) {
            long first = Math.max(0, digit - MOST_BYTES) & -Integer.BYTES;
            PhysicalWindow window =
                    PhysicalWindow.read(memory, first, digit - first + MOST_BYTES + INDEX_BYTES, arena);
            long places = digit + 2 * DIGITS + 1 & -2;
            for (long at = places; at < digit + MOST_BYTES; at += 2) {
                Optional<TokenTable> table = withDigitsAt(window, digit, at);
                if (table.isPresent()) {
                    return table;
                }
            }
        }
        return Optional.empty();
    }

    private static Optional<TokenTable> withDigitsAt(PhysicalWindow window, long digit, long at) {
        int place = window.shortAt(at);
        for (int i = 1; i < DIGITS; i++) {
            if (window.shortAt(at + (long) i * Short.BYTES) != place + 2 * i) {
                return Optional.empty();
            }
        }
        long index = at - (long) FIRST_DIGIT * Short.BYTES;
        long table = digit - place;
        return window.contains(table, 1) && window.contains(index, INDEX_BYTES)
                ? checked(window, table, index)
                : Optional.empty();
    }

    private static Optional<TokenTable> checked(PhysicalWindow window, long table, long index) {
        int[] starts = new int[TOKENS + 1];
        for (int i = 0; i < TOKENS; i++) {
            starts[i] = window.shortAt(index + (long) i * Short.BYTES);
            boolean follows = i == 0
                    ? starts[i] == 0
                    : starts[i] > starts[i - 1] && table + starts[i] <= index
                            && window.byteAt(table + starts[i] - 1) == 0;
            if (!follows) {
                return Optional.empty();
            }
        }
        long last = table + starts[TOKENS - 1];
        while (last < index && window.byteAt(last) != 0) {
            last++;
        }
        if (last >= index) {
            return Optional.empty();
        }
        starts[TOKENS] = (int) (last + 1 - table);
        byte[] text = window.copy(table, starts[TOKENS]);
        return Optional.of(new TokenTable(table, index + INDEX_BYTES, text, starts));
    }

    /** Where it begins. */
    long address() {
        return address;
    }

    /** The first address behind its index. */
    long end() {
        return end;
    }

    /** How many characters a token stands for. */
    int length(int token) {
        return starts[token + 1] - starts[token] - 1;
    }

    byte character(int token, int at) {
        return text[starts[token] + at];
    }
}
