package dev.guestcore.linux.symbols;

import dev.guestcore.AddressRange;
import java.util.Optional;

/** The kernel's own symbols. */
final class KallsymsSymbols extends StoredSymbols {

    private final Kallsyms kallsyms;
    private final long shift;
    private final AddressRange image;

    KallsymsSymbols(Kallsyms kallsyms, long shift, AddressRange image) {
        this.kallsyms = kallsyms;
        this.shift = shift;
        this.image = image;
    }

    @Override
    public int size() {
        return kallsyms.size();
    }

    @Override
    int entries() {
        return kallsyms.entries();
    }

    @Override
    boolean isKnown(int number) {
        return kallsyms.isKnown(number);
    }

    @Override
    long address(int symbol) {
        return kallsyms.address(symbol) + kallsyms.shift(symbol, shift);
    }

    @Override
    int expand(int symbol, byte[] target) {
        return kallsyms.expand(symbol, target);
    }

    @Override
    Optional<String> module(int symbol) {
        return Optional.empty();
    }

    @Override
    boolean covers(long address) {
        return image.contains(address);
    }
}
