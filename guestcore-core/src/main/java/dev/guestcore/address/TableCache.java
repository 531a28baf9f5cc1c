package dev.guestcore.address;

import dev.guestcore.GuestMemory;
import dev.guestcore.cpu.Architecture;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicReferenceArray;

/** Recently used pages of page tables: at most 2 MiB, whatever the guest's size. Thread-safe. */
final class TableCache {

    private static final ValueLayout.OfLong LITTLE_64 =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt LITTLE_32 =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final int PAGE = Architecture.SMALLEST_PAGE;
    private static final int SLOTS = 512;

    private final GuestMemory memory;
    private final AtomicReferenceArray<CachedPage> slots = new AtomicReferenceArray<>(SLOTS);

    TableCache(GuestMemory memory) {
        this.memory = memory;
    }

    private record CachedPage(long address, MemorySegment bytes, long available) {}

    /** The entry at {@code address}, zero-extended, if the source has it. */
    OptionalLong entry(long address, int entryBytes, boolean bigEndian) {
        long pageAddress = address & -PAGE;
        long offset = address - pageAddress;
        CachedPage page = page(pageAddress);
        if (offset + entryBytes <= page.available()) {
            return OptionalLong.of(value(page.bytes(), offset, entryBytes, bigEndian));
        }
        // A page may have a hole in front of the entry.
        MemorySegment single = MemorySegment.ofArray(new byte[entryBytes]);
        return memory.readAvailable(address, single) == entryBytes
                ? OptionalLong.of(value(single, 0, entryBytes, bigEndian))
                : OptionalLong.empty();
    }

    static long value(MemorySegment bytes, long offset, int entryBytes, boolean bigEndian) {
        if (entryBytes == Long.BYTES) {
            long value = bytes.get(LITTLE_64, offset);
            return bigEndian ? Long.reverseBytes(value) : value;
        }
        int value = bytes.get(LITTLE_32, offset);
        return Integer.toUnsignedLong(bigEndian ? Integer.reverseBytes(value) : value);
    }

    private CachedPage page(long pageAddress) {
        int slot = (int) (pageAddress / PAGE) & SLOTS - 1;
        CachedPage cached = slots.get(slot);
        if (cached != null && cached.address() == pageAddress) {
            return cached;
        }
        MemorySegment bytes = MemorySegment.ofArray(new byte[PAGE]);
        CachedPage read = new CachedPage(pageAddress, bytes, memory.readAvailable(pageAddress, bytes));
        slots.set(slot, read);
        return read;
    }
}
