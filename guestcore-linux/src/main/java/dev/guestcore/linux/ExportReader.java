package dev.guestcore.linux;

import dev.guestcore.GuestMemory;
import dev.guestcore.linux.types.KernelMember;
import dev.guestcore.linux.types.KernelType;
import dev.guestcore.linux.types.KernelTypes;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/** Reads which symbols a module exports (struct kernel_symbol in kernel/module/internal.h of Linux; kernel/module/kallsyms.c). */
final class ExportReader {

    private static final int MOST_EXPORTS = 1 << 16;
    private static final int LONGEST_NAME = 512;

    private final GuestMemory memory;
    private final KernelType module;
    private final Optional<KernelType> entry;

    ExportReader(GuestMemory memory, KernelTypes types) {
        this.memory = memory;
        this.module = types.get("struct module");
        this.entry = types.find("struct kernel_symbol");
    }

    /** What is exported under a name. */
    record Export(long address, String name) {}

    /**
     * The symbols that a module exports to all others; those for modules under the GPL alone stand elsewhere in kernels before
     * 7.0, and do not count there, as in the kernel's own list.
     *
     * @param address of its struct module
     */
    Set<Export> of(long address) {
        Set<Export> exports = new HashSet<>();
        Optional<KernelMember> start = module.member("syms");
        Optional<KernelMember> count = module.member("num_syms");
        if (start.isEmpty() || count.isEmpty() || entry.isEmpty()) {
            return exports;
        }
        long size = Integer.toUnsignedLong(memory.readInt(address + count.get().offset()));
        if (size > MOST_EXPORTS) {
            throw new LinuxException("expected at most " + MOST_EXPORTS + " exported symbols, found " + size);
        }
        long first = memory.readLong(address + start.get().offset());
        for (long i = 0; i < size; i++) {
            exports.add(at(first + i * entry.get().size(), entry.get()));
        }
        return exports;
    }

    private Export at(long address, KernelType type) {
        return new Export(
                pointer(address, type, "value_offset", "value"),
                memory.readString(pointer(address, type, "name_offset", "name"), LONGEST_NAME));
    }

    /** A pointer: a distance from the place where it stands, or an address. */
    private long pointer(long address, KernelType type, String distance, String direct) {
        Optional<KernelMember> relative = type.member(distance);
        if (relative.isPresent()) {
            long place = address + relative.get().offset();
            return place + memory.readInt(place);
        }
        return type.member(direct)
                .map(member -> memory.readLong(address + member.offset()))
                .orElseThrow(() -> new LinuxException("the kernel's " + type + " has no member '" + direct + "'"));
    }
}
