package dev.guestcore.it.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The program in a process of its own, as users run it. Closing kills it. */
public final class CommandLine implements AutoCloseable {

    private static final String MAIN = "dev.guestcore.cli.Main";
    private static final int PATIENCE = 60;
    private static final int SHOWN = 4000;

    private final Process process;
    private final Path errors;

    /** How a command ended: exit code, standard output, standard error. */
    public record Ended(int code, String out, String err) {

        /** Checks that it failed with one line, and gives that. */
        public String oneLine(int expected) {
            assertEquals(expected, code, this::toString);
            List<String> lines = err.lines().filter(line -> line.startsWith("guestcore: ")).toList();
            assertEquals(1, lines.size(), this::toString);
            assertNoTrace();
            return lines.getFirst();
        }

        /** Checks that it failed, and gives the line that says why, which may stand behind remarks. */
        public String lastLine(int expected) {
            assertEquals(expected, code, this::toString);
            assertNoTrace();
            return err.lines().filter(line -> line.startsWith("guestcore: ")).toList().getLast();
        }

        /** Checks that nobody sees the inside of the program. */
        Ended assertNoTrace() {
            assertFalse(err.contains("\tat ") || err.contains("Exception"), this::toString);
            assertFalse(err.contains("an error in Guestcore itself"), this::toString);
            return this;
        }

        @Override
        public String toString() {
            return "exit code " + code + ", standard error: " + err + ", standard output: "
                    + out.substring(0, Math.min(out.length(), SHOWN));
        }

        /** Checks the exit code. */
        public Ended expect(int expected) {
            assertEquals(expected, code, this::toString);
            return assertNoTrace();
        }
    }

    private CommandLine(Process process, Path errors) {
        this.process = process;
        this.errors = errors;
    }

    /** The words that start it: a program that starts Java (may be empty), options of Java, arguments. */
    static List<String> words(List<String> prefix, List<String> options, String... arguments) {
        List<String> words = new ArrayList<>(prefix);
        // Where tests run in the background, SIGINT may be ignored, and is so in what they start.
        words.addAll(List.of("env", "--default-signal=INT"));
        words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        words.addAll(List.of(
                "-Xmx128m",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow"));
        words.addAll(options);
        words.addAll(List.of("-cp", System.getProperty("java.class.path"), MAIN));
        words.addAll(List.of(arguments));
        return words;
    }

    /** Starts words in a folder, with more variables in the environment. */
    static CommandLine start(Path folder, Map<String, String> environment, List<String> words) throws IOException {
        Path errors = Files.createTempFile("guestcore-errors", ".txt");
        ProcessBuilder builder = new ProcessBuilder(words).directory(folder.toFile()).redirectError(errors.toFile());
        builder.environment().putAll(environment);
        return new CommandLine(builder.start(), errors);
    }

    /** Starts a command in a folder. */
    public static CommandLine start(Path folder, String... arguments) throws IOException {
        return start(folder, Map.of(), words(List.of(), List.of(), arguments));
    }

    /** Runs a command in a folder to its end. */
    public static Ended run(Path folder, String... arguments) throws IOException, InterruptedException {
        try (CommandLine command = start(folder, arguments)) {
            return command.end();
        }
    }

    /** The process. */
    public Process process() {
        return process;
    }

    /** What it wrote to standard error so far. */
    String err() throws IOException {
        return Files.readString(errors, StandardCharsets.ISO_8859_1);
    }

    /** Sends a signal. */
    public void signal(String name) throws IOException, InterruptedException {
        Process kill =
                new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).inheritIO().start();
        assertEquals(0, kill.waitFor());
    }

    /** Reads the rest of its output and waits for its end. */
    Ended end() throws IOException, InterruptedException {
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return ended(out);
    }

    /** Throws the rest of its output away and waits for its end. */
    public Ended endUnseen() throws IOException, InterruptedException {
        process.getInputStream().transferTo(OutputStream.nullOutputStream());
        return endUnread();
    }

    /** Waits for its end without reading its output. */
    Ended endUnread() throws IOException, InterruptedException {
        return ended("");
    }

    private Ended ended(String out) throws IOException, InterruptedException {
        assertTrue(process.waitFor(PATIENCE, TimeUnit.SECONDS), "ends");
        return new Ended(process.exitValue(), out, Files.readString(errors));
    }

    /** Names of the files in a folder, hidden ones too, sorted. */
    static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    @Override
    public void close() throws IOException {
        process.destroyForcibly();
        Files.deleteIfExists(errors);
    }
}
