package dev.guestcore.cli;

import dev.guestcore.error.OutputException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/** Names of files as users type them. */
final class FileNames {

    /** The name that stands for standard output. */
    static final String STANDARD_OUTPUT = "-";

    private FileNames() {}

    /** The folder that a file lies in. */
    static Path folder(Path file) {
        Path parent = file.toAbsolutePath().getParent();
        return parent == null ? file.toAbsolutePath() : parent;
    }

    /** The path of a file to write. */
    static Path fileToWrite(String name) {
        if (name.endsWith("/")) {
            // Path forgets the slash that says that a folder is meant.
            throw new OutputException(name + ": is the name of a folder; name a file in it");
        }
        return path(name);
    }

    /** The path of that name. */
    static Path path(String name) {
        try {
            return Path.of(name);
        } catch (InvalidPathException e) {
            throw new OutputException(
                    "'" + name + "' is not a path: " + e.getReason()
                            + "; letters that are not ASCII need a UTF-8 locale (LC_ALL=C.UTF-8)",
                    e);
        }
    }
}
