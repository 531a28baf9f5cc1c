package dev.guestcore.linux;

import dev.guestcore.ForwardingMemory;
import dev.guestcore.GuestMemory;
import dev.guestcore.cpu.Architecture;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Memory in which pages that were read lately are kept, at most {@value #SLOTS} of them: structures of a kernel lie close together
 * and are read in many small pieces. Thread-safe.
 */
final class CachedMemory extends ForwardingMemory {

    private static final int PAGE = Architecture.SMALLEST_PAGE;
    private static final int SLOTS = 2048;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final GuestMemory memory;
    private final AtomicReferenceArray<@Nullable Page> pages = new AtomicReferenceArray<>(SLOTS);

    CachedMemory(GuestMemory memory) {
        this.memory = memory;
    }

    private record Page(long address, MemorySegment bytes) {}

    /** The page that holds so many bytes from an address on; null if they cross a border or not all can be read. */
    private @Nullable Page page(long address, int size) {
        long start = address & -PAGE;
        if (address - start > PAGE - size) {
            return null;
        }
        int slot = slot(start);
        Page cached = pages.get(slot);
        if (cached != null && cached.address == start) {
            return cached;
        }
        MemorySegment bytes = MemorySegment.ofArray(new byte[PAGE]);
        if (memory.readAvailable(start, bytes) < PAGE) {
            return null;
        }
        Page read = new Page(start, bytes);
        pages.set(slot, read);
        return read;
    }

    private static int slot(long start) {
        long number = start / PAGE;
        return (int) (number ^ number >>> 11 ^ number >>> 22) & SLOTS - 1;
    }

    @Override
    protected GuestMemory memory() {
        return memory;
    }

    @Override
    public long readAvailable(long address, MemorySegment target) {
        long size = target.byteSize();
        Page page = size <= PAGE ? page(address, (int) size) : null;
        if (page == null) {
            return memory.readAvailable(address, target);
        }
        MemorySegment.copy(page.bytes, address - page.address, target, 0, size);
        return size;
    }

    @Override
    public void read(long address, MemorySegment target) {
        long size = target.byteSize();
        Page page = size <= PAGE ? page(address, (int) size) : null;
        if (page == null) {
            memory.read(address, target);
        } else {
            MemorySegment.copy(page.bytes, address - page.address, target, 0, size);
        }
    }

    @Override
    public byte readByte(long address) {
        Page page = page(address, Byte.BYTES);
        return page == null
                ? memory.readByte(address)
                : page.bytes.get(ValueLayout.JAVA_BYTE, address - page.address);
    }

    @Override
    public short readShort(long address) {
        Page page = page(address, Short.BYTES);
        return page == null ? memory.readShort(address) : page.bytes.get(SHORT, address - page.address);
    }

    @Override
    public int readInt(long address) {
        Page page = page(address, Integer.BYTES);
        return page == null ? memory.readInt(address) : page.bytes.get(INT, address - page.address);
    }

    @Override
    public long readLong(long address) {
        Page page = page(address, Long.BYTES);
        return page == null ? memory.readLong(address) : page.bytes.get(LONG, address - page.address);
    }
}
