package dev.guestcore.internal.elf;

/** Constants of the ELF format (System V ABI, chapters 4 and 5; values as in {@code elf.h}). */
public final class Elf {

    /** The first four bytes, read as a big-endian integer. */
    public static final int MAGIC = 0x7f454c46;

    /** e_type of a core file. */
    public static final int ET_CORE = 4;

    /** e_machine: Intel 80386. */
    public static final int EM_386 = 3;
    /** e_machine: 32-bit PowerPC. */
    public static final int EM_PPC = 20;
    /** e_machine: 64-bit PowerPC. */
    public static final int EM_PPC64 = 21;
    /** e_machine: 32-bit Arm. */
    public static final int EM_ARM = 40;
    /** e_machine: Itanium. */
    public static final int EM_IA_64 = 50;
    /** e_machine: x86-64. */
    public static final int EM_X86_64 = 62;
    /** e_machine: 64-bit Arm. */
    public static final int EM_AARCH64 = 183;

    /** e_phnum that stands for "the number is in sh_info of section header 0". */
    public static final int PN_XNUM = 0xffff;

    /** p_type: an unused header. */
    public static final int PT_NULL = 0;
    /** p_type: memory. */
    public static final int PT_LOAD = 1;
    /** p_type: notes. */
    public static final int PT_NOTE = 4;
    /** p_flags: readable. */
    public static final int PF_R = 4;

    /** sh_type: no section. */
    public static final int SHT_NULL = 0;
    /** sh_type: bytes whose meaning is the program's. */
    public static final int SHT_PROGBITS = 1;
    /** sh_type: names of sections. */
    public static final int SHT_STRTAB = 3;
    /** sh_type: notes. */
    public static final int SHT_NOTE = 7;

    /** n_type of a process status with general registers. */
    public static final int NT_PRSTATUS = 1;
    /** n_type of a description of a process, which only the core of a process has. */
    public static final int NT_PRPSINFO = 3;

    private Elf() {}
}
