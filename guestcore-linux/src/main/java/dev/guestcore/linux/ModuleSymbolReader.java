package dev.guestcore.linux;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.ModuleTables;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.KernelMember;
import dev.guestcore.linux.types.KernelType;
import dev.guestcore.linux.types.KernelTypes;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads the symbols of modules from the tables that each keeps (struct mod_kallsyms in include/linux/module.h of Linux; symbols
 * as in ELF). Goes by the members that the kernel's structures have, not by its version.
 */
final class ModuleSymbolReader {

    private static final int MOST_MODULES = 4096;
    private static final int MOST_SYMBOLS = 1 << 17;
    private static final int MOST_PARTS = 16;
    private static final int LONGEST_NAME = 512;
    private static final int LONGEST_MODULE_NAME = 64;
    private static final long LARGEST_PART = 1L << 30;
    private static final int SYMBOL_BYTES = 24;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Members that hold base and size of a module's memory, before the array {@code mem} of 6.4. */
    private record Layout(String base, String size) {}

    private static final List<Layout> LAYOUTS = List.of(
            new Layout("core_layout.base", "core_layout.size"),
            new Layout("init_layout.base", "init_layout.size"),
            new Layout("module_core", "core_size"),
            new Layout("module_init", "init_size"));

    private final GuestMemory memory;
    private final KernelSymbols kernel;
    private final ExportReader exports;
    private final KernelType module;
    private final Optional<KernelType> tables;
    private final ModuleTables found = new ModuleTables();
    private final List<String> problems = new ArrayList<>();

    private ModuleSymbolReader(GuestMemory memory, KernelSymbols kernel, KernelTypes types) {
        this.memory = memory;
        this.kernel = kernel;
        this.exports = new ExportReader(memory, types);
        this.module = types.get("struct module");
        this.tables = types.find("struct mod_kallsyms");
    }

    /**
     * What was read.
     *
     * @param symbols of all modules that could be read
     * @param problems what could not be read, for the user
     */
    record Result(KernelSymbols symbols, List<String> problems) {}

    /** Nothing, because there are no types. */
    static Result none(String why) {
        return nothing("symbols of modules cannot be read: " + why);
    }

    /** Reads the symbols of all modules. What is broken is left out and said. */
    static Result read(GuestMemory memory, KernelSymbols kernel, KernelTypes types) {
        try {
            ModuleSymbolReader reader = new ModuleSymbolReader(memory, kernel, types);
            reader.walk();
            return new Result(reader.found.symbols(), List.copyOf(reader.problems));
        } catch (GuestcoreException e) {
            return nothing("symbols of modules cannot be read: " + e.getMessage());
        }
    }

    private static Result nothing(String problem) {
        return new Result(new ModuleTables().symbols(), List.of(problem));
    }

    private void walk() {
        Optional<Symbol> head = kernel.find("modules");
        if (head.isEmpty()) {
            problems.add("symbols of modules: the kernel's table has no symbol 'modules'");
            return;
        }
        long list = offset(module, "list");
        long start = head.get().address();
        long before = start;
        try {
            long at = memory.readLong(start);
            for (int number = 0; at != start; number++) {
                if (number == MOST_MODULES || memory.readLong(at + Long.BYTES) != before) {
                    problems.add("symbols of modules: the list of modules is broken after " + number + " of them, at 0x"
                            + Long.toHexString(at));
                    return;
                }
                module(at - list);
                before = at;
                at = memory.readLong(at);
            }
        } catch (GuestcoreException e) {
            problems.add("symbols of modules: the list of modules cannot be followed: " + e.getMessage());
        }
    }

    private static long offset(KernelType type, String path) {
        return member(type, path)
                .map(KernelMember::offset)
                .orElseThrow(() -> new LinuxException("the kernel's " + type + " has no member '" + path + "'"));
    }

    private static Optional<KernelMember> member(KernelType type, String path) {
        return type.member(path);
    }

    private void module(long address) {
        String name = "at 0x" + Long.toHexString(address);
        try {
            name = memory.readString(address + offset(module, "name"), LONGEST_MODULE_NAME);
            found.module(name, parts(address));
            symbols(address);
        } catch (GuestcoreException e) {
            problems.add("symbols of module " + name + " cannot be read: " + e.getMessage());
        }
    }

