package dev.guestcore.format;

import java.util.Objects;
import java.util.function.Consumer;

/**
 * A file that belongs beside a core: what the core itself has no room for.
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
