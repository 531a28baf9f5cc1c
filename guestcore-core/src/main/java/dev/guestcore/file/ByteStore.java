package dev.guestcore.file;

import java.util.List;

/**
 * A place that is no folder of this machine, whose files are named by addresses and can be read at any position. Found through
 * {@link java.util.ServiceLoader}; stateless and thread-safe.
 */
public interface ByteStore {

    /** What stands before {@code ://} in the addresses, in lower case: "https". */
    List<String> schemes();

    /** One line for the user: how an address looks, two spaces, and what it opens. */
    String help();

    /**
     * Opens the object of an address.
     *
     * @param address as the user gave it
     * @return named by {@link Locations#printable}, so that no message shows a secret
     * @throws dev.guestcore.error.SourceException if there is no such object, or it cannot be read at any position
     */
    RandomAccessBytes open(String address);
}
