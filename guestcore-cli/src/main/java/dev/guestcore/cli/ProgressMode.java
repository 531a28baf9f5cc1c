package dev.guestcore.cli;

import dev.guestcore.internal.text.Names;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import picocli.CommandLine.ITypeConverter;

/** Who watches. */
enum ProgressMode {
    /** A bar on a terminal, nothing otherwise. */
    AUTO,
    /** A bar, whatever standard error is. */
    BAR,
    /** JSON lines on standard error. */
    JSON,
    /** Nothing. */
    NONE;

    /** What can stand on the command line, and what it means. */
    static final class Choice implements ITypeConverter<ProgressMode>, Iterable<String> {

        @Override
        public ProgressMode convert(String text) {
            return Choices.find(text, List.of(values()));
        }

        @Override
        public Iterator<String> iterator() {
            return Arrays.stream(values()).map(ProgressMode::toString).iterator();
        }
    }

    /** As it stands on the command line. */
    @Override
    public String toString() {
        return Names.of(this);
    }
}
