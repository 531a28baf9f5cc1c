package dev.guestcore.it.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.guestcore.format.CoreFormat;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Ctrl-C in every command that runs long: the shell's exit code for it, and nothing is left. */
@Timeout(value = 1, unit = TimeUnit.MINUTES)
class InterruptedTest {

    private static final int CANCELLED = 130;

    @TempDir
    private Path folder;

    static Stream<String> formats() {
        return Guests.formats().stream().filter(CoreFormat::canWrite).map(CoreFormat::name);
    }

    private CommandLine.Ended interrupted(String... arguments) throws IOException, InterruptedException {
        Path work = Files.createDirectories(folder.resolve("work"));
        try (CommandLine command = CommandLine.start(work, arguments)) {
            Thread reader = Thread.ofVirtual().start(() -> drain(command.process().getInputStream()));
            SlowProvider.awaitReached(folder, command);
            command.signal("INT");
            reader.join();
            CommandLine.Ended ended = command.endUnread();
            assertEquals(List.of(), CommandLine.names(work), ended::toString);
            return ended.expect(CANCELLED);
        }
    }

    private static void drain(InputStream output) {
        try (output) {
            output.transferTo(OutputStream.nullOutputStream());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @ParameterizedTest
    @MethodSource("formats")
    void aFileThatIsWritten(String format) throws Exception {
        interrupted("capture", "slow:" + folder, "-o", "core", "--to", format);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "capture SOURCE -o - --to elf",
                "search SOURCE absent",
                "read SOURCE 0 32M",
                "read SOURCE 0 32M --raw",
                "read SOURCE 0 32M --raw -o bytes",
                "map SOURCE --scan",
                "info SOURCE --scan",
                "diff SOURCE SOURCE",
                "diff SOURCE SOURCE --svg picture",
            })
    void aCommandThatReads(String words) throws Exception {
        interrupted(words.replace("SOURCE", "slow:" + folder).split(" "));
    }

    @Test
    void aServerThatWaits() throws Exception {
        Files.createFile(folder.resolve(SlowProvider.GO));
        Path work = Files.createDirectories(folder.resolve("work"));
        try (CommandLine command =
                CommandLine.start(work, "gdb", "slow:" + folder, "--socket", work.resolve("gdb").toString())) {
            while (!Files.exists(work.resolve("gdb"))) {
                assertFalse(!command.process().isAlive(), command.err());
                TimeUnit.MILLISECONDS.sleep(5);
            }
            command.signal("INT");
            // To end so is what it is for.
            command.end().expect(0);
            assertEquals(List.of(), CommandLine.names(work));
        }
    }
}
