package dev.guestcore.cpu;

import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The rules by which one vCPU translates: where its page tables are, and what their entries mean. Pure functions without
 * memory, so that each family of processors gives its own; {@code dev.guestcore.address.AddressSpace} walks by them.
 * Implementations are immutable.
 *
 * <p>An entry is given as a number of {@link #entryBytes} bytes, zero-extended. Rights are bits of {@link PageRights}.
 */
public interface Paging {

    /** The mode. */
    PagingMode mode();

    /** How the mode was derived, for the user. */
    String how();

    /** The page-table root in the form of the register that holds it; of user mode where there are two. */
    long root();

    /** The root of the kernel's half of all addresses in the form of the register, if it has one of its own and that is known. */
    default OptionalLong kernelRoot() {
        return OptionalLong.empty();
    }

    /** The same rules from another root, in the form of the register; that of user mode where there are two. */
    Paging withRoot(long root);

    /** The same rules, derived otherwise. */
    Paging because(String reason);

    /** The root tables and what is translated from each, none of which overlap. */
    List<TableTree> trees();

    /** Whether an address that no tree has would be translated from a root that is not known. */
    default boolean isRootMissing(long untagged) {
        return false;
    }

    /** Bytes of an entry, 4 or 8. */
    default int entryBytes() {
        return Long.BYTES;
    }

    /** Byte order of entries. */
    default ByteOrder tableOrder() {
        return ByteOrder.LITTLE_ENDIAN;
    }

    /** The address that is translated for {@code virtual}: without bits that the vCPU ignores. */
    default long untagged(long virtual) {
        return virtual;
    }

    /** Address bits in tables and root that mark encrypted pages and are no part of the address. */
    default long encryptionMask() {
        return 0;
    }

    /** Whether an entry leads anywhere. */
    boolean isPresent(TableLevel level, long entry);

    /** Whether a present entry maps a page; else it points to a table. */
    boolean isPage(TableLevel level, long entry);

    /** Bits of a present entry that the processor would not accept; 0 if there is none. */
    long reservedBits(TableLevel level, long entry);

    /**
     * Where a present entry points to: the table, or what the page shows at the first of the entry's addresses.
     *
     * @param virtual any address that the entry speaks for
     */
    long address(TableLevel level, long entry, long virtual);

    /**
     * What a present entry allows by itself, as bits of {@link PageRights}.
     *
     * @param virtual any address that the entry speaks for
     */
    int rights(TableLevel level, long entry, long virtual);

    /** What else a present entry says, for people; empty if nothing. */
    default String attributes(TableLevel level, long entry) {
        return "";
    }

    /** Lowest index of the table that {@code entry} points to. */
    default int firstIndex(TableLevel below, long entry) {
        return 0;
    }

    /** Highest index of the table that {@code entry} points to. */
    default int lastIndex(TableLevel below, long entry) {
        return below.entries() - 1;
    }

    /** Rules by which a hypervisor in the guest translates what these rules give; empty if that is a physical address. */
    default Optional<Paging> secondStage() {
        return Optional.empty();
    }

    /** The part of memory that this vCPU sees exchanged with what lies at address 0; empty if there is none. */
    default Optional<Prefix> prefix() {
        return Optional.empty();
    }

    /**
     * Two parts of memory that one vCPU sees exchanged: that at 0, and another.
     *
     * @param address where the other lies, a multiple of {@code size}
     * @param size bytes of each, a power of two
     */
    record Prefix(long address, long size) {

        /** Both in hexadecimal. */
        @Override
        public String toString() {
            return "0x" + Long.toHexString(size) + " bytes at 0 exchanged with those at 0x" + Long.toHexString(address);
        }

        /** Where {@code address} leads. */
        public long exchanged(long real) {
            long block = real & -size;
            return block == 0 ? real + address : block == address ? real - address : real;
        }
    }
}
