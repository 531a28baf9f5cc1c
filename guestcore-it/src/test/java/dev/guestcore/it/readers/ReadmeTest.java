package dev.guestcore.it.readers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.guestcore.format.CoreFormat;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The README's column "opened by, in our tests" says what the classes beside this one say. */
class ReadmeTest {

    private static final String COLUMN = "| opened by, in our tests |";

    @Test
    void theReadersOfEachFormatAreThoseOfOurTests() throws Exception {
        Map<String, Set<String>> claimed = claimed();
        assertFalse(claimed.isEmpty());
        Map<String, Set<String>> tested = tested();
        for (CoreFormat format : Guests.formats()) {
            assertEquals(
                    tested.getOrDefault(format.name(), Set.of()),
                    claimed.getOrDefault(format.name(), Set.of()),
                    "readers of format " + format.name());
        }
    }

    /** Rows of the table: format, {@code --to}, reads, writes, opened by. */
    private static Map<String, Set<String>> claimed() throws IOException {
        List<String> lines = Files.readAllLines(Path.of("..", "README.md"));
        Map<String, Set<String>> readers = new TreeMap<>();
        lines.stream()
                .dropWhile(line -> !line.endsWith(COLUMN))
                .skip(2)
                .takeWhile(line -> line.startsWith("|"))
                .map(line -> line.split("\\|"))
                .forEach(cells -> readers.put(cells[2].strip().replace("`", ""), names(cells[5])));
        return readers;
    }

    private static Set<String> names(String cell) {
        Set<String> names = new TreeSet<>();
        Arrays.stream(cell.split(",")).map(String::strip).filter(name -> !name.isEmpty()).forEach(names::add);
        return names;
    }

    private static Map<String, Set<String>> tested() throws Exception {
        URI folder = ReadmeTest.class.getResource("ReadmeTest.class").toURI();
        Map<String, Set<String>> readers = new TreeMap<>();
        try (Stream<Path> classes = Files.list(Path.of(folder).getParent())) {
            for (Path file : classes.toList()) {
                String name = file.getFileName().toString();
                if (name.endsWith("Test.class")) {
                    String simpleName = name.substring(0, name.length() - ".class".length());
                    Opens opens = Class.forName(ReadmeTest.class.getPackageName() + "." + simpleName)
                            .getAnnotation(Opens.class);
                    for (String format : opens == null ? new String[0] : opens.value()) {
                        readers.computeIfAbsent(format, key -> new TreeSet<>()).add(programOf(simpleName));
                    }
                }
            }
        }
        return readers;
    }

    /** "EuReadelfTest" is about eu-readelf. */
    private static String programOf(String simpleName) {
        return simpleName
                .substring(0, simpleName.length() - "Test".length())
                .replaceAll("(?<=[a-z])(?=[A-Z])", "-")
                .toLowerCase(Locale.ROOT);
    }
}
