package dev.guestcore.format;

import dev.guestcore.Progress;
import dev.guestcore.file.CompanionFile;
import dev.guestcore.file.CoreSink;
import dev.guestcore.file.MemoryOutput;
import java.util.List;

/** A core of one guest, laid out but not written, with known sizes and losses. Not thread-safe; write it once. */
public interface WritePlan {

    /** The variant that will be written ("7.0"). */
    String layout();

    /** Size of the core in bytes: exactly, or, of a format that compresses, the most that it can be. */
    long size();

    /** How much of {@link #size()} may take room on a disk: all but what is known to be a hole of a sparse file. */
    default long storedSize() {
        return size();
    }

    /**
     * What the format cannot carry. What depends on the content of memory, which may not have been read yet, is listed as what
     * there may be; the report lists what there is.
     */
    List<Loss> losses();

    /**
     * Where each byte of memory will stand, by address, if that is known before any memory is, and if all of memory stands in
     * the core as it is. Memory can then be stored first, in any order ({@link MemoryOutput#pass}). Empty for all other
     * formats.
     */
    default List<MemoryPlace> memoryPlaces() {
        return List.of();
    }

    /**
     * Writes the core, strictly forward.
     *
     * @throws dev.guestcore.error.OutputException if the output fails
     * @throws dev.guestcore.error.CancelledException if {@code progress} says so
     */
    WriteReport write(CoreSink sink, Progress progress);

    /** Files that belong beside the core where it is written to a file; a pipe has none. */
    default List<CompanionFile> companions() {
        return List.of();
    }
}
