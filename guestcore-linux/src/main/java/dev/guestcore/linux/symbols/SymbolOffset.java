package dev.guestcore.linux.symbols;

import java.util.Objects;

/**
 * An address as people read it: a symbol and the distance from it.
 *
 * @param symbol the last symbol at or before the address
 * @param offset bytes from the symbol to the address, not negative
 */
public record SymbolOffset(Symbol symbol, long offset) {

    /** Checks for null. */
    public SymbolOffset {
        Objects.requireNonNull(symbol);
    }

    /** As the kernel prints it: {@code schedule+0x5e} or {@code nvme_irq+0x1a [nvme]}. */
    @Override
    public String toString() {
        String distance = offset == 0 ? "" : "+0x" + Long.toHexString(offset);
        return symbol.name() + distance + symbol.module().map(of -> " [" + of + "]").orElse("");
    }
}
