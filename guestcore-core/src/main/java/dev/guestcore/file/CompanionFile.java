package dev.guestcore.file;

import java.util.Objects;
import java.util.function.Consumer;

/**
 * A file beside a core, for what the core itself cannot hold.
 *
 * @param suffix what is appended to the core's name (".map.json")
 * @param content writes it; called once, after the core was written
 */
public record CompanionFile(String suffix, Consumer<CoreSink> content) {

    /** Checks for null. */
    public CompanionFile {
        Objects.requireNonNull(suffix);
        Objects.requireNonNull(content);
    }
}
