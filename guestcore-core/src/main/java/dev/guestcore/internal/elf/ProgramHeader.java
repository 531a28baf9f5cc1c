package dev.guestcore.internal.elf;

import dev.guestcore.file.FileBytes;
import java.nio.ByteBuffer;

/**
 * A program header (System V ABI, chapter 5). The 64-bit form has p_flags second, the 32-bit form next to last.
 *
 * @param type p_type
 * @param flags p_flags
 * @param offset p_offset, unsigned
 * @param virtualAddress p_vaddr
 * @param physicalAddress p_paddr
 * @param fileSize p_filesz, unsigned
 * @param memorySize p_memsz, unsigned
 * @param alignment p_align
 */
public record ProgramHeader(
        long type,
        long flags,
        long offset,
        long virtualAddress,
        long physicalAddress,
        long fileSize,
        long memorySize,
        long alignment) {

    /** Reads the program header at {@code at}. */
    public static ProgramHeader read(FileBytes file, ElfHeader elf, long at) {
        ByteBuffer fields = ByteBuffer.wrap(file.bytes(at, elf.elfClass().programHeaderSize(), "program header"))
                .order(elf.order());
        if (elf.elfClass() == ElfClass.ELF64) {
            return new ProgramHeader(
                    u32(fields, 0),
                    u32(fields, 4),
                    fields.getLong(8),
                    fields.getLong(16),
                    fields.getLong(24),
                    fields.getLong(32),
                    fields.getLong(40),
                    fields.getLong(48));
        }
        return new ProgramHeader(
                u32(fields, 0),
                u32(fields, 24),
                u32(fields, 4),
                u32(fields, 8),
                u32(fields, 12),
                u32(fields, 16),
                u32(fields, 20),
                u32(fields, 28));
    }

    private static long u32(ByteBuffer fields, int at) {
        return Integer.toUnsignedLong(fields.getInt(at));
    }

    /** Appends the 64-bit form, 56 bytes, in the buffer's byte order. */
    public void write(ByteBuffer target) {
        write(target, ElfClass.ELF64);
    }

    /**
     * Appends the header in the form of {@code elfClass}, in the buffer's byte order.
     *
     * @throws ArithmeticException if a number has more bits than that form
     */
    public void write(ByteBuffer target, ElfClass elfClass) {
        boolean wide = elfClass == ElfClass.ELF64;
        target.putInt((int) type);
        if (wide) {
            target.putInt((int) flags);
        }
        ElfHeader.putWord(target, elfClass, offset);
        ElfHeader.putWord(target, elfClass, virtualAddress);
        ElfHeader.putWord(target, elfClass, physicalAddress);
        ElfHeader.putWord(target, elfClass, fileSize);
        ElfHeader.putWord(target, elfClass, memorySize);
        if (!wide) {
            target.putInt((int) flags);
        }
        ElfHeader.putWord(target, elfClass, alignment);
    }
}
