package dev.guestcore.address;

import dev.guestcore.cpu.TableLevel;
import java.util.Objects;

/**
 * One entry met on the way through the page tables.
 *
 * @param level the table it lies in
 * @param index its number in the table
 * @param entryAddress where it lies
 * @param entry its value, zero-extended; 0 where it could not be read
 * @param meaning what it says
 * @param next where it points to: the next table or the page, without the address's offset into it; meaningless unless
 *     {@code meaning} is TABLE or PAGE
 * @param reservedBits the bits that should be clear but are set
 * @param attributes what else the entry says, in words of the processor's manuals; empty if nothing
 */
public record WalkStep(
        TableLevel level,
        int index,
        PhysicalAddress entryAddress,
        long entry,
        Meaning meaning,
        PhysicalAddress next,
        long reservedBits,
        String attributes) {

    /** What an entry says. */
    public enum Meaning {
        /** Points to the table of the next level. */
        TABLE,
        /** Maps a page. */
        PAGE,
        /** Marked as invalid, or not in the table: nothing is mapped, the other bits are the guest's own. */
        NOT_PRESENT,
        /** Bits are set that the processor reserves; using the address would fault. */
        RESERVED_BITS,
        /** The source does not have the memory in which the entry lies. */
        UNREADABLE
    }

    /** Checks for null. */
    public WalkStep {
        Objects.requireNonNull(level);
        Objects.requireNonNull(entryAddress);
        Objects.requireNonNull(meaning);
        Objects.requireNonNull(next);
        Objects.requireNonNull(attributes);
    }

    /** One line for people: {@code PDE[3] at guest-physical 0x10018 = 0x2000e3: page at guest-physical 0x200000}. */
    @Override
    public String toString() {
        String place = level.entryName() + "[" + index + "] at " + entryAddress;
        String value = place + " = 0x" + Long.toHexString(entry) + ": ";
        return switch (meaning) {
            case TABLE -> value + "table at " + next;
            case PAGE -> value + "page at " + next;
            case NOT_PRESENT -> value + "not present";
            case RESERVED_BITS -> value + "reserved bits 0x" + Long.toHexString(reservedBits) + " are set";
            case UNREADABLE -> place + ": the source does not have this memory";
        };
    }
}
