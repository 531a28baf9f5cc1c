package dev.guestcore.linux.export;

/**
 * A section of the exported kernel that lies in its memory.
 *
 * @param name its name
 * @param kind its {@code sh_type} and what it is filled with
 * @param flags its {@code sh_flags}
 * @param address link address
 * @param size bytes
 */
record ExportSection(String name, Kind kind, long flags, long address, long size) {

    static final long WRITE = 1;
    static final long ALLOC = 2;
    static final long EXECUTE = 4;

    /** What a section holds. */
    enum Kind {
        /** The bytes from guest memory. */
        COPIED,
        /** The bytes from guest memory, which are notes. */
        NOTES,
        /** Zeros, because the kernel has used the memory for something else since it started. */
        FREED,
        /** Nothing is in the file. */
        UNINITIALIZED
    }

    /** The first address behind it. */
    long end() {
        return address + size;
    }

    /** Whether bytes are in the file. */
    boolean hasBytes() {
        return kind != Kind.UNINITIALIZED;
    }
}
