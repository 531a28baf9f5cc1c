package dev.guestcore.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs programs of others. Where one is missing, the test is skipped with a message; where CI is set, it fails. */
public final class ForeignTools {

    private static final Path PYTHON = Path.of("/usr/bin/python3");

    private ForeignTools() {}

    /** What a program said, on both streams, and how it ended. */
    public record Answer(int exitCode, String text) {}

    /** Makes sure that programs are installed. */
    public static void require(String... programs) {
        for (String program : programs) {
            boolean found = Arrays.stream(System.getenv("PATH").split(File.pathSeparator))
                    .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
            if (!found) {
                missing(program + " is not installed");
            }
        }
    }

    /** Makes sure that a module of the system's Python is installed. */
    public static void requirePython(String module) {
        if (!Files.isExecutable(PYTHON) || run(PYTHON.toString(), "-c", "import " + module).exitCode() != 0) {
            missing("the Python module " + module + " is not installed");
        }
    }

    /** Skips the test with a message, or fails it in CI, because something that it needs is not there. */
    public static <T> T missing(String message) {
        if (System.getenv("CI") != null) {
            return fail(message);
        }
        System.err.println("SKIPPED: " + message);
        return abort(message);
    }

    /** Runs a program for at most two minutes. */
    public static Answer run(String... command) {
        try {
            Path output = Files.createTempFile("guestcore-tool", ".txt");
            try {
                Process process = new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(output.toFile())
                        .redirectInput(new File("/dev/null"))
                        .start();
                if (!process.waitFor(2, TimeUnit.MINUTES)) {
                    process.destroyForcibly();
                    return fail(List.of(command) + " did not end");
                }
                return new Answer(process.exitValue(), Files.readString(output, StandardCharsets.ISO_8859_1));
            } finally {
                Files.delete(output);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /** Runs a program that must end well; gives what it said. */
    public static String output(String... command) {
        Answer answer = run(command);
        assertEquals(0, answer.exitCode(), () -> List.of(command) + ": " + answer.text());
        return answer.text();
    }

    /** Runs a script with the system's Python, which must end well; gives what it printed. */
    public static String python(String script, String... arguments) {
        String[] command = new String[arguments.length + 3];
        command[0] = PYTHON.toString();
        command[1] = "-c";
        command[2] = script;
        System.arraycopy(arguments, 0, command, 3, arguments.length);
        return output(command);
    }
}
