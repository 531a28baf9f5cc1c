package dev.guestcore.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Where something is.
 *
 * @param file name of the file, as the user gave it; empty if it is in none, or if that goes without saying
 * @param offset bytes from the start of the file
 * @param address guest-physical address, unsigned; of a virtual memory, the virtual address
 */
public record Place(Optional<String> file, OptionalLong offset, OptionalLong address) {

    /** No place that could be told. */
    public static final Place UNKNOWN = new Place(Optional.empty(), OptionalLong.empty(), OptionalLong.empty());

    /** Checks for null. */
    public Place {
        Objects.requireNonNull(file);
        Objects.requireNonNull(offset);
        Objects.requireNonNull(address);
    }

    /** A place in a file. */
    public static Place of(String file, long offset) {
        return new Place(Optional.of(file), OptionalLong.of(offset), OptionalLong.empty());
    }

    /** A place in memory. */
    public static Place ofAddress(long address) {
        return new Place(Optional.empty(), OptionalLong.empty(), OptionalLong.of(address));
    }

    /** A place in the file that is spoken of, if it is one place. */
    public static Place ofOffset(OptionalLong offset) {
        return new Place(Optional.empty(), offset, OptionalLong.empty());
    }

    @Override
    public String toString() {
        List<String> parts = new ArrayList<>();
        file.ifPresent(parts::add);
        offset.ifPresent(at -> parts.add("offset 0x" + Long.toHexString(at)));
        address.ifPresent(at -> parts.add("address 0x" + Long.toHexString(at)));
        return "Place[" + String.join(", ", parts) + "]";
    }
}
