package dev.guestcore.internal.elf;

import dev.guestcore.format.FileBytes;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

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
        ByteOrder order = elf.order();
        if (elf.elfClass() == ElfClass.ELF64) {
            return new ProgramHeader(
                    file.u32(at, order, "p_type"),
                    file.u32(at + 4, order, "p_flags"),
                    file.u64(at + 8, order, "p_offset"),
                    file.u64(at + 16, order, "p_vaddr"),
                    file.u64(at + 24, order, "p_paddr"),
                    file.u64(at + 32, order, "p_filesz"),
                    file.u64(at + 40, order, "p_memsz"),
                    file.u64(at + 48, order, "p_align"));
        }
        return new ProgramHeader(
                file.u32(at, order, "p_type"),
                file.u32(at + 24, order, "p_flags"),
                file.u32(at + 4, order, "p_offset"),
                file.u32(at + 8, order, "p_vaddr"),
                file.u32(at + 12, order, "p_paddr"),
                file.u32(at + 16, order, "p_filesz"),
                file.u32(at + 20, order, "p_memsz"),
                file.u32(at + 28, order, "p_align"));
    }

    /** Appends the 64-bit form, 56 bytes, in the buffer's byte order. */
    public void write(ByteBuffer target) {
        target.putInt((int) type);
        target.putInt((int) flags);
        target.putLong(offset);
        target.putLong(virtualAddress);
        target.putLong(physicalAddress);
        target.putLong(fileSize);
        target.putLong(memorySize);
        target.putLong(alignment);
    }
}
