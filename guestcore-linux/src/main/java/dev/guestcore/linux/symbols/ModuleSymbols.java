package dev.guestcore.linux.symbols;

import dev.guestcore.AddressRange;
import java.util.List;
import java.util.Optional;

/** The symbols of modules. */
final class ModuleSymbols extends StoredSymbols {

    private final long[] addresses;
    private final int[] starts;
    private final short[] lengths;
    private final short[] owners;
    private final byte[] names;
    private final List<String> modules;
    private final AddressRange[] memory;

    /**
     * Takes the tables, which are sorted by address.
     *
     * @param starts where type and name of each symbol begin in {@code names}
     * @param memory of the modules, ascending
     */
    ModuleSymbols(
            long[] addresses,
            int[] starts,
            short[] lengths,
            short[] owners,
            byte[] names,
            List<String> modules,
            AddressRange[] memory) {
        this.addresses = addresses;
        this.starts = starts;
        this.lengths = lengths;
        this.owners = owners;
        this.names = names;
        this.modules = modules;
        this.memory = memory;
    }

    @Override
    public int size() {
        return addresses.length;
    }

    @Override
    long address(int symbol) {
        return addresses[symbol];
    }

    @Override
    int expand(int symbol, byte[] target) {
        System.arraycopy(names, starts[symbol], target, 0, lengths[symbol]);
        return lengths[symbol];
    }

    @Override
    Optional<String> module(int symbol) {
        return Optional.of(modules.get(owners[symbol])).filter(name -> !name.isEmpty());
    }

    /** The part of a module's memory that an address lies in; -1 if in none. */
    private int part(long address) {
        int low = 0;
        int high = memory.length;
        while (low < high) {
            int middle = low + high >>> 1;
            if (Long.compareUnsigned(memory[middle].first(), address) <= 0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low > 0 && memory[low - 1].contains(address) ? low - 1 : -1;
    }

    @Override
    boolean covers(long address) {
        return part(address) >= 0;
    }

    /** A symbol of another part of memory says nothing about the address. */
    @Override
    boolean belongTogether(long symbol, long address) {
        int part = part(address);
        return part >= 0 && memory[part].contains(symbol);
    }
}
