package dev.guestcore.linux;

import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.symbols.SymbolOffset;
import java.util.Optional;

/** Where the kernel's own code lies, and how addresses in it and elsewhere are told to the user. */
final class KernelText {

    private final Linux linux;
    private final long start;
    private final long end;

    KernelText(Linux linux) {
        this.linux = linux;
        this.start = required("_stext");
        this.end = required("_etext");
    }

    private long required(String symbol) {
        return linux.symbols()
                .find(symbol)
                .map(Symbol::address)
                .orElseThrow(() -> new LinuxException("this kernel has no symbol '" + symbol + "'"));
    }

    long start() {
        return start;
    }

    long end() {
        return end;
    }

    /** Whether an address lies in the kernel's own code, without that of modules. */
    boolean contains(long address) {
        return Long.compareUnsigned(address, start) >= 0 && Long.compareUnsigned(address, end) < 0;
    }

    /** The function that begins at an address; empty if none does. */
    Optional<Symbol> functionAt(long address) {
        return linux.symbols().at(address).filter(found -> found.offset() == 0).map(SymbolOffset::symbol);
    }

    /** An address for people: with the symbol, if there is one. */
    String name(long address) {
        return "0x" + Long.toHexString(address) + linux.symbols()
                .at(address)
                .map(found -> " (" + found + ")")
                .orElse(" (no symbol)");
    }
}
