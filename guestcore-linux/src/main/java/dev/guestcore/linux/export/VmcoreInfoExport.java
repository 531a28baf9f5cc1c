package dev.guestcore.linux.export;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.LinuxException;
import dev.guestcore.linux.symbols.Symbol;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * Writes what a kernel tells dump analysers about itself (VMCOREINFO): the kernel's own text if it is in memory,
 * otherwise one made from its symbols and types (documentation of Linux, admin-guide/kdump/vmcoreinfo). Not
 * thread-safe.
 */
public final class VmcoreInfoExport {

    private static final String BEGINNING = "OSRELEASE=";
    private static final int LONGEST = 1 << 16;
    private VmcoreInfoExport() {}

    /**
     * Writes the text.
     *
     * @param out where to; is not closed
     * @return whether it was made, because the kernel's own is not in memory
     * @throws IOException if {@code out} fails
     * @throws LinuxException if it is not there, and the kernel's release is not known either
     */
    public static boolean write(Linux linux, OutputStream out) throws IOException {
        Optional<String> own = own(linux);
        String text = own.orElseGet(() -> MadeVmcoreInfo.of(linux));
        out.write(text.getBytes(StandardCharsets.ISO_8859_1));
        return own.isEmpty();
    }

    /** The kernel's own text; empty if it is not in memory. */
    public static Optional<String> own(Linux linux) {
        Optional<Long> pointer = linux.symbols().find("vmcoreinfo_data").map(Symbol::address);
        Optional<Long> size = linux.symbols().find("vmcoreinfo_size").map(Symbol::address);
        if (pointer.isEmpty() || size.isEmpty()) {
            return Optional.empty();
        }
        try {
            GuestMemory memory = linux.memory();
            long bytes = memory.readLong(size.get());
            if (bytes < BEGINNING.length() || bytes > LONGEST) {
                return Optional.empty();
            }
            byte[] text = new byte[(int) bytes];
            memory.read(memory.readLong(pointer.get()), text);
            return Optional.of(new String(text, StandardCharsets.ISO_8859_1))
                    .filter(each -> each.startsWith(BEGINNING));
        } catch (MemoryAccessException e) {
            return Optional.empty();
        }
    }

    /**
     * A text made from symbols, types and variables, whether or not the kernel's own is in memory. It has the lines that the kernel
     * itself writes, in its order, as far as memory tells them, and one that says so at its end.
     *
     * @throws LinuxException if the kernel's release is not known
     */
    public static String made(Linux linux) {
        return MadeVmcoreInfo.of(linux);
    }
}
