package dev.guestcore.it.readers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.it.QemuGuest;
import dev.guestcore.it.Tools;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/**
 * What a program said.
 *
 * @param status its exit status
 * @param output what it wrote to standard output
 * @param errors what it wrote to standard error
 */
record Program(int status, String output, String errors) {

    private static final long LONGEST_SECONDS = 120;

    /** Debian's Python sees Debian's modules; another one that comes first in the path may not. */
    private static final Path PYTHON = Path.of("/usr/bin/python3");

    /** Runs a program of the machine with English messages and nothing to read. */
    static Program run(String name, Object... arguments) {
        return run(command(name, arguments), "");
    }

    /** Runs a program that reads a file from standard input. */
    static Program runWithInput(Path input, String name, Object... arguments) {
        return run(command(name, arguments), input);
    }

    private static List<String> command(String name, Object... arguments) {
        List<String> command = new ArrayList<>(List.of(Tools.require(name).toString()));
        for (Object argument : arguments) {
            command.add(argument.toString());
        }
        return command;
    }

    /**
     * Runs a Python script of the test resources.
     *
     * @param module that it imports
     * @param debianPackage where that module comes from
     * @param input what it reads from standard input
     */
    static Program python(String script, String module, String debianPackage, String input, Object... arguments) {
        if (!Files.isExecutable(PYTHON)
                || run(List.of(PYTHON.toString(), "-c", "import " + module), "").status() != 0) {
            Tools.missing(debianPackage + " is not installed");
        }
        List<String> command = new ArrayList<>(List.of(PYTHON.toString(), "-c", text("/readers/" + script)));
        for (Object argument : arguments) {
            command.add(argument.toString());
        }
        return run(command, input);
    }

    private static Program run(List<String> command, String input) {
        try {
            Path file = Files.writeString(Files.createTempFile("guestcore-reader", ".in"), input);
            try {
                return run(command, file);
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Through files, so that neither side ever waits for the other. */
    private static Program run(List<String> command, Path input) {
        try {
            Path folder = Files.createTempDirectory("guestcore-reader");
            Path output = folder.resolve("out");
            Path errors = folder.resolve("err");
            try {
                ProcessBuilder builder = new ProcessBuilder(command)
                        .redirectInput(input.toFile())
                        .redirectOutput(output.toFile())
                        .redirectError(errors.toFile());
                builder.environment().put("LC_ALL", "C.UTF-8");
                builder.environment().remove("DEBUGINFOD_URLS");
                Process process = builder.start();
                try {
                    assertTrue(
                            process.waitFor(LONGEST_SECONDS, TimeUnit.SECONDS),
                            () -> command.getFirst() + " still runs after " + LONGEST_SECONDS + " s");
                } finally {
                    process.destroyForcibly();
                }
                return new Program(process.exitValue(), text(output), text(errors));
            } finally {
                for (Path file : List.of(output, errors, folder)) {
                    Files.deleteIfExists(file);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private static String text(Path file) throws IOException {
        return new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
    }

    private static String text(String resource) {
        try (InputStream stream = Objects.requireNonNull(QemuGuest.class.getResourceAsStream(resource), resource)) {
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The same, after a check that the program ended well and had nothing to complain about. */
    Program content() {
        assertEquals("", errors);
        assertEquals(0, status, output);
        return this;
    }

    /** Both outputs. */
    String all() {
        return output + errors;
    }
}
