package dev.guestcore.internal.elf;

import dev.guestcore.file.FileBytes;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The header of an ELF file. Field order is the same in both classes; only addresses and offsets differ in width (System V
 * ABI, chapter 4).
 *
 * @param elfClass word size
 * @param order byte order of the whole file
 * @param identVersion e_ident[EI_VERSION]; 1 by the ABI, 0 in every VirtualBox core
 * @param osAbi e_ident[EI_OSABI]
 * @param abiVersion e_ident[EI_ABIVERSION]
 * @param type e_type
 * @param machine e_machine
 * @param version e_version
 * @param entry e_entry
 * @param programHeaderOffset e_phoff
 * @param sectionHeaderOffset e_shoff
 * @param flags e_flags
 * @param headerSize e_ehsize
 * @param programHeaderSize e_phentsize
 * @param programHeaderCount e_phnum as stored
 * @param sectionHeaderSize e_shentsize
 * @param sectionHeaderCount e_shnum as stored
 * @param sectionNamesIndex e_shstrndx
 */
public record ElfHeader(
        ElfClass elfClass,
        ByteOrder order,
        int identVersion,
        int osAbi,
        int abiVersion,
        int type,
        int machine,
        long version,
        long entry,
        long programHeaderOffset,
        long sectionHeaderOffset,
        long flags,
        int headerSize,
        int programHeaderSize,
        int programHeaderCount,
        int sectionHeaderSize,
        int sectionHeaderCount,
        int sectionNamesIndex) {

    /** Whether the file begins as an ELF file of a known class and byte order. */
    public static boolean isElf(FileBytes file) {
        return file.size() >= 16
                && file.u32(0, ByteOrder.BIG_ENDIAN, "magic") == Elf.MAGIC
                && (file.u8(4, "EI_CLASS") == 1 || file.u8(4, "EI_CLASS") == 2)
                && (file.u8(5, "EI_DATA") == 1 || file.u8(5, "EI_DATA") == 2);
    }

    /**
     * Reads the header of a file for which {@link #isElf} holds.
     *
     * @throws dev.guestcore.error.MalformedDumpException if the file ends within the header
     */
    public static ElfHeader read(FileBytes file) {
        ElfClass elfClass = file.u8(4, "EI_CLASS") == 1 ? ElfClass.ELF32 : ElfClass.ELF64;
        ByteOrder order = file.u8(5, "EI_DATA") == 1 ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN;
        file.require(0, elfClass.headerSize(), "ELF header");
        boolean wide = elfClass == ElfClass.ELF64;
        int word = wide ? 8 : 4;
        int tail = 24 + 3 * word;
        return new ElfHeader(
                elfClass,
                order,
                file.u8(6, "EI_VERSION"),
                file.u8(7, "EI_OSABI"),
                file.u8(8, "EI_ABIVERSION"),
                file.u16(16, order, "e_type"),
                file.u16(18, order, "e_machine"),
                file.u32(20, order, "e_version"),
                word(file, wide, 24, order, "e_entry"),
                word(file, wide, 24 + word, order, "e_phoff"),
                word(file, wide, 24 + 2 * word, order, "e_shoff"),
                file.u32(tail, order, "e_flags"),
                file.u16(tail + 4, order, "e_ehsize"),
                file.u16(tail + 6, order, "e_phentsize"),
                file.u16(tail + 8, order, "e_phnum"),
                file.u16(tail + 10, order, "e_shentsize"),
                file.u16(tail + 12, order, "e_shnum"),
                file.u16(tail + 14, order, "e_shstrndx"));
    }

    /** Reads an address or offset of the file's word size. */
    static long word(FileBytes file, boolean wide, long offset, ByteOrder order, String field) {
        return wide ? file.u64(offset, order, field) : file.u32(offset, order, field);
    }

    /** Appends an address or offset of the class's word size, unsigned. */
    static void putWord(ByteBuffer target, ElfClass elfClass, long value) {
        if (elfClass == ElfClass.ELF64) {
            target.putLong(value);
        } else if (value >>> Integer.SIZE == 0) {
            target.putInt((int) value);
        } else {
            throw new ArithmeticException("0x" + Long.toHexString(value) + " has more than 32 bits");
        }
    }

    /** Appends the header, {@link ElfClass#headerSize()} bytes; sets the buffer's byte order. */
    public void write(ByteBuffer target) {
        target.order(ByteOrder.BIG_ENDIAN).putInt(Elf.MAGIC);
        target.order(order);
        target.put((byte) elfClass.code());
        target.put((byte) (order == ByteOrder.LITTLE_ENDIAN ? 1 : 2));
        target.put((byte) identVersion);
        target.put((byte) osAbi);
        target.put((byte) abiVersion);
        target.put(new byte[7]);
        target.putShort((short) type);
        target.putShort((short) machine);
        target.putInt((int) version);
        putWord(target, elfClass, entry);
        putWord(target, elfClass, programHeaderOffset);
        putWord(target, elfClass, sectionHeaderOffset);
        target.putInt((int) flags);
        target.putShort((short) headerSize);
        target.putShort((short) programHeaderSize);
        target.putShort((short) programHeaderCount);
        target.putShort((short) sectionHeaderSize);
        target.putShort((short) sectionHeaderCount);
        target.putShort((short) sectionNamesIndex);
    }
}
