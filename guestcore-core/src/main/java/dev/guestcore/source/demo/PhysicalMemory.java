package dev.guestcore.source.demo;

import dev.guestcore.MemoryRegion;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * RAM and ROM of the demo machine, all in one piece outside the heap, freed when nobody refers to it any more: a reader
 * on another thread never finds it gone.
 */
final class PhysicalMemory {

    private static final ValueLayout.OfLong U64 =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment store;
    private final List<Bank> banks;

    /** A contiguous range of addresses that lies at {@code offset} of the store. */
    record Bank(long first, long size, long offset, MemoryRegion.Kind kind, String name) {

        boolean contains(long address) {
            return address >= first && address - first < size;
        }
    }

    /**
     * Memory full of zeros.
     *
     * @param ram where RAM below 4 GiB ends
     * @throws OutOfMemoryError if there is not so much
     */
    PhysicalMemory(long ram) {
        long middle = DemoLayout.LOW_RAM_SIZE;
        long middleSize = ram - DemoLayout.MIDDLE_RAM;
        long high = middle + middleSize;
        long rom = high + DemoLayout.HIGH_RAM_SIZE;
        store = Arena.ofAuto().allocate(rom + DemoLayout.ROM_SIZE, DemoLayout.PAGE_SIZE);
        banks = List.of(
                new Bank(0, DemoLayout.LOW_RAM_SIZE, 0, MemoryRegion.Kind.RAM, "ram.low"),
                new Bank(DemoLayout.ROM, DemoLayout.ROM_SIZE, rom, MemoryRegion.Kind.ROM, "rom"),
                new Bank(DemoLayout.MIDDLE_RAM, middleSize, middle, MemoryRegion.Kind.RAM, "ram.middle"),
                new Bank(DemoLayout.ROM_AT_TOP, DemoLayout.ROM_SIZE, rom, MemoryRegion.Kind.ROM, "rom.top"),
                new Bank(
                        DemoLayout.HIGH_RAM, DemoLayout.HIGH_RAM_SIZE, high, MemoryRegion.Kind.RAM, "ram.high"));
    }

    /** All bytes. */
    MemorySegment store() {
        return store;
    }

    /** Where RAM and ROM lie, ascending. */
    List<Bank> banks() {
        return banks;
    }

    /** Offset in the store of the byte at {@code address}, or -1 where neither RAM nor ROM is. */
    long offset(long address) {
        for (Bank bank : banks) {
            if (bank.contains(address)) {
                return bank.offset() + (address - bank.first());
            }
        }
        return -1;
    }

    /** Whether the guest can write at {@code address}. */
    boolean isRam(long address) {
        return banks.stream().anyMatch(bank -> bank.kind() == MemoryRegion.Kind.RAM && bank.contains(address));
    }

    long get(long address) {
        return store.get(U64, offset(address));
    }

    void put(long address, long value) {
        store.set(U64, offset(address), value);
    }

    void put(long address, byte[] bytes) {
        MemorySegment.copy(bytes, 0, store, ValueLayout.JAVA_BYTE, offset(address), bytes.length);
    }

    void put(long address, String text) {
        put(address, text.getBytes(StandardCharsets.UTF_8));
    }
}
