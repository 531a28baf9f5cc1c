package dev.guestcore.linux.stacks;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.KernelMember;
import dev.guestcore.linux.types.KernelType;
import dev.guestcore.linux.types.KernelTypes;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Where a module's code and unwinding table lie.
 *
 * @param code start and size in bytes of each piece of the module's memory
 * @param orcAddresses where the code addresses of its table begin
 * @param orcEntries where the entries of its table begin
 * @param orcCount how many entries the table has
 */
record ModuleCode(Map<Long, Long> code, long orcAddresses, long orcEntries, long orcCount) {

    /** More than any system loads. */
    private static final int MOST_MODULES = 4096;

    private static final long LARGEST_PIECE = 1L << 30;
    private static final int MOST_PIECES = 16;

    /** The modules of the list {@code modules} up to where it can be read, except those without a table. */
    static List<ModuleCode> all(GuestMemory memory, KernelSymbols symbols, KernelTypes types) {
        List<ModuleCode> found = new ArrayList<>();
        Optional<KernelType> module = types.find("struct module");
        Optional<Long> list = symbols.find("modules").map(Symbol::address);
        OptionalLong inModule = module.map(type -> offset(type, "list.next")).orElse(OptionalLong.empty());
        if (list.isEmpty() || inModule.isEmpty()) {
            return found;
        }
        try {
            long next = memory.readLong(list.get());
            for (int i = 0; i < MOST_MODULES && next != list.get(); i++) {
                of(memory, module.get(), next - inModule.getAsLong()).ifPresent(found::add);
                next = memory.readLong(next);
            }
        } catch (MemoryAccessException e) {
            // The list is torn. A module that is missing here shows as code without a table.
            return found;
        }
        return found;
    }

    private static Optional<ModuleCode> of(GuestMemory memory, KernelType type, long module) {
        OptionalLong addresses = offset(type, "arch.orc_unwind_ip");
        OptionalLong entries = offset(type, "arch.orc_unwind");
        OptionalLong count = offset(type, "arch.num_orcs");
        if (addresses.isEmpty() || entries.isEmpty() || count.isEmpty()) {
            return Optional.empty();
        }
        try {
            return Optional.of(new ModuleCode(
                    pieces(memory, type, module),
                    memory.readLong(module + addresses.getAsLong()),
                    memory.readLong(module + entries.getAsLong()),
                    Integer.toUnsignedLong(memory.readInt(module + count.getAsLong()))));
        } catch (MemoryAccessException e) {
            return Optional.empty();
        }
    }

    /**
     * Linux 6.4 keeps pieces by purpose in {@code mem}; before that there was one for life and one for initialisation.
     */
    private static Map<Long, Long> pieces(GuestMemory memory, KernelType type, long module) {
        Map<Long, Long> pieces = new LinkedHashMap<>();
        long count = type.member("mem").map(mem -> mem.type().resolved().count()).orElse(0L);
        for (int i = 0; i < Math.min(count, MOST_PIECES); i++) {
            add(pieces, memory, type, module, "mem[" + i + "].base", "mem[" + i + "].size");
        }
        add(pieces, memory, type, module, "core_layout.base", "core_layout.size");
        add(pieces, memory, type, module, "init_layout.base", "init_layout.size");
        add(pieces, memory, type, module, "module_core", "core_size");
        add(pieces, memory, type, module, "module_init", "init_size");
        return pieces;
    }

    private static void add(
            Map<Long, Long> pieces,
            GuestMemory memory,
            KernelType type,
            long module,
            String baseName,
            String sizeName) {
        OptionalLong base = offset(type, baseName);
        OptionalLong size = offset(type, sizeName);
        if (base.isEmpty() || size.isEmpty()) {
            return;
        }
        long start = memory.readLong(module + base.getAsLong());
        long bytes = Integer.toUnsignedLong(memory.readInt(module + size.getAsLong()));
        if (start != 0 && bytes != 0 && bytes <= LARGEST_PIECE) {
            pieces.put(start, bytes);
        }
    }

    private static OptionalLong offset(KernelType type, String path) {
        return type.member(path).map(KernelMember::offset).map(OptionalLong::of).orElseGet(OptionalLong::empty);
    }
}
