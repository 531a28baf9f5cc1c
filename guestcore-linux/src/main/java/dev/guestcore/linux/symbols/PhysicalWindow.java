package dev.guestcore.linux.symbols;

import dev.guestcore.GuestMemory;
import dev.guestcore.PageRun;
import dev.guestcore.cpu.Architecture;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** A copy of a range of physical memory outside the heap. What cannot be read is zero. */
final class PhysicalWindow {

    static final long PAGE = Architecture.SMALLEST_PAGE;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final long first;
    private final MemorySegment bytes;

    private PhysicalWindow(long first, MemorySegment bytes) {
        this.first = first;
        this.bytes = bytes;
    }

    static PhysicalWindow read(GuestMemory memory, long first, long size, Arena arena) {
        MemorySegment bytes = arena.allocate(size, Long.BYTES);
        long done = 0;
        while (done < size) {
            done += memory.readAvailable(first + done, bytes.asSlice(done));
            if (done < size) {
                long skipped = Math.min(size - done, unreadable(memory, first + done));
                bytes.asSlice(done, skipped).fill((byte) 0);
                done += skipped;
            }
        }
        return new PhysicalWindow(first, bytes);
    }

    /** How many bytes to pass over where a read stopped. */
    private static long unreadable(GuestMemory memory, long address) {
        PageRun hole = memory.runAt(address);
        long left = hole.range().last() - address;
        boolean isEndless = left < 0 || left == Long.MAX_VALUE;
        long toNextPage = PAGE - (address & PAGE - 1);
        return hole.state().isReadable() ? toNextPage : isEndless ? Long.MAX_VALUE : left + 1;
    }

    long first() {
        return first;
    }

    /** Whether so many bytes from an address on lie in it. */
    boolean contains(long address, long size) {
        long offset = address - first;
        return offset >= 0 && size >= 0 && size <= bytes.byteSize() && offset <= bytes.byteSize() - size;
    }

    int byteAt(long address) {
        return Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, address - first));
    }

    int shortAt(long address) {
        return Short.toUnsignedInt(bytes.get(SHORT, address - first));
    }

    int intAt(long address) {
        return bytes.get(INT, address - first);
    }

    long longAt(long address) {
        return bytes.get(LONG, address - first);
    }

    /** Whether a whole page cannot be read or holds zeros only, as no table does. */
    boolean isLost(long page) {
        if (!contains(page, PAGE)) {
            return false;
        }
        for (long at = page; at < page + PAGE; at += Long.BYTES) {
            if (longAt(at) != 0) {
                return false;
            }
        }
        return true;
    }

    byte[] copy(long address, int size) {
        return bytes.asSlice(address - first, size).toArray(ValueLayout.JAVA_BYTE);
    }
}
