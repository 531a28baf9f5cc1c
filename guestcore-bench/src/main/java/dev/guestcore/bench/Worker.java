package dev.guestcore.bench;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.open.Guests;
import dev.guestcore.search.MemorySearch;
import dev.guestcore.search.SearchPattern;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Writes and searches in a process of its own, so that it can be bound to some processors. Commands on standard input;
 * the answer to each is a line with nanoseconds, nanoseconds of processor time, and a number.
 *
 * <pre>
 *   write SOURCE TARGET CODEC   writes a kdump and deletes it; its size
 *   convert SOURCE TARGET FORMAT  writes a core and deletes it; its size
 *   search SOURCE TEXT          how often the text was found
 * </pre>
 */
public final class Worker {

    private Worker() {}

    /** Answers until standard input ends. */
    public static void main(String[] arguments) throws IOException {
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            String[] words = line.split(" ");
            Pass pass = switch (words[0]) {
                case "write" -> write(words[1], Path.of(words[2]), "kdump", Map.of("compression", words[3]));
                case "convert" -> write(words[1], Path.of(words[2]), words[3], Map.of());
                default -> search(words[1], words[2]);
            };
            System.out.println(pass.nanoseconds() + " " + pass.cpuNanoseconds() + " " + pass.checksum());
        }
    }

    private static Pass write(String source, Path target, String format, Map<String, String> options)
            throws IOException {
        Pass pass = Pass.timed(() -> {
            try (Guest guest = Guests.open(source)) {
                return Guests.format(format)
                        .writer(options)
                        .write(guest, target, Progress.none())
                        .memoryBytes();
            }
        });
        long size = Files.size(target);
        Files.delete(target);
        Files.deleteIfExists(Path.of(target + ".map.json"));
        return new Pass(pass.nanoseconds(), pass.cpuNanoseconds(), size);
    }

    private static Pass search(String source, String text) {
        return Pass.timed(() -> {
            try (Guest guest = Guests.open(source)) {
                SearchPattern pattern = SearchPattern.text(text, List.of(StandardCharsets.US_ASCII));
                return MemorySearch.of(pattern)
                        .physical(guest.memory(), hit -> {}, Progress.none())
                        .hits();
            }
        });
    }
}
