package dev.guestcore.linux.export;

import dev.guestcore.file.CoreSink;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.Btf;
import dev.guestcore.linux.types.BtfKind;
import dev.guestcore.linux.types.BtfRecord;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * The sections {@code .debug_info}, {@code .debug_abbrev} and {@code .debug_str} of the exported kernel, DWARF 4, made
 * from its BTF. All is one unit; the strings are those of BTF.
 */
final class DebugInfo {

    /** Bytes of the unit's head: length, version, place of the abbreviations, size of an address. */
    private static final int HEAD = 11;

    private static final int VERSION = 4;
    private static final int LANGUAGE_C99 = 0x0c;

    private final Btf types;
    private final ImageLayout layout;
    private final TypeEntries entries;
    private final List<Global> globals;
    private final OptionalLong hertz;
    private final int globalsAt;
    private final int size;

    /**
     * Finds out where all entries will lie.
     *
     * @param table gives the symbols with their sizes
     * @param hertz ticks of the kernel's clock in a second, if known
     */
    DebugInfo(Btf types, KernelSymbols symbols, SymbolTable table, ImageLayout layout, OptionalLong hertz) {
        this.types = types;
        this.layout = layout;
        this.hertz = hertz;
        entries = new TypeEntries(types);
        locate(table);
        globals = Global.all(types, symbols, table);
        globalsAt = measure();
        Bytes rest = new Bytes();
        globals(globalsAt, rest);
        size = globalsAt + rest.size() + 1;
    }

    /** Gives functions and per-CPU variables their addresses, as far as a name is that of one symbol only. */
    private void locate(SymbolTable table) {
        Map<String, Integer> wanted = new HashMap<>();
        for (int id = 1; id < types.endId(); id++) {
            BtfKind kind = types.record(id).kind();
            if (kind == BtfKind.FUNC || kind == BtfKind.VAR) {
                wanted.merge(types.record(id).name(), id, (one, other) -> -1);
            }
        }
        Set<Integer> seen = new HashSet<>();
        table.forEachSized((symbol, bytes) -> {
            Integer id = wanted.get(symbol.name());
            if (id != null && id > 0 && fits(types.record(id), symbol)) {
                boolean first = seen.add(id);
                entries.locate(id, first ? layout.linked(symbol.address()) : 0, first ? Math.max(1, bytes) : 0);
            }
        });
    }

    private static boolean fits(BtfRecord record, Symbol symbol) {
        return (record.kind() == BtfKind.FUNC) == symbol.isCode();
    }

    /** Finds the places of all types, and where they end. */
    private int measure() {
        Bytes scratch = new Bytes();
        int at = HEAD + unit(scratch).size();
        for (int id = 1; id < types.endId(); id++) {
            entries.write(id, scratch.clear());
            if (scratch.size() > 0) {
                entries.place(id, at);
            }
            at += scratch.size();
        }
        return at;
    }

    private Bytes unit(Bytes out) {
        return out.uleb(Abbreviation.UNIT.code())
                .text("guestcore, from the kernel's BTF")
                .u8(LANGUAGE_C99)
                .text("vmlinux")
                .u64(layout.start())
                .u64(layout.end() - layout.start());
    }

    /** Writes {@code .debug_info}. */
    void writeInfo(CoreSink sink) {
        Bytes out = new Bytes();
        out.u32(size - Integer.BYTES).u16(VERSION).u32(0).u8(Long.BYTES);
        unit(out);
        for (int id = 1; id < types.endId(); id++) {
            entries.write(id, out);
            out.drainIfFull(sink);
        }
        Bytes rest = new Bytes();
        globals(globalsAt, rest);
        out.append(rest).u8(0).drain(sink);
    }

    /** Variables behind the types; those with pointers or arrays bring their types along. */
    private void globals(int start, Bytes out) {
        for (Global global : globals) {
            int place = entries.placeOf(global.type());
            for (int i = 0; i < global.pointers(); i++) {
                int at = start + out.size();
                if (place == 0) {
                    out.uleb(Abbreviation.POINTER_TO_VOID.code()).uleb(types.pointerSize());
                } else {
                    out.uleb(Abbreviation.POINTER.code()).uleb(types.pointerSize()).u32(place);
                }
                place = at;
            }
            if (global.array()) {
                int at = start + out.size();
                TypeEntries.arrayAt(place, global.count(), out);
                place = at;
            }
            TypeEntries.variable(global.name(), place, layout.linked(global.address()), out);
        }
        // crash learns from this constant of the deadline scheduler how many ticks a second has: it is five seconds.
        hertz.ifPresent(ticks -> types.find("int")
                .map(types::idOf)
                .filter(OptionalInt::isPresent)
                .ifPresent(id -> TypeEntries.constant(
                        "write_expire", entries.placeOf(id.getAsInt()), 5 * ticks, out)));
    }

    /** Writes {@code .debug_abbrev}. */
    static void writeAbbreviations(CoreSink sink) {
        Abbreviation.table().drain(sink);
    }

    /** Writes {@code .debug_str}. */
    void writeStrings(CoreSink sink) {
        sink.write(types.strings());
    }
}
