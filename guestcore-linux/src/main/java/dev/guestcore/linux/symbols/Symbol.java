package dev.guestcore.linux.symbols;

import java.util.Objects;
import java.util.Optional;

/**
 * A name of the kernel or of a module and where it runs.
 *
 * @param name as the kernel's tables have it
 * @param type the letter that {@code nm} shows ({@code T} for a global function, {@code d} for local data)
 * @param address virtual address in the running guest, KASLR included; of a per-CPU variable of kernels before 6.15 on
 *     x86-64, its offset
 * @param module the module it belongs to, empty for the kernel itself
 */
public record Symbol(String name, char type, long address, Optional<String> module) {

    /** Checks for null. */
    public Symbol {
        Objects.requireNonNull(name);
        Objects.requireNonNull(module);
    }

    /** Whether {@code nm} would show it as code. */
    public boolean isCode() {
        return type == 't' || type == 'T' || type == 'w' || type == 'W';
    }

    @Override
    public String toString() {
        return "0x%016x %c %s%s".formatted(address, type, name, module.map(of -> " [" + of + "]").orElse(""));
    }
}
