package dev.guestcore;

/** The processor family of a guest. */
public enum Architecture {
    /** 16, 32 and 64-bit Intel and AMD. The mode a vCPU is in follows from its control registers. */
    X86,
    /** 32 and 64-bit Arm; Xen's files do not tell them apart. */
    ARM,
    /** Intel Itanium. */
    IA64,
    /** PowerPC. */
    POWERPC,
    /** Any other: its memory can be read, its registers stay raw. */
    OTHER
}
