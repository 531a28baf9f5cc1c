package dev.guestcore.linux.stacks;

import dev.guestcore.GuestMemory;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.KernelTypes;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;

/** The unwinding tables of a kernel and its modules. Immutable and safe for use by several threads at once. */
final class OrcTables {

    /** A table and the code it is for. */
    private record Part(long first, long end, OrcTable table) {}

    private final Optional<OrcTable> kernel;
    private final Optional<Part> kernelPart;
    private final TreeMap<Long, Part> modules;

    private OrcTables(Optional<Part> kernelPart, TreeMap<Long, Part> modules) {
        this.kernelPart = kernelPart;
        this.kernel = kernelPart.map(Part::table);
        this.modules = modules;
    }

    static OrcTables of(GuestMemory memory, KernelSymbols symbols, Optional<KernelTypes> types) {
        Optional<Part> kernel = kernelPart(memory, symbols, types);
        TreeMap<Long, Part> modules = new TreeMap<>(Long::compareUnsigned);
        if (kernel.isPresent() && types.isPresent()) {
            OrcVersion version = kernel.get().table().version();
            ModuleCode.all(memory, symbols, types.get())
                    .forEach(module -> module.code().forEach((start, size) -> OrcTable.of(
                            memory, version, module.orcAddresses(), module.orcEntries(), module.orcCount())
                            .ifPresent(table -> modules.put(start, new Part(start, start + size, table)))));
        }
        return new OrcTables(kernel, modules);
    }

    private static Optional<Part> kernelPart(
            GuestMemory memory, KernelSymbols symbols, Optional<KernelTypes> types) {
        OptionalLong addresses = address(symbols, "__start_orc_unwind_ip");
        OptionalLong addressesEnd = address(symbols, "__stop_orc_unwind_ip");
        OptionalLong entries = address(symbols, "__start_orc_unwind");
        OptionalLong first = address(symbols, "_text");
        OptionalLong end = address(symbols, "_end");
        if (addresses.isEmpty() || addressesEnd.isEmpty() || entries.isEmpty() || first.isEmpty() || end.isEmpty()) {
            return Optional.empty();
        }
        long bytes = addressesEnd.getAsLong() - addresses.getAsLong();
        return OrcTable.of(memory, types, addresses.getAsLong(), entries.getAsLong(), bytes / Integer.BYTES)
                .map(table -> new Part(first.getAsLong(), end.getAsLong(), table));
    }

    private static OptionalLong address(KernelSymbols symbols, String name) {
        return symbols.find(name).map(Symbol::address).map(OptionalLong::of).orElseGet(OptionalLong::empty);
    }

    /** The kernel's own table. */
    Optional<OrcTable> kernel() {
        return kernel;
    }

    /**
     * The table for an address of code; empty for code that was made at run time, and where the kernel has no tables.
     */
    Optional<OrcTable> at(long address) {
        Map.Entry<Long, Part> module = modules.floorEntry(address);
        return kernelPart
                .filter(part -> contains(part, address))
                .or(() -> Optional.ofNullable(module).map(Map.Entry::getValue).filter(part -> contains(part, address)))
                .map(Part::table);
    }

    private static boolean contains(Part part, long address) {
        return Long.compareUnsigned(address, part.first()) >= 0 && Long.compareUnsigned(address, part.end()) < 0;
    }
}
