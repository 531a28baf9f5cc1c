package dev.guestcore.cpu;

/** A way of turning virtual into physical addresses that a processor has, as its registers or a user name it. */
public interface PagingMode {

    /** As users type it ("4-level", "sv48"). */
    String label();

    /** Name for people ("4-level"). */
    String title();

    /** The architecture that has it. */
    Architecture architecture();

    /** Bits of a virtual address that are translated. */
    int virtualBits();

    /** Whether there are page tables at all. */
    boolean hasTables();

    /** Width of an address in bits, 32 or 64. */
    default int addressBits() {
        return virtualBits() > Integer.SIZE ? Long.SIZE : Integer.SIZE;
    }
}
