package dev.guestcore.cpu;

/** A register of some architecture. Implementations are enums. */
public interface Register {

    /** Lower-case name as in the processor's manuals ("rip", "cs.base", "xmm0"). */
    String label();

    /** Width in bits. */
    int bits();

    /** Which part of the processor the register belongs to, for grouping. */
    Group group();

    /** The architecture whose register it is. */
    Architecture architecture();

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
