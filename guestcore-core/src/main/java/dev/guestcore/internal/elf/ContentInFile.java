package dev.guestcore.internal.elf;

import dev.guestcore.facts.ElfFacts;
import dev.guestcore.file.FileBytes;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * What a note says, left in the file until it is wanted.
 *
 * @param file where it lies; must be open when it is read
 * @param offset where in the file
 * @param size in bytes; all within the file
 */
public record ContentInFile(FileBytes file, long offset, long size) implements ElfFacts.Content {

    @Override
    public void read(long from, MemorySegment target) {
        Objects.checkFromIndexSize(from, target.byteSize(), size);
        long read = file.read(offset + from, target);
        if (read < target.byteSize()) {
            throw file.incomplete(offset + from + read);
        }
    }
}
