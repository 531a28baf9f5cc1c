package dev.guestcore.linux.stacks;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.linux.types.KernelTypes;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.Optional;

/**
 * A table of the kernel's or a module's unwinding rules in guest memory: ascending code addresses, each 32 signed bits
 * that count from their own place, and for each an entry of six bytes (Linux, {@code arch/x86/kernel/unwind_orc.c}). It
 * is read where it is looked up. Safe for use by several threads at once.
 */
public final class OrcTable {

    /** More than a kernel with all its options on has. */
    static final long MOST_ENTRIES = 1L << 25;

    private static final int BLOCK = 4096;
    private static final int SAMPLE_BLOCKS = 64;
    private static final int SAMPLE_ENTRIES = 64;

    private final GuestMemory memory;
    private final long addresses;
    private final long entries;
    private final int count;
    private final OrcVersion version;

    private OrcTable(GuestMemory memory, long addresses, long entries, int count, OrcVersion version) {
        this.memory = memory;
        this.addresses = addresses;
        this.entries = entries;
        this.count = count;
        this.version = version;
    }

    /**
     * The table at these places.
     *
     * @param memory memory by the kernel's virtual addresses
     * @param addresses where the code addresses begin
     * @param entries where the entries begin
     * @param count how many there are
     * @return empty if the table is not readable or looks like none of the known versions
     */
    public static Optional<OrcTable> of(
            GuestMemory memory, Optional<KernelTypes> types, long addresses, long entries, long count) {
        if (count <= 0 || count > MOST_ENTRIES) {
            return Optional.empty();
        }
        try {
            int[] sample = sample(memory, entries, count);
            return OrcVersion.of(types, sample)
                    .map(version -> new OrcTable(memory, addresses, entries, (int) count, version));
        } catch (MemoryAccessException e) {
            return Optional.empty();
        }
    }

    /** A table whose version is known, because all tables of a kernel have the same one. */
    static Optional<OrcTable> of(GuestMemory memory, OrcVersion version, long addresses, long entries, long count) {
        return count <= 0 || count > MOST_ENTRIES
                ? Optional.empty()
                : Optional.of(new OrcTable(memory, addresses, entries, (int) count, version));
    }

    private static int[] sample(GuestMemory memory, long entries, long count) {
        int each = (int) Math.min(SAMPLE_ENTRIES, count);
        int blocks = (int) Math.min(SAMPLE_BLOCKS, Math.ceilDiv(count, (long) SAMPLE_ENTRIES));
        int[] sample = new int[each * blocks];
        for (int block = 0; block < blocks; block++) {
            long first = (count - each) * block / Math.max(1, blocks - 1);
            ByteBuffer bytes = read(memory, entries + first * OrcVersion.ENTRY_BYTES, each * OrcVersion.ENTRY_BYTES);
            for (int i = 0; i < each; i++) {
                sample[block * each + i] = flags(bytes, i);
            }
        }
        return sample;
    }

    /** Which version of the entries it has. */
    public OrcVersion version() {
        return version;
    }

    /** How many entries there are. */
    public int size() {
        return count;
    }

    /** Where the code addresses begin. */
    public long addresses() {
        return addresses;
    }

    /** Where the entries begin. */
    public long entries() {
        return entries;
    }

    /**
     * The entry for an address of code; O(log n).
     *
     * @return empty if the address lies before the first entry
     * @throws MemoryAccessException if a part of the table that is needed is not readable
     */
    public Optional<OrcEntry> find(long address) {
        int low = 0;
        int high = count - 1;
        int found = -1;
        while (low <= high) {
            int middle = low + high >>> 1;
            if (Long.compareUnsigned(codeAddress(middle), address) <= 0) {
                found = middle;
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return found < 0 ? Optional.empty() : Optional.of(entry(found));
    }

    private long codeAddress(int index) {
        long place = addresses + (long) index * Integer.BYTES;
        return place + memory.readInt(place);
    }

    private OrcEntry entry(int index) {
        return decode(
                read(memory, entries + (long) index * OrcVersion.ENTRY_BYTES, OrcVersion.ENTRY_BYTES), 0);
    }

    private OrcEntry decode(ByteBuffer bytes, int index) {
        int at = index * OrcVersion.ENTRY_BYTES;
        return version.decode(bytes.getShort(at), bytes.getShort(at + Short.BYTES), flags(bytes, index));
    }

    private static int flags(ByteBuffer bytes, int index) {
        return Short.toUnsignedInt(bytes.getShort(index * OrcVersion.ENTRY_BYTES + 2 * Short.BYTES));
    }

    /** Takes the entries of a table. */
    @FunctionalInterface
    public interface EntryConsumer {

        /**
         * An entry.
         *
         * @param address where the code begins that it is for; it ends where the next one begins
         * @param entry the rule
         */
        void accept(long address, OrcEntry entry);
    }

    /**
     * Gives all entries in the table's order.
     *
     * @throws MemoryAccessException if a part of the table is not readable
     */
    public void forEach(EntryConsumer consumer) {
        Objects.requireNonNull(consumer);
        for (int first = 0; first < count; first += BLOCK) {
            int size = Math.min(BLOCK, count - first);
            long place = addresses + (long) first * Integer.BYTES;
            ByteBuffer codes = read(memory, place, size * Integer.BYTES);
            ByteBuffer bytes =
                    read(memory, entries + (long) first * OrcVersion.ENTRY_BYTES, size * OrcVersion.ENTRY_BYTES);
            for (int i = 0; i < size; i++) {
                int at = i * Integer.BYTES;
                consumer.accept(place + at + codes.getInt(at), decode(bytes, i));
            }
        }
    }

    private static ByteBuffer read(GuestMemory memory, long address, int size) {
        byte[] bytes = new byte[size];
        memory.read(address, bytes);
        return ByteBuffer.wrap(bytes).order(memory.byteOrder());
    }
}
