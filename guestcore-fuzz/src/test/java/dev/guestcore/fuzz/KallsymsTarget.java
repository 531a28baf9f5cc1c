package dev.guestcore.fuzz;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.linux.symbols.Kallsyms;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.testing.MadeUpKallsyms;
import dev.guestcore.testing.MadeUpKallsyms.Form;
import dev.guestcore.testing.MadeUpKallsyms.Layout;
import dev.guestcore.testing.MadeUpKallsyms.Order;
import dev.guestcore.testing.MadeUpKernel;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/** The symbols of a kernel in memory. */
final class KallsymsTarget implements Target {

    private static final long RAM = 0x1000;
    private static final long LINKED = 0xffff_ffff_8100_0000L;
    private static final int MOST_HITS = 4;
    private static final int MOST_LOOKED_UP = 64;
    private static final AddressRange EVERYTHING = new AddressRange(0, -1L);

    @Override
    public String name() {
        return "kallsyms";
    }

    @Override
    public String title() {
        return "the kernel's symbols (kallsyms)";
    }

    /** The input is physical memory. */
    @Override
    public void run(byte[] input) {
        if (input.length == 0) {
            return;
        }
        byte[] mark = Kallsyms.searched();
        try (Guest guest = Guest.builder().ram(RAM, MemorySegment.ofArray(input)).build()) {
            int hits = 0;
            for (int at = 0; at + mark.length <= input.length && hits < MOST_HITS; at++) {
                if (Arrays.equals(input, at, at + mark.length, mark, 0, mark.length)) {
                    hits++;
                    long place = RAM + at;
                    Kallsyms.around(guest.memory(), place)
                            .or(() -> Kallsyms.aroundDamaged(guest.memory(), place))
                            .ifPresent(KallsymsTarget::look);
                }
            }
        }
    }

    private static void look(Kallsyms kallsyms) {
        KernelSymbols symbols = kallsyms.symbols(0, EVERYTHING);
        List<Symbol> all = symbols.stream().toList();
        GuestWalk.require(all.size() == kallsyms.size(), "another number of symbols", all.size());
        for (int i = 1; i < all.size(); i++) {
            boolean ascends = Long.compareUnsigned(all.get(i - 1).address(), all.get(i).address()) <= 0;
            GuestWalk.require(ascends, "does not ascend", all.get(i));
        }
        for (Symbol symbol : all.subList(0, Math.min(MOST_LOOKED_UP, all.size()))) {
            GuestWalk.require(symbols.findAll(symbol.name()).contains(symbol), "not found by name", symbol);
            symbols.at(symbol.address()).ifPresent(found -> GuestWalk.require(
                    Long.compareUnsigned(found.symbol().address(), symbol.address()) <= 0, "a later symbol", found));
        }
    }

    @Override
    public List<byte[]> seeds() {
        return Stream.of(
                new Layout(Form.ABSOLUTE, Order.ADDRESSES_FIRST, 8, 8, false),
                new Layout(Form.BASE_RELATIVE, Order.ADDRESSES_FIRST_WITH_SEQUENCES, 8, 4, true),
                new Layout(Form.ABSOLUTE_PERCPU, Order.ADDRESSES_LAST, 8, 4, true),
                new Layout(Form.PLACE_RELATIVE, Order.ADDRESSES_LAST, 4, 4, true))
                .map(layout -> {
                    long start = layout.form() == Form.PLACE_RELATIVE ? RAM : LINKED;
                    return new MadeUpKallsyms(layout, MadeUpKernel.symbols(start, layout), RAM).bytes();
                })
                .toList();
    }

    @Override
    public List<byte[]> dictionary() {
        return List.of(Kallsyms.searched(), new byte[] {0, 2, 0, 0}, new byte[] {(byte) 0xff, (byte) 0x81, 0, 0});
    }

    /** A whole kernel's table for each. */
    @Override
    public int runsInCi() {
        return 200;
    }
}
