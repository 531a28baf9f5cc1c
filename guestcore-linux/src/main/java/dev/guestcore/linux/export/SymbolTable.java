package dev.guestcore.linux.export;

import dev.guestcore.file.CoreSink;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.Symbol;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/**
 * The sections {@code .symtab} and {@code .strtab} of the exported kernel. Local symbols come first, as ELF demands.
 * The kernel's tables have no sizes, so a symbol ends where the next one begins.
 */
final class SymbolTable {

    /** Bytes of an {@code Elf64_Sym}. */
    static final int ENTRY = 24;

    private static final int LOCAL = 0;
    private static final int GLOBAL = 1;
    private static final int WEAK = 2;
    private static final int OBJECT = 1;
    private static final int FUNCTION = 2;
    private static final int SECTION = 3;
    private static final int BIND_SHIFT = 4;
    private static final int ABSOLUTE = 0xfff1;
    private static final long LARGEST = 1 << 26;

    private final KernelSymbols symbols;
    private final ImageLayout layout;
    private int count;
    private int locals;
    private int names;

    SymbolTable(KernelSymbols symbols, ImageLayout layout) {
        this.symbols = symbols;
        this.layout = layout;
    }

    /** Takes symbols with their sizes. */
    @FunctionalInterface
    interface SizedConsumer {

        void accept(Symbol symbol, long size);
    }

    /** Writes the symbols. */
    void writeSymbols(CoreSink sink) {
        Bytes bytes = new Bytes();
        count = 0;
        locals = 1;
        names = 1;
        entry(bytes, 0, 0, 0, 0, 0);
        for (int i = 0; i < layout.sections().size(); i++) {
            entry(bytes, 0, LOCAL << BIND_SHIFT | SECTION, i + 1, layout.sections().get(i).address(), 0);
            locals++;
        }
        forEachSized((symbol, size) -> {
            if (binding(symbol) == LOCAL) {
                locals++;
                write(bytes, symbol, size);
                bytes.drainIfFull(sink);
            }
        });
        forEachSized((symbol, size) -> {
            if (binding(symbol) != LOCAL) {
                write(bytes, symbol, size);
                bytes.drainIfFull(sink);
            }
        });
        bytes.drain(sink);
    }

    /** How many local symbols were written, which is the section's {@code sh_info}. */
    int locals() {
        return locals;
    }

    /** How many symbols of the kernel were written. */
    int count() {
        return count;
    }

    private void write(Bytes bytes, Symbol symbol, long size) {
        count++;
        int section = layout.sectionOf(symbol.address());
        int type = symbol.isCode() ? FUNCTION : OBJECT;
        entry(
                bytes,
                names,
                binding(symbol) << BIND_SHIFT | type,
                section < 0 ? ABSOLUTE : section + 1,
                section < 0 ? symbol.address() : layout.linked(symbol.address()),
                size);
        names += symbol.name().getBytes(StandardCharsets.UTF_8).length + 1;
    }

    private static void entry(Bytes bytes, int name, int info, int section, long value, long size) {
        bytes.u32(name).u8(info).u8(0).u16(section).u64(value).u64(size);
    }

    /** Writes the names, in the order of the symbols. */
    void writeNames(CoreSink sink) {
        Bytes bytes = new Bytes();
        bytes.u8(0);
        for (boolean local : List.of(true, false)) {
            own().forEachRemaining(symbol -> {
                if (binding(symbol) == LOCAL == local) {
                    bytes.text(symbol.name());
                    bytes.drainIfFull(sink);
                }
            });
        }
        bytes.drain(sink);
    }

    private Iterator<Symbol> own() {
        return symbols.stream().filter(symbol -> symbol.module().isEmpty()).iterator();
    }

    /** Gives all symbols of the kernel itself, ascending by address. */
    void forEachSized(SizedConsumer consumer) {
        List<Symbol> same = new ArrayList<>();
        Iterator<Symbol> all = own();
        while (all.hasNext()) {
            Symbol symbol = all.next();
            if (!same.isEmpty() && same.getFirst().address() != symbol.address()) {
                flush(same, symbol.address(), consumer);
            }
            same.add(symbol);
        }
        if (!same.isEmpty()) {
            flush(same, same.getFirst().address(), consumer);
        }
    }

    private static void flush(List<Symbol> same, long next, SizedConsumer consumer) {
        long size = next - same.getFirst().address();
        long capped = size < 0 || size > LARGEST ? 0 : size;
        same.forEach(symbol -> consumer.accept(symbol, capped));
        same.clear();
    }

    private static int binding(Symbol symbol) {
        return switch (symbol.type()) {
            case 'W', 'w', 'V', 'v' -> WEAK;
            default -> Character.isUpperCase(symbol.type()) ? GLOBAL : LOCAL;
        };
    }
}
