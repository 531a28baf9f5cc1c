package dev.guestcore.linux.symbols;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Symbols by name and by address. Immutable and safe for use by several threads at once. */
public interface KernelSymbols {

    /** How many there are. */
    int size();

    /** All of them, ascending by (unsigned) address. */
    Stream<Symbol> stream();

    /**
     * The symbol of this name; of several, one of the kernel before one of a module, a global one before a local one, then the
     * lowest address. O(log n).
     */
    default Optional<Symbol> find(String name) {
        List<Symbol> all = findAll(name);
        return all.stream().filter(symbol -> Character.isUpperCase(symbol.type())).findFirst().or(() -> all.stream()
                .findFirst());
    }

    /** All symbols of this name, ascending by address: local names may occur often. O(log n). */
    List<Symbol> findAll(String name);

    /**
     * The symbol that an address belongs to, if the address lies in the kernel's or a module's memory. O(log n). Symbols
     * that only pad a function ({@code __pfx_…}) are passed over.
     *
     * @param address virtual address
     */
    Optional<SymbolOffset> at(long address);
}
