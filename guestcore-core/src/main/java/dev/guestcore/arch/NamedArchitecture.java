package dev.guestcore.arch;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.ElfMachine;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * An architecture that has a name and no more: its memory can be read, and its notes are kept as they are.
 *
 * @param addressBits empty where files do not tell the width
 * @param byteOrder empty if it has both
 */
record NamedArchitecture(
        String name,
        String title,
        OptionalInt addressBits,
        Optional<ByteOrder> byteOrder,
        int pageSize,
        List<ElfMachine> machines)
        implements Architecture {

    static NamedArchitecture of(int addressBits, String name, String title, ElfMachine machine) {
        return new NamedArchitecture(
                name, title, OptionalInt.of(addressBits), Optional.empty(), SMALLEST_PAGE, List.of(machine));
    }

    NamedArchitecture only(ByteOrder order) {
        return new NamedArchitecture(name, title, addressBits, Optional.of(order), pageSize, machines);
    }

    NamedArchitecture withPages(int size) {
        return new NamedArchitecture(name, title, addressBits, byteOrder, size, machines);
    }

    @Override
    public String toString() {
        return name;
    }
}
