package dev.guestcore.internal.elf;

import dev.guestcore.file.FileBytes;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A section header (System V ABI, chapter 4).
 *
 * @param nameOffset sh_name: where in the string table the name begins
 * @param type sh_type
 * @param flags sh_flags
 * @param address sh_addr
 * @param offset sh_offset, unsigned
 * @param size sh_size, unsigned
 * @param link sh_link
 * @param info sh_info
 * @param alignment sh_addralign
 * @param entrySize sh_entsize
 */
public record SectionHeader(
        long nameOffset,
        long type,
        long flags,
        long address,
        long offset,
        long size,
        long link,
        long info,
        long alignment,
        long entrySize) {

    /** The header of index 0, all zero. */
    public static SectionHeader none() {
        return new SectionHeader(0, Elf.SHT_NULL, 0, 0, 0, 0, 0, 0, 0, 0);
    }

    /** Reads the section header at {@code at}. */
    public static SectionHeader read(FileBytes file, ElfHeader elf, long at) {
        ByteOrder order = elf.order();
        boolean wide = elf.elfClass() == ElfClass.ELF64;
        int word = wide ? 8 : 4;
        return new SectionHeader(
                file.u32(at, order, "sh_name"),
                file.u32(at + 4, order, "sh_type"),
                ElfHeader.word(file, wide, at + 8, order, "sh_flags"),
                ElfHeader.word(file, wide, at + 8 + word, order, "sh_addr"),
                ElfHeader.word(file, wide, at + 8 + 2 * word, order, "sh_offset"),
                ElfHeader.word(file, wide, at + 8 + 3 * word, order, "sh_size"),
                file.u32(at + 8 + 4 * word, order, "sh_link"),
                file.u32(at + 12 + 4 * word, order, "sh_info"),
                ElfHeader.word(file, wide, at + 16 + 4 * word, order, "sh_addralign"),
                ElfHeader.word(file, wide, at + 16 + 5 * word, order, "sh_entsize"));
    }

    /** Appends the header in the form of {@code elfClass}, in the buffer's byte order. */
    public void write(ByteBuffer target, ElfClass elfClass) {
        target.putInt((int) nameOffset);
        target.putInt((int) type);
        ElfHeader.putWord(target, elfClass, flags);
        ElfHeader.putWord(target, elfClass, address);
        ElfHeader.putWord(target, elfClass, offset);
        ElfHeader.putWord(target, elfClass, size);
        target.putInt((int) link);
        target.putInt((int) info);
        ElfHeader.putWord(target, elfClass, alignment);
        ElfHeader.putWord(target, elfClass, entrySize);
    }
}
