package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.testing.JsonSchema;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.function.Consumer;

/**
 * One run of the program inside this process.
 *
 * @param code exit code
 * @param bytes what went to standard output
 * @param err what went to standard error
 */
record Run(int code, byte[] bytes, String err) {

    /** Runs the program, without a terminal. */
    static Run of(String... arguments) {
        return of(Console.Terminal.none(), arguments);
    }

    /** Runs the program. */
    static Run of(Console.Terminal terminal, String... arguments) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int code = Main.run(new Console(out, err, terminal), arguments);
        return new Run(code, out.toByteArray(), err.toString(StandardCharsets.UTF_8));
    }

    /** Runs the program; {@code onError} is called for every write to standard error, with the user's wish to stop. */
    static Run watched(Consumer<Cancellation> onError, String... arguments) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        Cancellation[] cancellation = new Cancellation[1];
        OutputStream watched = new OutputStream() {
            @Override
            public void write(int value) {
                err.write(value);
                onError.accept(cancellation[0]);
            }
        };
        Console console = new Console(out, watched, Console.Terminal.none());
        cancellation[0] = console.cancellation();
        int code = Main.run(console, arguments);
        return new Run(code, out.toByteArray(), err.toString(StandardCharsets.UTF_8));
    }

    /** Standard error without the line that every look at a live guest ends with. */
    String errBesideTheLook() {
        return err.replaceFirst("the guest stood still for .*\\R", "");
    }

    String out() {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    /** Checks the exit code; if it is another one, shows what the program said. */
    Run expect(int expected) {
        assertEquals(expected, code, () -> "standard error:\n" + err + "standard output:\n" + out());
        return this;
    }

    /** Checks that the program failed with one line that holds all of {@code parts}. */
    Run failsWith(int expected, String... parts) {
        expect(expected);
        // With --json it is one line as well, in another form.
        assertTrue(err.startsWith("guestcore: ") || err.startsWith("{\"schema\":\"error\","), err);
        assertFalse(err.contains("\tat "), err);
        assertEquals(1, err.lines().count(), err);
        for (String part : parts) {
            assertTrue(err.contains(part), () -> "expected '" + part + "' in: " + err);
        }
        return this;
    }

    /** Checks that the command line was refused, with a hint. */
    Run refuses(String... parts) {
        expect(ExitCode.USAGE);
        assertEquals("", out());
        assertTrue(err.contains("--help'."), err);
        assertFalse(err.contains("\tat "), err);
        for (String part : parts) {
            assertTrue(err.contains(part), () -> "expected '" + part + "' in: " + err);
        }
        return this;
    }

    /** Standard output as one JSON document: maps, lists, strings, numbers, booleans. */
    Map<?, ?> json() {
        return (Map<?, ?>) parse(bytes);
    }

    /** One JSON document. */
    static Object parse(byte[] text) {
        return JsonSchema.parse(text);
    }
}
