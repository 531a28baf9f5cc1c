package dev.guestcore.fuzz;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** What Jazzer calls. */
public final class Entry {

    /** System property that names the target. */
    static final String TARGET_PROPERTY = "guestcore.fuzz.target";

    private static final Path OPEN_FILES = Path.of("/proc/self/fd");
    private static final int MOST_OPEN_FILES = 300;
    private static final int CHECKED_EVERY = 4096;

    private static final Target TARGET = Targets.of(System.getProperty(TARGET_PROPERTY));

    private static int runs;

    private Entry() {}

    /**
     * Runs the target once.
     *
     * @param input from the fuzzer
     * @throws IOException if the scratch file fails
     */
    public static void fuzzerTestOneInput(byte[] input) throws IOException {
        TARGET.run(input);
        if (++runs % CHECKED_EVERY == 0 && Files.isDirectory(OPEN_FILES)) {
            try (Stream<Path> open = Files.list(OPEN_FILES)) {
                long count = open.count();
                GuestWalk.require(count < MOST_OPEN_FILES, "files stay open", count);
            }
        }
    }
}
