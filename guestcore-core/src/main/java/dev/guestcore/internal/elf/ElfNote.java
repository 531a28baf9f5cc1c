package dev.guestcore.internal.elf;

import dev.guestcore.file.FileBytes;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * A note: name size, descriptor size, type (u32 each), then name and descriptor, each padded to four bytes (System V ABI,
 * chapter 5). Only where things lie is kept; nothing is copied but the name.
 *
 * @param offset file offset of the note's header
 * @param name without its NUL
 * @param type n_type
 * @param descriptorOffset file offset of the descriptor
 * @param descriptorSize n_descsz
 * @param end file offset right behind the note and its padding
 */
public record ElfNote(long offset, String name, long type, long descriptorOffset, long descriptorSize, long end) {

    private static final int HEADER = 12;
    private static final int LONGEST_NAME = 4096;

    /**
     * Reads the note at {@code offset}, with the usual four-byte padding.
     *
     * @param limit where its segment or section ends
     * @throws dev.guestcore.error.MalformedDumpException if the note runs past {@code limit} or the end of the file
     */
    public static ElfNote read(FileBytes file, ByteOrder order, long offset, long limit) {
        requireWithin(file, offset, HEADER, limit, "note header");
        long nameSize = file.u32(offset, order, "n_namesz");
        long descriptorSize = file.u32(offset + 4, order, "n_descsz");
        long type = file.u32(offset + 8, order, "n_type");
        long nameOffset = offset + HEADER;
        if (nameSize > LONGEST_NAME) {
            throw file.malformed(offset, "n_namesz", "at most " + LONGEST_NAME, Long.toString(nameSize), "");
        }
        requireWithin(file, nameOffset, nameSize, limit, "note name");
        String name = new String(file.bytes(nameOffset, (int) nameSize, "note name"), StandardCharsets.ISO_8859_1);
        int nul = name.indexOf('\0');
        long descriptorOffset = nameOffset + padded(nameSize);
        requireWithin(file, descriptorOffset, descriptorSize, limit, "descriptor of note " + printable(name));
        long end = Math.min(descriptorOffset + padded(descriptorSize), limit);
        return new ElfNote(
                offset, nul < 0 ? name : name.substring(0, nul), type, descriptorOffset, descriptorSize, end);
    }

    /** Rounds a size up to four bytes. */
    public static long padded(long size) {
        return size + 3 & ~3L;
    }

    private static String printable(String name) {
        return name.replaceAll("[^\\x20-\\x7e]", ".");
    }

    private static void requireWithin(FileBytes file, long offset, long length, long limit, String what) {
        if (offset > limit - length) {
            throw file.malformed(
                    offset,
                    what,
                    length + " bytes within the notes, which end at offset 0x" + Long.toHexString(limit),
                    "only " + (limit - offset) + " bytes",
                    "the notes are cut short or a size in them is wrong");
        }
        file.require(offset, length, what);
    }
}
