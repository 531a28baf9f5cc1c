package dev.guestcore.cli;

import java.util.Arrays;
import java.util.Iterator;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

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
            return Arrays.stream(values())
                    .filter(mode -> mode.toString().equals(text))
                    .findFirst()
                    .orElseThrow(() -> new TypeConversionException(
                            "'" + text + "' is not one of " + String.join(", ", this)));
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
