package dev.guestcore.linux.export;

import dev.guestcore.linux.Linux;
import dev.guestcore.linux.symbols.Symbol;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;

/** The kernel's symbols as {@code nm -n vmlinux} shows them and distributions ship them: {@code System.map}. */
public final class SystemMap {

    private SystemMap() {}

    /**
     * Writes a line for each symbol of the kernel itself, ascending by address: 16 hexadecimal digits, type, name. A name that
     * could not stand in one line is left out, since no kernel has such.
     *
     * @param runtime whether addresses are those of the running guest; otherwise those that the kernel was linked for.
     *     Numbers below the image, as per-CPU variables have, are the same in both
     */
    public static void write(Linux linux, boolean runtime, OutputStream out) throws IOException {
        long first = linux.image().virtualBase();
        long slide = runtime ? 0 : linux.image().slide();
        Iterator<Symbol> symbols = linux.symbols().stream()
                .filter(symbol -> symbol.module().isEmpty() && isPlain(symbol))
                .iterator();
        while (symbols.hasNext()) {
            Symbol symbol = symbols.next();
            boolean isMoved = Long.compareUnsigned(symbol.address(), first) >= 0;
            long address = isMoved ? symbol.address() - slide : symbol.address();
            String line = "%016x %c %s\n".formatted(address, symbol.type(), symbol.name());
            out.write(line.getBytes(StandardCharsets.ISO_8859_1));
        }
    }

    private static boolean isPlain(Symbol symbol) {
        return symbol.type() > ' ' && symbol.name().chars().allMatch(character -> character > ' ' && character != 0x7f);
    }
}
