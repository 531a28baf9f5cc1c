package dev.guestcore.linux.symbols;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Symbols in tables that take a few bytes each; a {@link Symbol} is made only for those that are asked for. Subclasses hold them
 * ascending by address.
 */
abstract class StoredSymbols implements KernelSymbols {

    /** Names of what stands before functions and is none of them. */
    private static final List<byte[]> PADDING = List.of(bytes("__pfx_"), bytes("__cfi_"));

    /** How many symbols that pad a function may follow one another. */
    private static final int MOST_PADDING = 16;

    private volatile @Nullable NameIndex index;

    /** How many numbers there are; some may stand for places about which nothing is known. */
    int entries() {
        return size();
    }

    /** Whether a number stands for a symbol, not for a place from which on it is not known what is there. */
    boolean isKnown(int number) {
        return true;
    }

    /** Virtual address of a symbol, by its number. */
    abstract long address(int symbol);

    /**
     * Writes the type and the name of a symbol.
     *
     * @param target has room for {@link NameTable#LONGEST_NAME}
     * @return how many bytes they have, at least 2
     */
    abstract int expand(int symbol, byte[] target);

    /** The module that a symbol belongs to. */
    abstract Optional<String> module(int symbol);

    /** Whether an address belongs to what these symbols name. */
    abstract boolean covers(long address);

    /** Whether a symbol may name what is at an address behind it. */
    boolean belongTogether(long symbol, long address) {
        return covers(symbol);
    }

    private static byte[] bytes(String name) {
        return name.getBytes(StandardCharsets.ISO_8859_1);
    }

    private static byte[] buffer() {
        return new byte[NameTable.LONGEST_NAME];
    }

    private Symbol symbol(int number, byte[] buffer) {
        int length = expand(number, buffer);
        String name = new String(buffer, 1, length - 1, StandardCharsets.ISO_8859_1);
        return new Symbol(name, (char) Byte.toUnsignedInt(buffer[0]), address(number), module(number));
    }

    @Override
    public Stream<Symbol> stream() {
        return IntStream.range(0, entries()).filter(this::isKnown).mapToObj(number -> symbol(number, buffer()));
    }

    @Override
    public List<Symbol> findAll(String name) {
        List<Symbol> found = new ArrayList<>();
        byte[] wanted = bytes(name);
        if (!new String(wanted, StandardCharsets.ISO_8859_1).equals(name)) {
            return found;
        }
        NameIndex names = index();
        byte[] buffer = buffer();
        for (int number = names.first(wanted); number >= 0; number = names.next[number]) {
            int length = expand(number, buffer);
            if (Arrays.equals(buffer, 1, length, wanted, 0, wanted.length)) {
                found.add(symbol(number, buffer));
            }
        }
        return found;
    }

    @Override
    public Optional<SymbolOffset> at(long address) {
        int number = covers(address) ? last(address) : -1;
        byte[] buffer = buffer();
        for (int tried = 0; tried < MOST_PADDING; tried++) {
            if (number < 0 || !belongTogether(address(number), address)) {
                return Optional.empty();
            }
            int first = firstOfSameAddress(number);
            for (int i = first; i <= number; i++) {
                if (!isKnown(i)) {
                    return Optional.empty();
                }
                if (!isPadding(i, buffer)) {
                    return Optional.of(new SymbolOffset(symbol(i, buffer), address - address(i)));
                }
            }
            number = first - 1;
        }
        return Optional.empty();
    }

    /** The last symbol at or before an address; -1 if there is none. */
    private int last(long address) {
        int low = 0;
        int high = entries();
        while (low < high) {
            int middle = low + high >>> 1;
            if (Long.compareUnsigned(address(middle), address) <= 0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low - 1;
    }

    /** Of several names of one address the kernel itself shows the first. */
    private int firstOfSameAddress(int number) {
        int first = number;
        while (first > 0 && address(first - 1) == address(number)) {
            first--;
        }
        return first;
    }

    private boolean isPadding(int number, byte[] buffer) {
        int length = expand(number, buffer);
        return PADDING.stream().anyMatch(
                start -> length > start.length && Arrays.equals(buffer, 1, 1 + start.length, start, 0, start.length));
    }

    private NameIndex index() {
        NameIndex ready = index;
        if (ready == null) {
            synchronized (this) {
                ready = index;
                if (ready == null) {
                    ready = new NameIndex(this);
                    index = ready;
                }
            }
        }
        return ready;
    }

    /** Symbols by a hash of their names. Those of one hash are chained in ascending order. */
    private static final class NameIndex {

        private final int[] heads;
        private final int[] next;

        NameIndex(StoredSymbols symbols) {
            int size = symbols.entries();
            heads = new int[Integer.highestOneBit(Math.max(size, 1)) * 2];
            next = new int[size];
            Arrays.fill(heads, -1);
            byte[] buffer = buffer();
            for (int number = size - 1; number >= 0; number--) {
                if (!symbols.isKnown(number)) {
                    continue;
                }
                int length = symbols.expand(number, buffer);
                int slot = slot(buffer, 1, length);
                next[number] = heads[slot];
                heads[slot] = number;
            }
        }

        int first(byte[] name) {
            return heads[slot(name, 0, name.length)];
        }

        private int slot(byte[] name, int from, int to) {
            int hash = 0;
            for (int i = from; i < to; i++) {
                hash = hash * 31 + name[i];
            }
            return (hash ^ hash >>> 16) & heads.length - 1;
        }
    }
}
