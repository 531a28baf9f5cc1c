package dev.guestcore.cpu;

/** A register of some architecture. There is one object of each: a constant of an enum, or one of a {@link RegisterTable}. */
public interface Register {

    /** Lower-case name as in the processor's manuals ("rip", "cs.base", "xmm0"). */
    String label();

    /** Width in bits; of one that {@linkplain #isScalable scales}, the most that the architecture allows. */
    int bits();

    /** Whether processors have it in different widths, as they do vectors of SVE: a value then is as wide as that of its vCPU. */
    default boolean isScalable() {
        return false;
    }

    /** Which part of the processor the register belongs to, for grouping. */
    Group group();

    /** The architecture whose register it is. */
    Architecture architecture();

    /** Its place in the order in which the registers of its architecture are shown, from 0. */
    int ordinal();

    /** Parts of a processor. */
    enum Group {
        /** General-purpose registers, instruction pointer, flags. */
        GENERAL,
        /** Segment selectors and their hidden parts. */
        SEGMENT,
        /** Descriptor tables and task register. */
        DESCRIPTOR_TABLE,
        /** Control registers. */
        CONTROL,
        /** Debug registers. */
        DEBUG,
        /** Model-specific registers. */
        MSR,
        /** x87 state. */
        FPU,
        /** SSE and AVX state. */
        VECTOR
    }
}
