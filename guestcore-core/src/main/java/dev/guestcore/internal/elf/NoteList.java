package dev.guestcore.internal.elf;

import dev.guestcore.facts.ElfFacts;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Consumer;

/**
 * Notes as they will stand in a file: their size is known before they are written, and what is long passes through memory in
 * pieces.
 *
 * @param notes in the order of the file
 * @param order byte order of their headers
 */
public record NoteList(List<ElfFacts.Note> notes, ByteOrder order) {

    private static final int PIECE = 1 << 16;

    /** Copies the list. */
    public NoteList {
        notes = List.copyOf(notes);
    }

    /** Size of all notes in bytes, a multiple of four. */
    public long size() {
        return notes.stream().mapToLong(NoteList::size).sum();
    }

    private static long size(ElfFacts.Note note) {
        return headerSize(note.name()) + ElfNote.padded(note.content().size());
    }

    private static long headerSize(String name) {
        return 3L * Integer.BYTES + ElfNote.padded(name.length() + 1L);
    }

    /** What stands before the descriptor of a note. */
    static byte[] header(String name, long type, long descriptorSize, ByteOrder order) {
        byte[] text = name.getBytes(StandardCharsets.ISO_8859_1);
        return ByteBuffer.allocate((int) headerSize(name))
                .order(order)
                .putInt(text.length + 1)
                .putInt((int) descriptorSize)
                .putInt((int) type)
                .put(text)
                .array();
    }

    /**
     * Gives all notes, piece after piece.
     *
     * @param output takes the next piece; its bytes change when it returns
     */
    public void write(Consumer<MemorySegment> output) {
        byte[] piece = new byte[PIECE];
        MemorySegment all = MemorySegment.ofArray(piece);
        long filled = 0;
        for (ElfFacts.Note note : notes) {
            byte[] header = header(note.name(), note.type(), note.content().size(), order);
            filled = flush(all, filled, header.length, output);
            MemorySegment.copy(MemorySegment.ofArray(header), 0, all, filled, header.length);
            filled += header.length;
            long size = note.content().size();
            for (long done = 0; done < size;) {
                filled = flush(all, filled, 2 * Integer.BYTES, output);
                long some = Math.min(size - done, PIECE - Integer.BYTES - filled);
                note.content().read(done, all.asSlice(filled, some));
                filled += some;
                done += some;
            }
            long padding = ElfNote.padded(size) - size;
            all.asSlice(filled, padding).fill((byte) 0);
            filled += padding;
        }
        flush(all, filled, PIECE, output);
    }

    /** Hands out what is there unless {@code room} more bytes fit behind it; gives what remains. */
    private static long flush(MemorySegment piece, long filled, long room, Consumer<MemorySegment> output) {
        if (filled == 0 || PIECE - filled >= room) {
            return filled;
        }
        output.accept(piece.asSlice(0, filled));
        return 0;
    }

    /**
     * Where the descriptor of the first note of that owner begins, counted from the first note.
     *
     * @throws IllegalArgumentException if there is none
     */
    public long descriptorOffset(String name) {
        long at = 0;
        for (ElfFacts.Note note : notes) {
            if (note.name().equals(name)) {
                return at + headerSize(name);
            }
            at += size(note);
        }
        throw new IllegalArgumentException("no note " + name);
    }
}
