package dev.guestcore.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Builds ELF files field by field, of both classes and byte orders, right or wrong as the test wishes. */
public final class ElfFiles {

    private final boolean wide;
    private final ByteOrder order;
    private final ByteBuffer bytes;
    private final List<long[]> headers = new ArrayList<>();
    private int end;

    /** Begins a core of at most {@code capacity} bytes; content begins at 0x200. */
    public ElfFiles(boolean wide, ByteOrder order, int machine, int capacity) {
        this.wide = wide;
        this.order = order;
        this.bytes = ByteBuffer.allocate(capacity).order(order);
        bytes.put(new byte[] {0x7f, 'E', 'L', 'F', (byte) (wide ? 2 : 1),
            (byte) (order == ByteOrder.LITTLE_ENDIAN ? 1 : 2), 1});
        bytes.putShort(16, (short) 4).putShort(18, (short) machine).putInt(20, 1);
        bytes.putShort(tail() + 4, (short) (wide ? 64 : 52));
        bytes.putShort(tail() + 6, (short) (wide ? 56 : 32));
        end = 0x200;
    }

    private int tail() {
        return wide ? 48 : 36;
    }

    /** Sets any two bytes. */
    public ElfFiles u16(int offset, int value) {
        bytes.putShort(offset, (short) value);
        return this;
    }

    /** Sets e_phnum as stored. */
    public ElfFiles programHeaderCount(int value) {
        return u16(tail() + 8, value);
    }

    /** Sets e_ehsize. */
    public ElfFiles headerSize(int value) {
        return u16(tail() + 4, value);
    }

    /** Sets e_shoff. */
    public ElfFiles sectionHeaderOffset(long value) {
        putWord(24 + 2 * (wide ? 8 : 4), value);
        return this;
    }

    /** Appends content; gives its offset. */
    public int content(byte[] content) {
        int offset = end;
        bytes.put(offset, content);
        end += content.length;
        return offset;
    }

    /** A note with header and padding. */
    public byte[] note(String name, int type, byte[] descriptor) {
        int nameSize = name.length() + 1;
        ByteBuffer note = ByteBuffer.allocate(12 + (nameSize + 3 & ~3) + (descriptor.length + 3 & ~3)).order(order);
        note.putInt(nameSize).putInt(descriptor.length).putInt(type);
        note.put(name.getBytes(StandardCharsets.US_ASCII));
        note.put(12 + (nameSize + 3 & ~3), descriptor);
        return note.array();
    }

    /** Adds a program header. */
    public ElfFiles programHeader(long type, long offset, long virtual, long physical, long fileSize, long memorySize) {
        headers.add(new long[] {type, offset, virtual, physical, fileSize, memorySize});
        return this;
    }

    /** Adds a PT_LOAD with all of its content. */
    public ElfFiles load(long physical, byte[] content) {
        return programHeader(1, content(content), 0, physical, content.length, content.length);
    }

    private void putWord(int offset, long value) {
        if (wide) {
            bytes.putLong(offset, value);
        } else {
            bytes.putInt(offset, (int) value);
        }
    }

    /** Puts the program headers at the end of the file so far and gives the file. */
    public byte[] build() {
        return build(end + 7 & ~7);
    }

    /** Puts the program headers at an offset and gives the file. */
    public byte[] build(int offset) {
        putWord(24 + (wide ? 8 : 4), offset);
        if (bytes.getShort(tail() + 8) == 0) {
            programHeaderCount(headers.size());
        }
        int at = offset;
        for (long[] header : headers) {
            bytes.putInt(at, (int) header[0]);
            if (wide) {
                bytes.putInt(at + 4, 4).putLong(at + 8, header[1]).putLong(at + 16, header[2]);
                bytes.putLong(at + 24, header[3]).putLong(at + 32, header[4]).putLong(at + 40, header[5]);
            } else {
                bytes.putInt(at + 4, (int) header[1]).putInt(at + 8, (int) header[2]).putInt(at + 12, (int) header[3]);
                bytes.putInt(at + 16, (int) header[4]).putInt(at + 20, (int) header[5]).putInt(at + 24, 4);
            }
            at += wide ? 56 : 32;
        }
        end = Math.max(end, at);
        byte[] file = new byte[end];
        bytes.get(0, file);
        return file;
    }

    /** Writes the file. */
    public static Path write(Path target, byte[] content) {
        try {
            return Files.write(target, content);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
