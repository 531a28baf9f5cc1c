package dev.guestcore.linux;

import dev.guestcore.Guest;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.arch.x86.X86Paging;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.cpu.Paging;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.symbols.SymbolOffset;
import dev.guestcore.linux.types.BtfBuilder;
import dev.guestcore.linux.types.KernelTypes;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** A kernel of which a test writes types, symbols, and memory, without page tables. */
final class MadeUpLinux {

    /** Where its memory begins. */
    static final long BASE = 0x10_0000;

    private static final int SIZE = 1 << 20;

    private final ByteBuffer ram = ByteBuffer.allocate(SIZE).order(ByteOrder.LITTLE_ENDIAN);
    private final List<Symbol> symbols = new ArrayList<>();

    /** Writes a number at an address. */
    MadeUpLinux put64(long address, long value) {
        ram.putLong((int) (address - BASE), value);
        return this;
    }

    MadeUpLinux put32(long address, int value) {
        ram.putInt((int) (address - BASE), value);
        return this;
    }

    MadeUpLinux put16(long address, int value) {
        ram.putShort((int) (address - BASE), (short) value);
        return this;
    }

    MadeUpLinux put8(long address, int value) {
        ram.put((int) (address - BASE), (byte) value);
        return this;
    }

    MadeUpLinux text(long address, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        ram.put((int) (address - BASE), bytes);
        return this;
    }

    MadeUpLinux symbol(String name, char type, long address) {
        symbols.add(new Symbol(name, type, address, Optional.empty()));
        return this;
    }

    /** A ring through a head and these nodes, each with next at 0 and prev at 8. */
    MadeUpLinux ring(long head, long... nodes) {
        long before = head;
        for (long node : nodes) {
            put64(before, node);
            put64(node + 8, before);
            before = node;
        }
        put64(before, head);
        put64(head + 8, before);
        return this;
    }

    /** The kernel. */
    Linux with(BtfBuilder types) {
        return with(types.read());
    }

    Linux with(KernelTypes types) {
        Guest guest = Guest.builder().ram(BASE, MemorySegment.ofArray(ram.array())).build();
        Paging none = new X86Paging(X86PagingMode.NONE, 0, true, true, false, 0, 52, "made up");
        KernelImage image = new KernelImage(
                BASE,
                BASE,
                SIZE,
                0,
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                AddressSpace.of(guest.memory(), none),
                "made up");
        return new Linux(guest, image, guest.memory(), new Names(symbols), types);
    }

    private static final class Names implements KernelSymbols {

        private final List<Symbol> all;

        Names(List<Symbol> all) {
            this.all = all.stream()
                    .sorted(Comparator.comparing(Symbol::address, Long::compareUnsigned))
                    .toList();
        }

        @Override
        public int size() {
            return all.size();
        }

        @Override
        public Stream<Symbol> stream() {
            return all.stream();
        }

        @Override
        public List<Symbol> findAll(String name) {
            return all.stream().filter(symbol -> symbol.name().equals(name)).toList();
        }

        @Override
        public Optional<SymbolOffset> at(long address) {
            return all.stream()
                    .filter(symbol -> Long.compareUnsigned(symbol.address(), address) <= 0)
                    .reduce((_, later) -> later)
                    .map(symbol -> new SymbolOffset(symbol, address - symbol.address()));
        }
    }
}
