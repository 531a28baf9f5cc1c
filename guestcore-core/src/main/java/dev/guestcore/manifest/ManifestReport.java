package dev.guestcore.manifest;

import dev.guestcore.AddressRange;
import dev.guestcore.MemoryRegion;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * How a core compares with a manifest.
 *
 * @param relation how the file relates to the manifest
 * @param expectedSize size in bytes of the file that the manifest is about
 * @param size size in bytes of the file that was checked
 * @param expectedSha256 digest of the file that the manifest is about, hexadecimal
 * @param sha256 digest of the file that was checked, hexadecimal; empty where only its memory was compared
 * @param changes where it differs: memory upwards, then the rest of the file; at most {@link #MOST_CHANGES}
 * @param changedMemoryPages pages of guest memory that differ, in all
 * @param changedFilePages 4 KiB blocks of the file that differ outside guest memory, in all
 * @param companions the files beside it
 * @param modifiedAfterwards when a changed file was last modified, if that was after its manifest was made: then the manifest
 *     may be that of an earlier core of the same name, which this one replaced
 */
public record ManifestReport(
        Relation relation,
        long expectedSize,
        long size,
        String expectedSha256,
        String sha256,
        List<Change> changes,
        long changedMemoryPages,
        long changedFilePages,
        List<Companion> companions,
        Optional<Instant> modifiedAfterwards) {

    /** The longest list of changes. */
    public static final int MOST_CHANGES = 1000;

    /** What a file is to a manifest. */
    public enum Relation {
        /** Every byte is as it was. */
        SAME_FILE,
        /** The file was changed, or is a wrong one. */
        CHANGED_FILE,
        /** Another format, layout or compression, so that only the guest's memory can be compared. */
        OTHER_FORM
    }

    /** What a change is in. */
    public enum Part {
        /** Memory of the guest. */
        MEMORY,
        /** Headers, notes, tables, or memory in another form. */
        FILE,
        /** Bytes that the file should have at its end, and has not. */
        MISSING,
        /** Bytes that the file has behind its end. */
        EXTRA
    }

    /**
     * A difference. Pages that lie side by side are one.
     *
     * @param first first guest-physical address of {@link Part#MEMORY}, file offset otherwise
     * @param last last one, inclusive
     * @param pages how many 4 KiB pages it has, or are touched
     * @param region the region of the memory
     * @param offset where in the file the memory begins, if it lies there as it is
     */
    public record Change(
            Part part, long first, long last, long pages, Optional<MemoryRegion> region, OptionalLong offset) {

        /** One line, with addresses and offsets in hexadecimal. */
        @Override
        public String toString() {
            return part + " " + new AddressRange(first, last)
                    + region.map(memory -> " of " + memory.kind() + " " + memory.range()).orElse("")
                    + (offset.isPresent() ? " at offset 0x" + Long.toHexString(offset.getAsLong()) : "");
        }
    }

    /**
     * A file beside the core.
     *
     * @param name its name, in the folder of the core
     * @param state what became of it
     */
    public record Companion(String name, State state) {

        /** What became of a file. */
        public enum State {
            /** Every byte is as it was. */
            SAME,
            /** It differs. */
            CHANGED,
            /** It is not there. */
            MISSING
        }
    }

    /** Copies the lists. */
    public ManifestReport {
        changes = List.copyOf(changes);
        companions = List.copyOf(companions);
    }

    /** Whether everything that can be compared is as it was. */
    public boolean matches() {
        boolean companionsMatch =
                companions.stream().allMatch(companion -> companion.state() == Companion.State.SAME);
        return switch (relation) {
            case SAME_FILE -> companionsMatch;
            case OTHER_FORM -> changedMemoryPages == 0;
            case CHANGED_FILE -> false;
        };
    }
}
