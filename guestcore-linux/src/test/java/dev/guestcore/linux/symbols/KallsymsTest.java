package dev.guestcore.linux.symbols;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.Progress;
import dev.guestcore.search.MemorySearch;
import dev.guestcore.search.SearchPattern;
import dev.guestcore.testing.MadeUpKallsyms;
import dev.guestcore.testing.MadeUpKallsyms.Entry;
import dev.guestcore.testing.MadeUpKallsyms.Form;
import dev.guestcore.testing.MadeUpKallsyms.Layout;
import dev.guestcore.testing.MadeUpKallsyms.Order;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.HashSet;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class KallsymsTest {

    private static final AddressRange EVERYTHING = new AddressRange(0, -1L);
    private static final long TEXT = 0xffff_ffff_8100_0000L;
    private static final long RAM = 0x100_0000;
    private static final long LOW_RAM = 0x1000;
    private static final int BEFORE = 0x4_0000;
    private static final Layout USUAL =
            new Layout(Form.BASE_RELATIVE, Order.ADDRESSES_LAST, Long.BYTES, Integer.BYTES, true);

    static Stream<Arguments> layouts() {
        List<Arguments> all = new ArrayList<>();
        for (Form form : Form.values()) {
            for (Order order : Order.values()) {
                for (int alignment : new int[] {Long.BYTES, Integer.BYTES}) {
                    for (int markerBytes : new int[] {Integer.BYTES, Long.BYTES}) {
                        for (boolean large : new boolean[] {true, false}) {
                            // 7.0 brought this form together with this order.
                            if (form != Form.PLACE_RELATIVE || order == Order.ADDRESSES_LAST) {
                                all.add(Arguments.of(new Layout(form, order, alignment, markerBytes, large)));
                            }
                        }
                    }
                }
            }
        }
        return all.stream();
    }

    /** Symbols as that form has them: per-CPU variables at low addresses, or physical addresses around the tables. */
    private static List<Entry> symbols(Layout layout, int count) {
        Random random = new Random(count);
        List<Entry> symbols = new ArrayList<>();
        long address = layout.form() == Form.PLACE_RELATIVE ? RAM : TEXT;
        int low = layout.form() == Form.ABSOLUTE_PERCPU ? count / 10 : 0;
        for (int i = 0; i < count; i++) {
            int tail = i == count / 2 ? layout.largeLengths() ? 300 : 100 : random.nextInt(12);
            String name = "sys_kernel_" + i + "_" + "x".repeat(tail);
            char type = "TtDdRrBbAW".charAt(random.nextInt(10));
            long step = random.nextInt(4) == 0 ? 0 : random.nextInt(900);
            address += step;
            symbols.add(new Entry(name, type, i < low ? i * 8L : address));
        }
        if (layout.form() == Form.PLACE_RELATIVE) {
            symbols.add(new Entry("_end", 'B', RAM + 0x80_0000));
        }
        return symbols;
    }

    private static byte[] image(MadeUpKallsyms tables, int before) {
        byte[] noise = new byte[before];
        new Random(1).nextBytes(noise);
        byte[] content = tables.bytes();
        byte[] all = Arrays.copyOf(noise, before + content.length + 0x1_0000);
        System.arraycopy(content, 0, all, before, content.length);
        return all;
    }

    private static List<Entry> entries(Kallsyms kallsyms) {
        return kallsyms.symbols(0, EVERYTHING).stream()
                .map(symbol -> new Entry(symbol.name(), symbol.type(), symbol.address()))
                .toList();
    }

    private static List<Kallsyms> find(byte[] image) {
        try (Guest guest = Guest.builder().ram(RAM, MemorySegment.ofArray(image)).build()) {
            List<Kallsyms> found = new ArrayList<>();
            GuestMemory memory = guest.memory();
            MemorySearch.of(SearchPattern.bytes(Kallsyms.searched()))
                    .physical(memory, hit -> Kallsyms.around(memory, hit.address()).ifPresent(found::add),
                            Progress.none());
            return found;
        }
    }

    @ParameterizedTest
    @MethodSource("layouts")
    void everyLayoutIsRead(Layout layout) {
        List<Entry> symbols = symbols(layout, 3000);
        List<Kallsyms> found = find(image(new MadeUpKallsyms(layout, symbols, RAM + BEFORE), BEFORE));
        assertEquals(1, found.size());
        assertEquals(layout.form().name(), found.getFirst().form().name());
        assertEquals(layout.form() == Form.PLACE_RELATIVE, found.getFirst().isPhysical());
        assertEquals(symbols, entries(found.getFirst()));
    }

    @Test
    void anyNumberOfSymbolsIsRead() {
        for (int count : new int[] {769, 1023, 1024, 1025, 2048, 2049, 70_000}) {
            List<Entry> symbols = symbols(USUAL, count);
            List<Kallsyms> found = find(image(new MadeUpKallsyms(USUAL, symbols, RAM + BEFORE), BEFORE));
            assertEquals(1, found.size(), () -> "of " + count);
            assertEquals(symbols, entries(found.getFirst()));
        }
    }

    @Test
    void tablesOfTwoKernelsAreFoundBoth() {
        Layout other = new Layout(Form.ABSOLUTE_PERCPU, Order.ADDRESSES_FIRST, Long.BYTES, Integer.BYTES, false);
        byte[] one = image(new MadeUpKallsyms(USUAL, symbols(USUAL, 2000), RAM + BEFORE), BEFORE);
        byte[] two = image(new MadeUpKallsyms(other, symbols(other, 3000), RAM + one.length + 4096), 4096);
        byte[] both = Arrays.copyOf(one, one.length + two.length);
        System.arraycopy(two, 0, both, one.length, two.length);
        assertEquals(List.of(2000, 3000), find(both).stream().map(Kallsyms::size).toList());
    }

    @Test
    void addressesAreShiftedWhenWanted() {
        Layout layout = new Layout(Form.PLACE_RELATIVE, Order.ADDRESSES_LAST, Integer.BYTES, Integer.BYTES, true);
        List<Entry> symbols = symbols(layout, 3000);
        Kallsyms found = find(image(new MadeUpKallsyms(layout, symbols, RAM + BEFORE), BEFORE)).getFirst();
        long shift = TEXT - RAM;
        Symbol last = found.symbols(shift, EVERYTHING).stream().toList().getLast();
        assertEquals(TEXT + 0x80_0000, last.address());
    }

    @Test
    void damageIsNoticedOrHarmless() {
        List<Entry> symbols = symbols(USUAL, 3000);
        byte[] good = image(new MadeUpKallsyms(USUAL, symbols, RAM + 4096), 4096);
        Random random = new Random(7);
        int read = 0;
        for (int i = 0; i < 100; i++) {
            byte[] bad = good.clone();
            int at = random.nextInt(bad.length - 64);
            byte[] junk = new byte[1 + random.nextInt(64)];
            random.nextBytes(junk);
            System.arraycopy(junk, 0, bad, at, junk.length);
            for (Kallsyms found : find(bad)) {
                read++;
                assertEquals(symbols.size(), found.size());
                assertEquals(symbols.size(), found.symbols(0, EVERYTHING).stream().count());
            }
        }
        assertTrue(read > 0);
    }

    @Test
    void missingPagesAreNoTables() {
        byte[] image = image(new MadeUpKallsyms(USUAL, symbols(USUAL, 30_000), RAM + 4096), 4096);
        Arrays.fill(image, 0x8000, 0x9000, (byte) 0);
        assertEquals(List.of(), find(image));
    }

    private static List<Kallsyms> findDamaged(byte[] image, long ram) {
        try (Guest guest = Guest.builder().ram(ram, MemorySegment.ofArray(image)).build()) {
            List<Kallsyms> found = new ArrayList<>();
            GuestMemory memory = guest.memory();
            MemorySearch.of(SearchPattern.bytes(Kallsyms.searched()))
                    .physical(
                            memory,
                            hit -> Kallsyms.aroundDamaged(memory, hit.address()).ifPresent(found::add),
                            Progress.none());
            return found;
        }
    }

    static Stream<Arguments> usualLayouts() {
        return Stream.of(
                new Layout(Form.ABSOLUTE, Order.ADDRESSES_FIRST, 8, 8, false),
                new Layout(Form.BASE_RELATIVE, Order.ADDRESSES_FIRST, 8, 4, false),
                new Layout(Form.ABSOLUTE_PERCPU, Order.ADDRESSES_FIRST_WITH_SEQUENCES, 8, 4, true),
                new Layout(Form.ABSOLUTE_PERCPU, Order.ADDRESSES_LAST, 8, 4, true),
                new Layout(Form.BASE_RELATIVE, Order.ADDRESSES_LAST, 8, 4, true),
                new Layout(Form.PLACE_RELATIVE, Order.ADDRESSES_LAST, 4, 4, true))
                .flatMap(layout -> Stream.of(Arguments.of(layout, false), Arguments.of(layout, true)));
    }

    /** Whichever page is lost, the symbols of all others are there, and none is wrong. */
    @ParameterizedTest
    @MethodSource("usualLayouts")
    void aDamagedPageCostsWhatLiesInIt(Layout layout, boolean junk) {
        long shift = layout.form() == Form.PLACE_RELATIVE ? LOW_RAM - RAM : 0;
        List<Entry> symbols = symbols(layout, 8_000).stream()
                .map(each -> new Entry(each.name(), each.type(), each.address() + shift))
                .toList();
        Set<Entry> truth = new HashSet<>(symbols);
        MadeUpKallsyms tables = new MadeUpKallsyms(layout, symbols, LOW_RAM + 4096);
        byte[] good = image(tables, 4096);
        assertEquals(symbols, entries(findDamaged(good, LOW_RAM).getFirst()));
        Random random = new Random(3);
        List<String> nothing = new ArrayList<>();
        int pages = (tables.bytes().length + 4095) / 4096;
        for (int page = 1; page <= pages; page++) {
            byte[] bad = good.clone();
            byte[] lost = new byte[4096];
            if (junk) {
                random.nextBytes(lost);
            }
            System.arraycopy(lost, 0, bad, page * 4096, 4096);
            List<Kallsyms> found = findDamaged(bad, LOW_RAM);
            if (found.isEmpty()) {
                nothing.add(page + " of " + pages);
                continue;
            }
            Kallsyms damaged = found.getFirst();
            List<Entry> left = entries(damaged);
            int at = page;
            assertEquals(left.size(), damaged.size());
            assertTrue(truth.containsAll(left), () -> "wrong ones with page " + at);
            assertEquals(symbols.size(), damaged.size() + damaged.lost(), () -> "page " + at);
            assertTrue(damaged.lost() <= 1500, () -> damaged.lost() + " lost with page " + at);
            assertRightByAddress(damaged, symbols);
        }
        // All names need the tokens, on two pages; the page of a base needs the kernel's banner, which there is none of here.
        assertTrue(nothing.size() <= 3, () -> "nothing is left without page " + nothing);
    }

    /** A place about which nothing is known belongs to no symbol before it. */
    private static void assertRightByAddress(Kallsyms damaged, List<Entry> symbols) {
        KernelSymbols found = damaged.symbols(0, EVERYTHING);
        for (int i = 0; i + 1 < symbols.size(); i += 97) {
            Entry symbol = symbols.get(i);
            boolean isLast = symbol.address() != symbols.get(i + 1).address();
            Optional<SymbolOffset> at = found.at(symbol.address());
            if (isLast && at.isPresent()) {
                assertEquals(symbol.address(), at.get().symbol().address());
                assertEquals(0, at.get().offset());
            }
        }
    }

    @Test
    void memoryMadeOfFalseMarkersTakesNoAge() {
        byte[] tables = image(new MadeUpKallsyms(USUAL, symbols(USUAL, 3000), RAM + 4096), 4096);
        int before = 24 << 20;
        byte[] all = new byte[before + tables.length];
        ByteBuffer words = ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN);
        for (int at = 0; at < before; at += 16) {
            words.putInt(at, 0).putInt(at + 4, 0x200).putInt(at + 8, 0x500).putInt(at + 12, 0x800);
        }
        System.arraycopy(tables, 0x2000, all, before, tables.length - 0x2000);
        assertEquals(List.of(), find(all));
        Set<Entry> truth = new HashSet<>(symbols(USUAL, 3000));
        findDamaged(all, RAM).forEach(found -> assertTrue(truth.containsAll(entries(found))));
    }
}
