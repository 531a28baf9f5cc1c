package dev.guestcore.testing;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;

/**
 * Tables of kallsyms for a list of symbols, in every form that kernels have them, as scripts/kallsyms.c of the different versions
 * lays them out.
 */
public final class MadeUpKallsyms {

    /** How addresses are noted. */
    public enum Form {
        ABSOLUTE,
        BASE_RELATIVE,
        ABSOLUTE_PERCPU,
        PLACE_RELATIVE
    }

    /**
     * A symbol.
     *
     * @param type letter as nm shows it
     */
    public record Entry(String name, char type, long address) {}

    /** The order of the tables in memory. */
    public enum Order {
        /** Addresses, number, names, markers, tokens. */
        ADDRESSES_FIRST,
        /** The same with the table for look-ups by name before the tokens, as some stable kernels have it. */
        ADDRESSES_FIRST_WITH_SEQUENCES,
        /** Number, names, markers, tokens, addresses, look-ups by name. */
        ADDRESSES_LAST
    }

    /**
     * How the tables are laid out.
     *
     * @param form of the addresses
     * @param order of the tables
     * @param alignment of each table, in bytes
     * @param markerBytes width of a marker
     * @param largeLengths whether lengths above 127 take two bytes
     */
    public record Layout(Form form, Order order, int alignment, int markerBytes, boolean largeLengths) {}

    private static final List<String> PAIRS = List.of("st", "er", "__", "_t", "in", "sys_", "kernel", "aaaaaaaa");
    private static final int FIRST_PAIR = 0x80;

    private final Layout layout;
    private final List<Entry> symbols;
    private final long start;
    private final ByteBuffer bytes;
    private final String[] tokens = new String[256];

    /**
     * Writes the tables.
     *
     * @param symbols ascending by address
     * @param start guest-physical address of the first byte
     */
    public MadeUpKallsyms(Layout layout, List<Entry> symbols, long start) {
        this.layout = layout;
        this.symbols = symbols;
        this.start = start;
        int longest = symbols.stream().mapToInt(symbol -> symbol.name().length()).sum();
        bytes = ByteBuffer.allocate(longest + symbols.size() * 24 + (1 << 16)).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < tokens.length; i++) {
            int pair = i - FIRST_PAIR;
            tokens[i] = pair >= 0 && pair < PAIRS.size()
                    ? PAIRS.get(pair)
                    : i > ' ' && i < 0x7f ? String.valueOf((char) i) : "";
        }
        write();
    }

    /** The tables. */
    public byte[] bytes() {
        return Arrays.copyOf(bytes.array(), bytes.position());
    }

    private void write() {
        boolean isFirst = layout.order != Order.ADDRESSES_LAST;
        if (isFirst) {
            addresses();
        }
        align();
        bytes.putInt(symbols.size());
        align();
        int[] markers = names();
        align();
        for (int marker : markers) {
            if (layout.markerBytes == Long.BYTES) {
                bytes.putLong(marker);
            } else {
                bytes.putInt(marker);
            }
        }
        if (layout.order == Order.ADDRESSES_FIRST_WITH_SEQUENCES) {
            sequences();
        }
        tokens();
        if (!isFirst) {
            addresses();
            sequences();
        }
    }

    private void align() {
        while (bytes.position() % layout.alignment != 0) {
            bytes.put((byte) 0);
        }
    }

    private int[] names() {
        int first = bytes.position();
        List<Integer> markers = new ArrayList<>();
        for (int i = 0; i < symbols.size(); i++) {
            if (i % 256 == 0) {
                markers.add(bytes.position() - first);
            }
            Entry symbol = symbols.get(i);
            byte[] compressed = compress(symbol.type() + symbol.name());
            if (layout.largeLengths && compressed.length > 0x7f) {
                bytes.put((byte) (0x80 | compressed.length & 0x7f)).put((byte) (compressed.length >> 7));
            } else {
                bytes.put((byte) compressed.length);
            }
            bytes.put(compressed);
        }
        return markers.stream().mapToInt(Integer::intValue).toArray();
    }

    private byte[] compress(String text) {
        ByteBuffer compressed = ByteBuffer.allocate(text.length());
        int at = 0;
        while (at < text.length()) {
            int from = at;
            int token = IntStream.range(FIRST_PAIR, FIRST_PAIR + PAIRS.size())
                    .filter(i -> text.startsWith(tokens[i], from))
                    .findFirst()
                    .orElse(text.charAt(at));
            compressed.put((byte) token);
            at += tokens[token].length();
        }
        return Arrays.copyOf(compressed.array(), compressed.position());
    }

    private void tokens() {
        align();
        int first = bytes.position();
        int[] places = new int[tokens.length];
        for (int i = 0; i < tokens.length; i++) {
            places[i] = bytes.position() - first;
            bytes.put(tokens[i].getBytes(StandardCharsets.US_ASCII)).put((byte) 0);
        }
        align();
        for (int place : places) {
            bytes.putShort((short) place);
        }
    }

    private void sequences() {
        align();
        for (int i = 0; i < symbols.size(); i++) {
            bytes.put((byte) (i >> 16)).put((byte) (i >> 8)).put((byte) i);
        }
    }

    private void addresses() {
        align();
        if (layout.form == Form.ABSOLUTE) {
            symbols.forEach(symbol -> bytes.putLong(symbol.address()));
            return;
        }
        long base = symbols.stream()
                .mapToLong(Entry::address)
                .filter(address -> address < 0)
                .min()
                .orElse(0);
        for (Entry symbol : symbols) {
            bytes.putInt(Math.toIntExact(offset(symbol.address(), base)));
        }
        if (layout.form != Form.PLACE_RELATIVE) {
            align();
            bytes.putLong(base);
        }
    }

    private long offset(long address, long base) {
        return switch (Objects.requireNonNull(layout.form)) {
            case BASE_RELATIVE -> address - base;
            case ABSOLUTE_PERCPU -> address >= 0 ? address : base - 1 - address;
            case PLACE_RELATIVE -> address - (start + bytes.position());
            case ABSOLUTE -> throw new IllegalArgumentException();
        };
    }
}
