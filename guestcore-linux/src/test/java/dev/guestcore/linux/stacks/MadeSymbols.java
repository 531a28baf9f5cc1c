package dev.guestcore.linux.stacks;

import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.symbols.SymbolOffset;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Symbols that a test adds one by one. */
public final class MadeSymbols implements KernelSymbols {

    private final TreeMap<Long, Symbol> byAddress = new TreeMap<>(Long::compareUnsigned);

    /** Without any. */
    public MadeSymbols() {}

    public MadeSymbols code(long address, String name) {
        byAddress.put(address, new Symbol(name, 'T', address, Optional.empty()));
        return this;
    }

    public MadeSymbols data(long address, String name) {
        byAddress.put(address, new Symbol(name, 'D', address, Optional.empty()));
        return this;
    }

    public MadeSymbols moduleCode(long address, String name, String module) {
        byAddress.put(address, new Symbol(name, 't', address, Optional.of(module)));
        return this;
    }

    @Override
    public int size() {
        return byAddress.size();
    }

    @Override
    public Stream<Symbol> stream() {
        return byAddress.values().stream();
    }

    @Override
    public List<Symbol> findAll(String name) {
        List<Symbol> found = new ArrayList<>(
                byAddress.values().stream().filter(symbol -> symbol.name().equals(name)).toList());
        found.sort(Comparator.comparing(Symbol::address, Long::compareUnsigned));
        return found;
    }

    @Override
    public Optional<SymbolOffset> at(long address) {
        return Optional.ofNullable(byAddress.floorEntry(address))
                .map(entry -> new SymbolOffset(entry.getValue(), address - entry.getKey()))
                .filter(found -> found.offset() < 0x1000);
    }
}
