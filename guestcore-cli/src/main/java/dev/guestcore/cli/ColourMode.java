package dev.guestcore.cli;

import dev.guestcore.internal.text.Names;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.ITypeConverter;

/** Where colours are welcome. */
enum ColourMode {
    /** On a terminal, unless NO_COLOR says otherwise. */
    AUTO,
    /** Everywhere. */
    ALWAYS,
    /** Nowhere. */
    NEVER;

    /** The option. */
    static final String OPTION = "--color";

    /** What can stand on the command line, and what it means. */
    static final class Choice implements ITypeConverter<ColourMode>, Iterable<String> {

        @Override
        public ColourMode convert(String text) {
            return Choices.find(text, List.of(values()));
        }

        @Override
        public Iterator<String> iterator() {
            return Arrays.stream(values()).map(ColourMode::toString).iterator();
        }
    }

    /** What the command line says, before it is parsed: help and errors have colours too. */
    static Optional<ColourMode> in(List<String> words) {
        for (int i = 0; i < words.size(); i++) {
            String word = words.get(i);
            String value = word.startsWith(OPTION + "=")
                    ? word.substring(OPTION.length() + 1)
                    : word.equals(OPTION) && i + 1 < words.size() ? words.get(i + 1) : "";
            for (ColourMode mode : values()) {
                if (mode.toString().equals(value)) {
                    return Optional.of(mode);
                }
            }
        }
        return Optional.empty();
    }

    /** As it stands on the command line. */
    @Override
    public String toString() {
        return Names.of(this);
    }
}
