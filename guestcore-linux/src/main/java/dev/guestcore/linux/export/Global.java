package dev.guestcore.linux.export;

import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.Btf;
import dev.guestcore.linux.types.BtfKind;
import dev.guestcore.linux.types.GlobalTypes;
import dev.guestcore.linux.types.KernelType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * A global variable with its type, as far as the kernel has both.
 *
 * @param name its name
 * @param address where it lies in the running guest
 * @param type number of the record of its type without pointers and arrays; 0 for {@code void}
 * @param pointers how many pointers there are to it
 * @param array whether it is an array of that
 * @param count elements of the array
 */
record Global(String name, long address, int type, int pointers, boolean array, long count) {

    /** Arrays that are as long as an enumerator says; the distance to the next symbol is only an upper bound. */
    private static final Map<String, String> LENGTHS = Map.of(
            "node_states", "NR_NODE_STATES",
            "vm_zone_stat", "NR_VM_ZONE_STAT_ITEMS",
            "vm_node_stat", "NR_VM_NODE_STAT_ITEMS",
            "vm_numa_event", "NR_VM_NUMA_EVENT_ITEMS",
            "softirq_vec", "NR_SOFTIRQS");

    private static final long MOST_ELEMENTS = 1 << 20;
    private static final int MOST_POINTERS = 4;

    /** Those of the table of known variables that this kernel has, except those that BTF describes itself. */
    static List<Global> all(Btf types, KernelSymbols symbols, SymbolTable table) {
        Set<String> described = new HashSet<>();
        types.variables().forEach(variable -> described.add(variable.name()));
        Map<String, Long> sizes = new HashMap<>();
        table.forEachSized((symbol, bytes) -> {
            if (GlobalTypes.names().contains(symbol.name())) {
                sizes.merge(symbol.name(), bytes, Math::max);
            }
        });
        Map<String, Long> constants = constants(types);
        List<Global> found = new ArrayList<>();
        for (String name : GlobalTypes.names()) {
            if (!described.contains(name)) {
                symbol(symbols, name)
                        .flatMap(symbol -> GlobalTypes.of(types, name)
                                .flatMap(type -> of(types, symbol, type, sizes.getOrDefault(name, 0L), constants)))
                        .ifPresent(found::add);
            }
        }
        return found;
    }

    private static Optional<Symbol> symbol(KernelSymbols symbols, String name) {
        return symbols.findAll(name).stream()
                .filter(each -> each.module().isEmpty())
                .findFirst();
    }

    private static Map<String, Long> constants(Btf types) {
        Set<String> wanted = Set.copyOf(LENGTHS.values());
        Map<String, Long> found = new HashMap<>();
        for (int id = 1; id < types.endId() && found.size() < wanted.size(); id++) {
            if (types.record(id).kind() == BtfKind.ENUM) {
                types.type(id).constants().forEach(constant -> {
                    if (wanted.contains(constant.name())) {
                        found.put(constant.name(), constant.value());
                    }
                });
            }
        }
        return found;
    }

    private static Optional<Global> of(
            Btf types, Symbol symbol, KernelType type, long size, Map<String, Long> constants) {
        boolean array = type.kind() == KernelType.Kind.ARRAY;
        KernelType element = array ? type.target().orElseThrow() : type;
        KernelType base = element;
        int pointers = 0;
        while (base.kind() == KernelType.Kind.POINTER && pointers < MOST_POINTERS) {
            base = base.target().orElseThrow();
            pointers++;
        }
        OptionalInt id = base.kind() == KernelType.Kind.VOID ? OptionalInt.of(0) : types.idOf(base);
        if (id.isEmpty()) {
            return Optional.empty();
        }
        long count = array ? elements(symbol.name(), type.count(), size, element.size(), constants) : 0;
        return Optional.of(new Global(symbol.name(), symbol.address(), id.getAsInt(), pointers, array, count));
    }

    private static long elements(String name, long stated, long size, long each, Map<String, Long> constants) {
        if (stated > 0) {
            return Math.min(stated, MOST_ELEMENTS);
        }
        long fitting = each == 0 ? 0 : size / each;
        Long said = constants.get(LENGTHS.getOrDefault(name, ""));
        long count = said == null ? fitting : Math.min(said, fitting);
        // Where few symbols are, the next one says nothing.
        return count < 0 || count > MOST_ELEMENTS ? 0 : count;
    }
}
