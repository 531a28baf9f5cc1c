package dev.guestcore.address;

import dev.guestcore.cpu.PageRights;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * The translation of one virtual address, with every step.
 *
 * @param virtual the address
 * @param outcome how the walk ended
 * @param steps the entries met, from the root down; empty without paging and for an address that is not canonical
 * @param physical where the address leads; empty unless it is mapped
 * @param guestPhysical the same place as guest-physical address, where known: for a Xen PV guest it is looked up in the
 *     table of frames
 * @param span bytes that the last entry covers: the size of the page (4 GiB without paging), or of what is not
 *     there
 * @param rights what the page tables allow; empty unless mapped
 */
public record Translation(
        long virtual,
        Outcome outcome,
        List<WalkStep> steps,
        Optional<PhysicalAddress> physical,
        Optional<PhysicalAddress> guestPhysical,
        long span,
        Optional<PageRights> rights) {

    /** How a walk ended. */
    public enum Outcome {
        /** The address leads to memory. */
        MAPPED("mapped"),
        /** The mode has no such address: not canonical, or above 4 GiB in a 32-bit mode. */
        NOT_CANONICAL("not an address of this paging mode"),
        /** The mode has a root for such addresses, but the source does not say where. */
        ROOT_UNKNOWN("the source does not say where the page tables of these addresses begin"),
        /** An entry is not present. */
        NOT_PRESENT("not mapped: an entry of the page tables is not present"),
        /** An entry has bits set that must be clear. */
        RESERVED_BITS("a page-table entry has reserved bits set"),
        /** The source does not have the memory of a page table. */
        TABLE_UNREADABLE("the source does not have the memory of a page table");

        private final String title;

        Outcome(String title) {
            this.title = title;
        }

        /** For people. */
        public String title() {
            return title;
        }
    }

    /** Copies the list. */
    public Translation {
        Objects.requireNonNull(outcome);
        steps = List.copyOf(steps);
        Objects.requireNonNull(physical);
        Objects.requireNonNull(guestPhysical);
        Objects.requireNonNull(rights);
    }

    /** Whether the address leads to memory. */
    public boolean isMapped() {
        return outcome == Outcome.MAPPED;
    }

    @Override
    public String toString() {
        return "0x" + Long.toHexString(virtual) + ": "
                + physical.map(PhysicalAddress::toString).orElse(outcome.title())
                + rights.map(allowed -> " " + allowed).orElse("") + ", span 0x" + Long.toHexString(span);
    }
}
