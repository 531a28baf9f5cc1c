package dev.guestcore.linux.export;

import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.Btf;
import dev.guestcore.linux.types.BtfKind;
import dev.guestcore.linux.types.GlobalTypes;
import dev.guestcore.linux.types.KernelType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

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

    /** Base type, pointers, size of an array. */
    private static final Pattern FORM = Pattern.compile("([a-z_A-Z0-9 ]+?) ?(\\**)(?:\\[(\\w*)])?");

    /** Enumerators that are the sizes of arrays. */
    private static final Set<String> ENUMERATORS = Set.of(
            "NR_NODE_STATES", "NR_VM_ZONE_STAT_ITEMS", "NR_VM_NODE_STAT_ITEMS", "NR_VM_NUMA_EVENT_ITEMS", "NR_SOFTIRQS");

    /** What marks a place in the code. */
    private static final Optional<String> TEXT = Optional.of("char []");

    private static final long MOST_ELEMENTS = 1 << 20;

    /** Those of the table of known variables that this kernel has, except those that BTF describes itself. */
    static List<Global> all(Btf types, KernelSymbols symbols, SymbolTable table) {
        Map<String, Long> sizes = new HashMap<>();
        table.forEachSized((symbol, bytes) -> {
            if (GlobalTypes.names().contains(symbol.name())) {
                sizes.merge(symbol.name(), bytes, Math::max);
            }
        });
        Map<String, Long> constants = constants(types);
        List<Global> found = new ArrayList<>();
        for (String name : GlobalTypes.names().stream().sorted().toList()) {
            Optional<Symbol> symbol = symbols.findAll(name).stream()
                    .filter(each -> each.module().isEmpty() && (!each.isCode() || GlobalTypes.of(each.name()).equals(TEXT)))
                    .findFirst();
            String form = GlobalTypes.of(name).orElseThrow();
            symbol.flatMap(place -> of(types, place, form, sizes.getOrDefault(name, 0L), constants))
                    .ifPresent(found::add);
        }
        return found;
    }

    private static Map<String, Long> constants(Btf types) {
        Map<String, Long> found = new HashMap<>();
        for (int id = 1; id < types.endId() && found.size() < ENUMERATORS.size(); id++) {
            if (types.record(id).kind() == BtfKind.ENUM) {
                types.type(id).constants().forEach(constant -> {
                    if (ENUMERATORS.contains(constant.name())) {
                        found.put(constant.name(), constant.value());
                    }
                });
            }
        }
        return found;
    }

    private static Optional<Global> of(
            Btf types, Symbol symbol, String form, long size, Map<String, Long> constants) {
        Matcher matcher = FORM.matcher(form);
        if (!matcher.matches()) {
            return Optional.empty();
        }
        String base = matcher.group(1);
        int pointers = matcher.group(2).length();
        Optional<KernelType> type = types.find(base);
        OptionalInt id = base.equals("void") ? OptionalInt.of(0) : type.map(types::idOf).orElse(OptionalInt.empty());
        if (id.isEmpty()) {
            return Optional.empty();
        }
        String elements = matcher.group(3);
        long each = pointers > 0 ? types.pointerSize() : type.map(KernelType::size).orElse(0L);
        long count = elements == null ? 0 : elements(elements, size, each, constants);
        return Optional.of(new Global(symbol.name(), symbol.address(), id.getAsInt(), pointers, elements != null, count));
    }

    private static long elements(String text, long size, long each, Map<String, Long> constants) {
        long fitting = each == 0 ? 0 : size / each;
        if (text.isEmpty()) {
            return Math.min(fitting, MOST_ELEMENTS);
        }
        long said = Character.isDigit(text.charAt(0)) ? Long.parseLong(text) : constants.getOrDefault(text, fitting);
        return Math.clamp(said, 0, MOST_ELEMENTS);
    }
}
