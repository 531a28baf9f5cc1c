package dev.guestcore.linux.symbols;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import java.lang.foreign.Arena;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The symbols that a Linux kernel holds in its image for itself (kernel/kallsyms.c, scripts/kallsyms.c), as they lie in physical
 * memory. Which of its many forms they have is told by checks that only the right one passes, not by the version. Immutable and
 * safe for use by several threads at once.
 *
 * <pre>{@code
 * MemorySearch search = MemorySearch.of(SearchPattern.bytes(Kallsyms.searched()));
 * search.physical(memory, hit -> Kallsyms.around(memory, hit.address()), progress);
 * }</pre>
 */
public final class Kallsyms {

    /** Names and markers of the largest kernels take less. */
    private static final long FAR = 24L << 20;

    /** Enough for most kernels. */
    private static final long NEAR = 6L << 20;

    /** How many of the last numbers that grow like markers may be something else. */
    private static final int FOREIGN_MARKERS = 8;

    /** What 256 names take at most. */
    private static final long MOST_AT_END = 128L * NameTable.STEP;

    private static final long STEPS = 50_000_000;

    private final TokenTable tokens;
    private final NameTable names;
    private final AddressTable addresses;

    private Kallsyms(TokenTable tokens, NameTable names, AddressTable addresses) {
        this.tokens = tokens;
        this.names = names;
        this.addresses = addresses;
    }

    /** The bytes to search physical memory for: a part of the table of tokens. They occur elsewhere too, but not often. */
    public static byte[] searched() {
        return TokenTable.searched();
    }

    /**
     * The tables around a place where {@link #searched()} was found. Takes a bounded time, whatever memory holds.
     *
     * @param memory physical memory
     * @param hit guest-physical address of the find
     * @return empty if there are none, or damaged ones
     */
    public static Optional<Kallsyms> around(GuestMemory memory, long hit) {
        Optional<TokenTable> tokens = TokenTable.around(memory, hit);
        return tokens.flatMap(table -> read(memory, table, NEAR)
                .or(() -> table.address() > NEAR ? read(memory, table, FAR) : Optional.empty()));
    }

    /**
     * The table of tokens around such a place, whether or not the others can be found.
     *
     * @param memory physical memory
     * @param hit guest-physical address of the find
     * @return guest-physical address of the table of tokens; empty if there is none
     */
    public static OptionalLong tokensAround(GuestMemory memory, long hit) {
        return TokenTable.around(memory, hit).map(table -> OptionalLong.of(table.address())).orElse(OptionalLong.empty());
    }

    private static Optional<Kallsyms> read(GuestMemory memory, TokenTable tokens, long before) {
        try (Arena arena = Arena.ofConfined()) {
            long first = Math.max(0, tokens.address() - before) & -Long.BYTES;
            PhysicalWindow window = PhysicalWindow.read(memory, first, tokens.address() - first, arena);
            return new Reader(memory, window, tokens, arena).read();
        }
    }

    /** Looks for the tables in a copy of memory. */
    private static final class Reader {

        private final GuestMemory memory;
        private final PhysicalWindow window;
        private final TokenTable tokens;
        private final Arena arena;
        private final Effort effort = new Effort(STEPS);

        Reader(GuestMemory memory, PhysicalWindow window, TokenTable tokens, Arena arena) {
            this.memory = memory;
            this.window = window;
            this.tokens = tokens;
            this.arena = arena;
        }

        Optional<Kallsyms> read() {
            long last = tokens.address() - 3 * Integer.BYTES & -Integer.BYTES;
            for (long at = last; at >= window.first() && !effort.isSpent(); at -= Integer.BYTES) {
                int next = window.intAt(at + Integer.BYTES);
                int width = next == 0 ? Long.BYTES : Integer.BYTES;
                if (window.intAt(at) != 0 || !Markers.isStep(next == 0 ? window.intAt(at + width) : next)) {
                    continue;
                }
                Optional<Kallsyms> found = Markers.at(window, at, width).flatMap(this::before);
                if (found.isPresent()) {
                    return found;
                }
            }
            return Optional.empty();
        }

        /** The names end at the first marker, so the last one tells nearly where they begin. */
        private Optional<Kallsyms> before(Markers markers) {
            int least = Math.max(2, markers.count() - FOREIGN_MARKERS);
            long lowest = markers.address() - markers.value(markers.count() - 1) - MOST_AT_END - Long.BYTES;
            long highest = markers.address() - markers.value(least - 1);
            long from = Math.max(lowest, window.first() + Long.BYTES) + Integer.BYTES - 1 & -Integer.BYTES;
            for (long at = from; at <= highest && effort.spend(1); at += Integer.BYTES) {
                for (int gap = Long.BYTES; gap >= Integer.BYTES; gap -= Integer.BYTES) {
                    int count = window.intAt(at - gap);
                    long wanted = ((long) count + NameTable.STEP - 1) / NameTable.STEP;
                    if (wanted >= least && wanted <= markers.count()) {
                        Optional<Kallsyms> found = with(markers, at, at - gap, count);
                        if (found.isPresent()) {
                            return found;
                        }
                    }
                }
            }
            return Optional.empty();
        }

        private Optional<Kallsyms> with(Markers markers, long first, long number, int count) {
            Optional<NameTable> names = new NameTable.Supposed(window, first, count, markers, true)
                    .check(tokens, effort)
                    .or(() -> new NameTable.Supposed(window, first, count, markers, false).check(tokens, effort));
            return names.flatMap(table -> addresses(number, count))
                    .map(addresses -> new Kallsyms(tokens, names.get(), addresses));
        }

        private Optional<AddressTable> addresses(long number, int count) {
            long most = (long) count * Long.BYTES + 2 * Long.BYTES;
            PhysicalWindow behind = PhysicalWindow.read(memory, tokens.end(), most, arena);
            return AddressTable.find(window, behind, tokens, number, count);
        }
    }

    /** How many symbols there are. */
    public int size() {
        return names.size();
    }

    /** How addresses are noted. */
    public AddressForm form() {
        return addresses.form();
    }

    /** Whether {@link #address} gives guest-physical addresses, because nothing in the tables tells virtual ones. */
    public boolean isPhysical() {
        return form() == AddressForm.PLACE_RELATIVE;
    }

    /** Guest-physical address of the table of tokens, which lies in the read-only data of the kernel's image. */
    public long place() {
        return tokens.address();
    }

    /** Address of a symbol, by its number from 0 on; ascending. */
    public long address(int symbol) {
        return addresses.addresses()[symbol];
    }

    int expand(int symbol, byte[] target) {
        return names.expand(symbol, target);
    }

    /**
     * The symbols for looking up.
     *
     * @param shift what to add to each address, to make virtual ones from physical ones; otherwise 0
     * @param image virtual addresses of the kernel's image, where {@link KernelSymbols#at} finds symbols
     */
    public KernelSymbols symbols(long shift, AddressRange image) {
        return new KallsymsSymbols(this, shift, image);
    }
}
