package dev.guestcore.internal.elf;

/** Word size of an ELF file, with the sizes of its headers in bytes (System V ABI, chapter 4). */
public enum ElfClass {
    /** 32 bit. */
    ELF32(1, 52, 32, 40),
    /** 64 bit. */
    ELF64(2, 64, 56, 64);

    private final int code;
    private final int headerSize;
    private final int programHeaderSize;
    private final int sectionHeaderSize;

    ElfClass(int code, int headerSize, int programHeaderSize, int sectionHeaderSize) {
        this.code = code;
        this.headerSize = headerSize;
        this.programHeaderSize = programHeaderSize;
        this.sectionHeaderSize = sectionHeaderSize;
    }

    /** How many bits an address has. */
    public int addressBits() {
        return this == ELF64 ? Long.SIZE : Integer.SIZE;
    }

    /** Value of EI_CLASS. */
    public int code() {
        return code;
    }

    /** Size of the ELF header. */
    public int headerSize() {
        return headerSize;
    }

    /** Size of a program header. */
    public int programHeaderSize() {
        return programHeaderSize;
    }

    /** Size of a section header. */
    public int sectionHeaderSize() {
        return sectionHeaderSize;
    }
}
