package dev.guestcore.it.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A pipe whose reader has seen enough ({@code | head -c 100}). */
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class LostReaderTest {

    private static final int ENOUGH = 100;

    @TempDir
    private static Path folder;

    @BeforeAll
    static void aCore() throws IOException {
        try (Guest guest = WriterProcess.guest(0)) {
            WriterProcess.writer("vbox").write(guest, folder.resolve("core"), Progress.none());
        }
        // More than anybody could print.
        Files.writeString(
                folder.resolve("endless.json"),
                """
                {"regions": [{"kind": "ram", "address": 0, "size": "1T", "contents": [{"address": {"xor": "0xff"}}]}]}
                """);
    }

    private static CommandLine.Ended left(int after, String words) throws IOException, InterruptedException {
        try (CommandLine command = CommandLine.start(folder, words.split(" "))) {
            command.process().getInputStream().readNBytes(after);
            command.process().getInputStream().close();
            return command.endUnread().assertNoTrace();
        }
    }

    /** More output than a pipe holds: it cannot have ended before the reader left. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "read core 0 1M",
                "read file:endless.json 0 1T",
                "read core 0 1M --raw",
                "read file:endless.json 0 1T --raw",
                "search core --hex 00",
                "search core --hex 00 --json",
            })
    void itEndsQuietly(String words) throws Exception {
        CommandLine.Ended ended = left(ENOUGH, words);
        assertEquals(1, ended.code(), ended::toString);
        assertEquals("", ended.err());
    }

    /** A core that is cut short is no core, so that is said. */
    @ParameterizedTest
    @ValueSource(strings = {"vbox", "xen", "elf", "kdump", "lime", "avml", "raw"})
    void aCutCoreIsAnError(String format) throws Exception {
        CommandLine.Ended ended = left(ENOUGH, "convert core -o - --to " + format);
        assertEquals(1, ended.code(), ended::toString);
        String line = ended.oneLine(1);
        assertTrue(line.contains("standard output: writing failed") && line.contains("Broken pipe"), line);
    }

    /** Little output, and nobody who takes even that. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "info core",
                "info core --json",
                "map core",
                "regs core",
                "verify core",
                "diff core core",
                "formats",
                "--help",
                "man",
                "completion",
            })
    void nobodyReadsAtAll(String words) throws Exception {
        CommandLine.Ended ended = left(0, words);
        assertEquals(1, ended.code(), ended::toString);
        assertEquals("", ended.err());
    }
}
