package dev.guestcore.cli;

import dev.guestcore.MemoryRegion;
import dev.guestcore.file.Locations;
import dev.guestcore.internal.text.Amounts;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Words and numbers for people. */
final class Text {

    private static final long MILLION = 1_000_000L;

    /** No line of prose is longer, however wide the terminal: nobody reads on in the right one. */
    static final int WIDEST = 120;

    private Text() {}

    /** "1 region", "1,204 regions". */
    static String counted(long count, String noun) {
        return Amounts.count(count) + " " + noun + (count == 1 ? "" : "s");
    }

    /** "RAM", "ROM", "device". */
    static String kind(MemoryRegion.Kind kind) {
        return kind == MemoryRegion.Kind.DEVICE ? "device" : kind.name();
    }

    /** "850 µs", "12.3 ms", "1.5 s". */
    static String time(Duration time) {
        long nanos = time.toNanos();
        if (nanos < MILLION) {
            return nanos / 1000 + " µs";
        }
        if (nanos < 1000 * MILLION) {
            return nanos / 100_000 / 10.0 + " ms";
        }
        return nanos / (10 * MILLION) / 100.0 + " s";
    }

    /** How this program was called, to be typed again. */
    static String program() {
        return quoted(System.getProperty("guestcore.command", "guestcore"));
    }

    /**
     * The name as a shell takes it, and as a terminal shows it without obeying. Where it is an address with a secret, that is
     * left out.
     */
    static String quoted(String typed) {
        String name = Locations.printable(typed);
        if (!Printable.of(name).equals(name)) {
            return "$'" + Printable.of(name.replace("\\", "\\\\").replace("'", "\\'")) + "'";
        }
        boolean plain = name.matches("[A-Za-z0-9_./:@%+,=][A-Za-z0-9_./:@%+,=-]*");
        return plain ? name : "'" + name.replace("'", "'\\''") + "'";
    }

    /** The text in lines of at most {@code width} columns, broken at blanks. */
    static List<String> wrap(String text, int width) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder();
        for (String word : text.split(" ")) {
            if (!line.isEmpty() && line.length() + 1 + word.length() > width) {
                lines.add(line.toString());
                line.setLength(0);
            }
            line.append(line.isEmpty() ? "" : " ").append(word);
        }
        lines.add(line.toString());
        return lines;
    }
}
