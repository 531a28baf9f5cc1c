package dev.guestcore.address;

import java.util.Objects;

/**
 * A translated address. Its address space is part of the type, because a guest may have two: mixing them up gives wrong
 * bytes, not an error.
 *
 * @param space the address space
 * @param value the address, unsigned
 */
public record PhysicalAddress(Space space, long value) {

    /** What a physical address counts. */
    public enum Space {
        /** Guest-physical, as in {@link dev.guestcore.Guest#memory()}; pseudo-physical for a Xen PV guest. */
        GUEST("guest-physical"),
        /** The host's machine addresses, as in {@link dev.guestcore.Guest#machineMemory()}. */
        MACHINE("machine"),
        /** s390x: as one vCPU sees memory, with the page pair at its prefix and that at 0 exchanged. */
        REAL("real"),
        /** arm64: what a hypervisor in the guest translates once more. */
        INTERMEDIATE("intermediate");

        private final String title;

        Space(String title) {
            this.title = title;
        }

        /** Name for people. */
        public String title() {
            return title;
        }
    }

    /** Checks for null. */
    public PhysicalAddress {
        Objects.requireNonNull(space);
    }

    /** The address {@code offset} bytes further on, in the same space. */
    public PhysicalAddress plus(long offset) {
        return new PhysicalAddress(space, value + offset);
    }

    @Override
    public String toString() {
        return space.title() + " 0x" + Long.toHexString(value);
    }
}
