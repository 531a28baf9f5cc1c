package dev.guestcore.address;

import dev.guestcore.GuestMemory;
import dev.guestcore.arch.x86.X86Architecture;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicReferenceArray;

/** Recently used pages of page tables: at most 2 MiB, whatever the guest's size. Thread-safe. */
final class TableCache {

    static final ValueLayout.OfLong ENTRY_64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt ENTRY_32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final int PAGE = X86Architecture.PAGE_SIZE;
    private static final int SLOTS = 512;

    private final GuestMemory memory;
    private final AtomicReferenceArray<CachedPage> slots = new AtomicReferenceArray<>(SLOTS);

    TableCache(GuestMemory memory) {
        this.memory = memory;
    }

    private record CachedPage(long address, MemorySegment bytes, long available) {}

    /** The little-endian entry at {@code address}, zero-extended, if the source has it. */
    OptionalLong entry(long address, int entryBytes) {
        long pageAddress = address & -PAGE;
        long offset = address - pageAddress;
        CachedPage page = page(pageAddress);
        if (offset + entryBytes <= page.available()) {
            return OptionalLong.of(value(page.bytes(), offset, entryBytes));
        }
        // A page may have a hole in front of the entry.
        MemorySegment single = MemorySegment.ofArray(new byte[entryBytes]);
        return memory.readAvailable(address, single) == entryBytes
                ? OptionalLong.of(value(single, 0, entryBytes))
                : OptionalLong.empty();
    }

    static long value(MemorySegment bytes, long offset, int entryBytes) {
        return entryBytes == Long.BYTES
                ? bytes.get(ENTRY_64, offset)
                : Integer.toUnsignedLong(bytes.get(ENTRY_32, offset));
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