    private List<AddressRange> parts(long address) {
        List<AddressRange> parts = new ArrayList<>();
        Optional<KernelMember> array = member(module, "mem");
        if (array.isPresent()) {
            KernelType part = array.get().type().resolved().target().orElseThrow(
                    () -> new LinuxException("the member 'mem' of the kernel's struct module is no array"));
            int count = (int) Math.min(array.get().type().resolved().count(), MOST_PARTS);
            for (int i = 0; i < count; i++) {
                long at = address + array.get().offset() + i * part.size();
                addPart(parts, at + offset(part, "base"), at + offset(part, "size"));
            }
            return parts;
        }
        for (Layout layout : LAYOUTS) {
            Optional<KernelMember> base = member(module, layout.base);
            Optional<KernelMember> size = member(module, layout.size);
            if (base.isPresent() && size.isPresent()) {
                addPart(parts, address + base.get().offset(), address + size.get().offset());
            }
        }
        return parts;
    }

    private void addPart(List<AddressRange> parts, long base, long size) {
        long first = memory.readLong(base);
        long bytes = Integer.toUnsignedLong(memory.readInt(size));
        if (first < 0 && bytes > 0 && bytes <= LARGEST_PART && first + bytes - 1 < 0) {
            parts.add(AddressRange.ofSize(first, bytes));
        }
    }

    private void symbols(long address) {
        long table;
        KernelType type;
        if (tables.isPresent() && member(module, "kallsyms").isPresent()) {
            type = tables.get();
            table = memory.readLong(address + offset(module, "kallsyms"));
        } else {
            type = module;
            table = address;
        }
        long entries = memory.readLong(table + offset(type, "symtab"));
        long count = Integer.toUnsignedLong(memory.readInt(table + offset(type, "num_symtab")));
        long names = memory.readLong(table + offset(type, "strtab"));
        Optional<KernelMember> letters = member(type, "typetab");
        if (count > MOST_SYMBOLS) {
            throw new LinuxException("expected at most " + MOST_SYMBOLS + " symbols, found " + count);
        }
        byte[] symtab = new byte[(int) count * SYMBOL_BYTES];
        memory.read(entries, symtab);
        byte[] typetab = new byte[(int) count];
        if (letters.isPresent()) {
            memory.read(memory.readLong(table + letters.get().offset()), typetab);
        }
        add(MemorySegment.ofArray(symtab), letters.isPresent() ? typetab : null, names, exports.of(address));
    }

    private void add(MemorySegment symtab, byte @Nullable [] typetab, long names, Set<ExportReader.Export> exported) {
        byte[] buffer = new byte[LONGEST_NAME];
        for (int i = 0; i < symtab.byteSize() / SYMBOL_BYTES; i++) {
            long at = (long) i * SYMBOL_BYTES;
            boolean isDefined = symtab.get(SHORT, at + 6) != 0;
            long nameAt = names + Integer.toUnsignedLong(symtab.get(INT, at));
            int length = isDefined ? name(nameAt, buffer) : 0;
            // Before 5.2 the letter took the place of the symbol's kind.
            byte letter = typetab == null ? symtab.get(ValueLayout.JAVA_BYTE, at + 4) : typetab[i];
            if (length > 0) {
                add(symtab.get(LONG, at + 8), (char) Byte.toUnsignedInt(letter), Arrays.copyOf(buffer, length),
                        exported);
            }
        }
    }

    /** As the kernel does, gives what other modules may use a capital letter, and nothing else. */
    private void add(long address, char letter, byte[] name, Set<ExportReader.Export> exported) {
        boolean isExported = exported.contains(
                new ExportReader.Export(address, new String(name, StandardCharsets.ISO_8859_1)));
        char type = isExported ? Character.toUpperCase(letter) : Character.toLowerCase(letter);
        if (!found.add(address, type, name)) {
            throw new LinuxException("there are more than " + ModuleTables.MOST_SYMBOLS + " symbols");
        }
    }

    /** The length of a name that ends in a zero. */
    private int name(long address, byte[] buffer) {
        int available = (int) memory.readAvailable(address, MemorySegment.ofArray(buffer));
        for (int i = 0; i < available; i++) {
            if (buffer[i] == 0) {
                return i;
            }
        }
        throw new LinuxException("a name at 0x" + Long.toHexString(address) + " has no end");
    }
}
