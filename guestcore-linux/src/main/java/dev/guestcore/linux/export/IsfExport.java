package dev.guestcore.linux.export;

import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.LinuxException;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.Btf;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZOutputStream;

/**
 * Writes the symbol table of a kernel for Volatility 3, in its Intermediate Symbol Format, version 6.2.0. Addresses are
 * those that the kernel was linked for, so the table serves every start of the same build. Not thread-safe.
 */
public final class IsfExport {

    private static final String BANNER = "linux_banner";

    /** Symbols that Volatility 3 finds the kernel with. */
    private static final String[] NEEDED = {"init_task", "init_files", BANNER};

    /** A level of the preset, so that compression needs some MiB only. */
    private static final int XZ_PRESET = 3;

    private final Linux linux;
    private final Btf types;
    private final ImageLayout layout;

    private IsfExport(Linux linux, Btf types) {
        this.linux = linux;
        this.types = types;
        layout = ImageLayout.of(linux.symbols(), linux.image().slide());
    }

    /**
     * What Volatility 3 cannot do with this guest, for the user.
     *
     * @return empty if it can read the guest
     */
    public static Optional<String> limit(Linux linux) {
        return linux.image().space().paging().mode() == X86PagingMode.FIVE_LEVEL
                ? Optional.of("the guest uses page tables of five levels, which Volatility 3 cannot read yet; the table"
                        + " fits other guests of the same kernel, started with no5lvl or on a processor without LA57")
                : Optional.empty();
    }

    /**
     * Writes the table.
     *
     * @param out where to; is not closed
     * @param compressed whether to compress it with xz
     * @param producer name and version of the program, for the table's own record
     * @throws IOException if {@code out} fails
     * @throws LinuxException if the kernel's types or a symbol that Volatility 3 needs are not known
     */
    public static void write(Linux linux, OutputStream out, boolean compressed, String producer) throws IOException {
        Btf types = linux.types()
                .filter(Btf.class::isInstance)
                .map(Btf.class::cast)
                .orElseThrow(
                        () -> new LinuxException("the kernel holds no description of its types (BTF), or it is not in"
                                + " the dump; a symbol table for Volatility 3 needs them"));
        for (String name : NEEDED) {
            if (linux.symbols().find(name).isEmpty()) {
                throw new LinuxException(
                        "the kernel's symbols have no " + name + ", without which Volatility 3 finds no kernel");
            }
        }
        IsfExport export = new IsfExport(linux, types);
        Objects.requireNonNull(producer);
        if (compressed) {
            XZOutputStream stream = new XZOutputStream(out, new LZMA2Options(XZ_PRESET));
            export.write(stream, producer);
            stream.finish();
        } else {
            export.write(out, producer);
        }
    }

    private void write(OutputStream stream, String producer) throws IOException {
        JsonText json = new JsonText(stream);
        json.begin();
        json.begin("metadata").text("format", "6.2.0");
        int space = producer.indexOf(' ');
        json.begin("producer")
                .text("name", space < 0 ? producer : producer.substring(0, space))
                .text("version", space < 0 ? "0" : producer.substring(space + 1))
                .end();
        json.begin("linux")
                .value("symbols", "[{\"kind\":\"system-map\",\"name\":\"kallsyms\"}]")
                .value("types", "[{\"kind\":\"dwarf\",\"name\":\"BTF\"}]")
                .end();
        json.end();
        IsfTypes isf = new IsfTypes(types);
        isf.writeBaseTypes(json);
        isf.writeUserTypes(json);
        isf.writeEnums(json);
        writeSymbols(json, isf);
        json.end();
        json.flush();
    }

    private void writeSymbols(JsonText json, IsfTypes isf) {
        Map<String, Global> globals = new HashMap<>();
        SymbolTable table = new SymbolTable(linux.symbols(), layout);
        Global.all(types, linux.symbols(), table).forEach(global -> globals.put(global.name(), global));
        json.begin("symbols");
        Set<String> seen = new HashSet<>();
        for (boolean global : new boolean[] {true, false}) {
            Iterator<Symbol> all = linux.symbols().stream()
                    .filter(symbol -> symbol.module().isEmpty() && Character.isUpperCase(symbol.type()) == global)
                    .iterator();
            all.forEachRemaining(symbol -> {
                if (seen.add(symbol.name())) {
                    writeSymbol(json, symbol, Optional.ofNullable(globals.get(symbol.name())), isf);
                }
            });
        }
        json.end();
    }

    private void writeSymbol(JsonText json, Symbol symbol, Optional<Global> global, IsfTypes isf) {
        json.begin(symbol.name()).value("address", Long.toUnsignedString(layout.linked(symbol.address())));
        global.ifPresent(known -> json.value("type", isf.describe(known)));
        if (symbol.name().equals(BANNER)) {
            linux.image().banner().ifPresent(banner -> json.text("constant_data", base64(banner)));
        }
        json.end();
    }

    /** The banner as it lies in memory: Volatility 3 searches for it, with the line's end and a zero byte. */
    private static String base64(String banner) {
        return Base64.getEncoder()
                .encodeToString((banner.strip() + "\n\0").getBytes(StandardCharsets.ISO_8859_1));
    }
}
