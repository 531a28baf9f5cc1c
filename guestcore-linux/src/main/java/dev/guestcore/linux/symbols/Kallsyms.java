package dev.guestcore.linux.symbols;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

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

    private static final byte[] BANNER_SYMBOL = "linux_banner".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] BANNER = "Linux version ".getBytes(StandardCharsets.US_ASCII);

    /** Images of all architectures lie at multiples of that, and none is so large. */
    private static final long IMAGE_ALIGNMENT = 1 << 16;

    private static final long LARGEST_IMAGE = 128L << 20;

    private final TokenTable tokens;
    private final NameTable names;
    private final AddressForm form;
    private final long[] addresses;

    /** The number of the name at each address, -1 where it is not known; null if all are, in the same order. */
    private final int @Nullable [] named;

    private final int lost;
    private final boolean physical;

    /** How many of the first addresses are virtual though the others are physical. */
    private final int fixed;

    private Kallsyms(TokenTable tokens, NameTable names, AddressTable table) {
        this.tokens = tokens;
        this.names = names;
        this.form = table.form();
        this.addresses = table.addresses();
        this.named = null;
        this.lost = 0;
        this.physical = table.isPhysical();
        this.fixed = table.fixed();
    }

    private Kallsyms(TokenTable tokens, NameTable names, AddressTable table, Known known) {
        this.tokens = tokens;
        this.names = names;
        this.form = table.form();
        this.addresses = Arrays.copyOf(known.addresses, known.count);
        this.named = Arrays.copyOf(known.named, known.count);
        this.lost = known.lost;
        this.physical = table.isPhysical();
        this.fixed = known.fixed;
    }

    /** What is known of damaged tables. Behind what is lost begins a place of which nothing is known. */
    private static final class Known {

        private final long[] addresses;
        private final int[] named;
        private int count;
        private int lost;
        private int fixed;

        Known(NameTable names, AddressTable table) {
            addresses = new long[table.addresses().length + 1];
            named = new int[addresses.length];
            boolean gap = false;
            for (int i = 0; i < table.addresses().length; i++) {
                if (table.lost().get(i)) {
                    lost++;
                    gap = true;
                    continue;
                }
                if (gap && count > 0 && addresses[count - 1] != table.addresses()[i]) {
                    add(addresses[count - 1] + 1, -1);
                }
                gap = false;
                lost += names.isKnown(i) ? 0 : 1;
                add(table.addresses()[i], names.isKnown(i) ? i : -1);
                fixed = i < table.fixed() ? count : fixed;
            }
            if (gap && count > 0) {
                add(addresses[count - 1] + 1, -1);
            }
        }

        private void add(long address, int name) {
            addresses[count] = address;
            named[count++] = name;
        }
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
        return TokenTable.around(memory, hit).map(table -> OptionalLong.of(table.address()))
                .orElse(OptionalLong.empty());
    }

    /**
     * What can be read of the tables around such a place when a part of them is damaged or missing. Markers say where names
     * go on behind damage, and addresses that do not ascend tell where it is. Takes a bounded time, whatever memory holds.
     *
     * @param memory physical memory
     * @param hit guest-physical address of the find
     * @return empty if there are none, or if too much of them is damaged
     */
    public static Optional<Kallsyms> aroundDamaged(GuestMemory memory, long hit) {
        return TokenTable.around(memory, hit).flatMap(tokens -> {
            try (Arena arena = Arena.ofConfined()) {
                return reader(memory, tokens, FAR, arena).readDamaged();
            }
        });
    }

    private static Optional<Kallsyms> read(GuestMemory memory, TokenTable tokens, long before) {
        try (Arena arena = Arena.ofConfined()) {
            return reader(memory, tokens, before, arena).read();
        }
    }

    private static Reader reader(GuestMemory memory, TokenTable tokens, long before, Arena arena) {
        long first = Math.max(0, tokens.address() - before) & -Long.BYTES;
        PhysicalWindow window = PhysicalWindow.read(memory, first, tokens.address() - first, arena);
        return new Reader(memory, window, tokens, arena);
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
            return AddressTable.find(window, behind(count), tokens, number, count);
        }

        /** Memory behind the tokens, in whole pages. */
        private PhysicalWindow behind(int count) {
            long first = tokens.end() & -PhysicalWindow.PAGE;
            long end = tokens.end() + (long) count * Long.BYTES + 2 * Long.BYTES + PhysicalWindow.PAGE - 1
                    & -PhysicalWindow.PAGE;
            return PhysicalWindow.read(memory, first, end - first, arena);
        }

        Optional<Kallsyms> readDamaged() {
            return new DamagedNames(window, tokens, effort)
                    .find()
                    .flatMap(found -> damagedAddresses(found)
                            .map(table -> new Kallsyms(
                                    tokens, found.names(), table, new Known(found.names(), table))));
        }

        private Optional<AddressTable> damagedAddresses(DamagedNames.Found found) {
            int count = found.names().size();
            PhysicalWindow behind = behind(count);
            for (long number : found.numbers()) {
                Optional<AddressTable> table = AddressTable.findDamaged(window, behind, tokens, number, count);
                if (table.isPresent()) {
                    return table;
                }
            }
            return found.numbers().stream()
                    .flatMap(number -> AddressTable.findWithoutBase(window, behind, tokens, number, count))
                    .flatMap(table -> base(found.names(), table).map(table::at).stream())
                    .findFirst();
        }

        /** Where the base lies to which addresses are relative: as far before the kernel's banner as the table says. */
        private Optional<Long> base(NameTable names, AddressTable table) {
            byte[] buffer = new byte[NameTable.LONGEST_NAME];
            for (int i = 0; i < names.size(); i++) {
                if (names.isKnown(i) && !table.lost().get(i)) {
                    int length = names.expand(i, buffer);
                    if (Arrays.equals(buffer, 1, length, BANNER_SYMBOL, 0, BANNER_SYMBOL.length)) {
                        return bannerAt(table.distance(i));
                    }
                }
            }
            return Optional.empty();
        }

        private Optional<Long> bannerAt(long distance) {
            byte[] bytes = new byte[BANNER.length];
            for (long base = tokens.address() & -IMAGE_ALIGNMENT;
                    base >= 0 && base > tokens.address() - LARGEST_IMAGE;
                    base -= IMAGE_ALIGNMENT) {
                if (memory.readAvailable(base + distance, MemorySegment.ofArray(bytes)) == bytes.length
                        && Arrays.equals(bytes, BANNER)) {
                    return Optional.of(base);
                }
            }
            return Optional.empty();
        }
    }

    /** How many symbols there are, those that are lost not counted. */
    public int size() {
        return entries() - unnamed();
    }

    private int unnamed() {
        return named == null ? 0 : (int) Arrays.stream(named).filter(name -> name < 0).count();
    }

    /** How many symbols lie in parts of the tables that are damaged or missing. */
    public int lost() {
        return lost;
    }

    /** How many addresses are known, also those whose symbols are lost. */
    int entries() {
        return addresses.length;
    }

    /** Whether the symbol of an entry is known. */
    boolean isKnown(int entry) {
        return named == null || named[entry] >= 0;
    }

    /** How addresses are noted. */
    public AddressForm form() {
        return form;
    }

    /** Whether {@link #address} gives guest-physical addresses, because nothing in the tables tells virtual ones. */
    public boolean isPhysical() {
        return physical;
    }

    /** Guest-physical address of the table of tokens, which lies in the read-only data of the kernel's image. */
    public long place() {
        return tokens.address();
    }

    /** Address of an entry; ascending. */
    long address(int entry) {
        return addresses[entry];
    }

    /** What to add to the address of an entry that is to be moved by so much. */
    long shift(int entry, long shift) {
        return entry < fixed ? 0 : shift;
    }

    int expand(int entry, byte[] target) {
        return names.expand(named == null ? entry : named[entry], target);
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
