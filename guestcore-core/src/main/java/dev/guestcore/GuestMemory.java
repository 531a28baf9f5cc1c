package dev.guestcore;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;

/**
 * The physical memory of a guest, live or from a file, by guest-physical address (unsigned 64 bit).
 *
 * <p>Implementations are safe for use by several threads at once. After the {@link Guest} is closed every method throws
 * {@link IllegalStateException}.
 */
public interface GuestMemory {

    /**
     * All regions, ascending and not overlapping. The list is immutable and may be a view over an index, so it costs no
     * memory per region.
     */
    List<MemoryRegion> regions();

    /** The region that contains {@code address}; O(log n). */
    Optional<MemoryRegion> regionAt(long address);

    /**
     * The state of the memory from {@code address} on: a run that starts exactly there, also where it is a hole. O(log n).
     */
    PageRun runAt(long address);

    /**
     * The same for whoever only wants the bytes: memory that is {@link PageState#PRESENT}, but known to be zero without
     * being read, such as a hole in the dump file, is {@link PageState#ZERO} here. Such a run begins and ends at the border
     * of a page, or of what {@link #runAt} gives.
     */
    default PageRun contentRunAt(long address) {
        return runAt(address);
    }

    /**
     * Copies readable bytes from {@code address} on into {@code target} and stops at the first one that is not readable.
     * {@link #runAt} of the place where it stopped says why. Bytes of {@code target} behind the returned count are
     * undefined.
     *
     * @param address guest-physical address
     * @param target where to put the bytes; must be writable
     * @return how many bytes were copied, 0 to {@code target.byteSize()}
     */
    long readAvailable(long address, MemorySegment target);

    /**
     * Fills {@code target} with the bytes from {@code address} on.
     *
     * @throws MemoryAccessException if any of them is not readable; names the first such address and its state
     */
    default void read(long address, MemorySegment target) {
        long copied = readAvailable(address, target);
        if (copied < target.byteSize()) {
            throw new MemoryAccessException(address + copied, runAt(address + copied).state());
        }
    }

    /**
     * Fills {@code target} with the bytes from {@code address} on.
     *
     * @param address guest-physical address
     * @throws MemoryAccessException if any of them is not readable; names the first such address and its state
     */
    default void read(long address, byte[] target) {
        read(address, MemorySegment.ofArray(target));
    }

    /** The byte order of the guest's processor, in which the methods below read numbers: little-endian unless told. */
    default ByteOrder byteOrder() {
        return ByteOrder.LITTLE_ENDIAN;
    }

    /**
     * Reads a byte.
     *
     * @param address guest-physical address
     * @throws MemoryAccessException if it is not readable
     */
    default byte readByte(long address) {
        return MemoryValues.read(this, address, Byte.BYTES).get(0);
    }

    /**
     * Reads a 16-bit number in the guest's byte order.
     *
     * @param address guest-physical address, which need not be aligned
     * @throws MemoryAccessException if any of its bytes is not readable
     */
    default short readShort(long address) {
        return MemoryValues.read(this, address, Short.BYTES).getShort(0);
    }

    /**
     * Reads a 32-bit number in the guest's byte order.
     *
     * @param address guest-physical address, which need not be aligned
     * @throws MemoryAccessException if any of its bytes is not readable
     */
    default int readInt(long address) {
        return MemoryValues.read(this, address, Integer.BYTES).getInt(0);
    }

    /**
     * Reads a 64-bit number in the guest's byte order.
     *
     * @param address guest-physical address, which need not be aligned
     * @throws MemoryAccessException if any of its bytes is not readable
     */
    default long readLong(long address) {
        return MemoryValues.read(this, address, Long.BYTES).getLong(0);
    }

    /**
     * Reads a text that ends before its first zero byte, as C has it, or after {@code most} bytes.
     *
     * @param address guest-physical address
     * @param most how many bytes it may have, 0 to 16 MiB
     * @return the bytes as UTF-8, with U+FFFD for what is none
     * @throws MemoryAccessException if the readable memory ends before the text does
     */
    default String readString(long address, int most) {
        return MemoryValues.readString(this, address, most);
    }

    /**
     * The bytes themselves, without a copy, where the source has them mapped in one piece. A view of a file is only as
     * good as the file: if another program truncates it, an access through the view gives any bytes, and the thread that made
     * it meets an {@link InternalError} there or some time later. Where that may happen, {@link #read} instead.
     *
     * @param address guest-physical address
     * @param size length in bytes
     * @return a read-only segment that is valid until the guest is closed, or empty where a copy is needed
     */
    default Optional<MemorySegment> view(long address, long size) {
        return Optional.empty();
    }
}
