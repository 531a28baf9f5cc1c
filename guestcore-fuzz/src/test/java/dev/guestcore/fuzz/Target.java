package dev.guestcore.fuzz;

import java.io.IOException;
import java.util.List;

/** Something that takes input from others. One that is run gives domain errors only, in bounded time and memory. */
public interface Target {

    /** Short name, fit for a folder. */
    String name();

    /** What is fuzzed, for people. */
    String title();

    /**
     * Takes one input.
     *
     * @throws IOException if the scratch file fails
     */
    void run(byte[] input) throws IOException;

    /**
     * Inputs to begin with.
     *
     * @throws IOException if the scratch file fails
     */
    List<byte[]> seeds() throws IOException;

    /** Words that are worth trying: magic numbers, names, keys. */
    default List<byte[]> dictionary() {
        return List.of();
    }

    /** How many inputs are tried in CI: as many as take some ten seconds there. */
    default int runsInCi() {
        return 1_000;
    }

    /** Longest input in bytes. */
    default int longest() {
        return 1 << 16;
    }
}
