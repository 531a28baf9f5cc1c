package dev.guestcore.it.faults;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Other languages, character sets, time zones and times: what the program says and writes stays the same. */
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class LocaleTest {

    private static final List<String> TURKISH = List.of("-Duser.language=tr", "-Duser.country=TR");
    private static final Map<String, String> FAR_AWAY = Map.of("TZ", "Pacific/Kiritimati");

    @TempDir
    private Path folder;

    private CommandLine.Ended run(Map<String, String> environment, List<String> options, String words)
            throws IOException, InterruptedException {
        try (CommandLine command = CommandLine.start(
                folder, environment, CommandLine.words(List.of(), options, words.split(" ")))) {
            return command.end();
        }
    }

    private void core(String name) {
        try (Guest guest = WriterProcess.guest(0)) {
            WriterProcess.writer("vbox").write(guest, folder.resolve(name), Progress.none());
        }
    }

    /** An I in a name becomes another letter in Turkish, and digits may be others too. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "info core --json",
                "formats",
                "read core 0X100 32",
                "search core --hex 00ff",
                "convert core -o a --to XEN",
            })
    void turkishAndFarAway(String words) throws Exception {
        core("core");
        CommandLine.Ended plain = run(Map.of(), List.of("-Duser.language=en", "-Duser.country=US"), words);
        CommandLine.Ended other = run(FAR_AWAY, TURKISH, words);
        assertEquals(plain, other);
        plain.assertNoTrace();
    }

    static Stream<String> formats() {
        return Guests.formats().stream().filter(CoreFormat::canWrite).map(CoreFormat::name);
    }

    @ParameterizedTest
    @ValueSource(strings = {"elf", "kdump", "xen"})
    void turkishBytes(String format) throws Exception {
        core("core");
        run(Map.of(), List.of(), "convert core -o plain --to " + format).expect(0);
        run(FAR_AWAY, TURKISH, "convert core -o other --to " + format).expect(0);
        assertArrayEquals(Files.readAllBytes(folder.resolve("plain")), Files.readAllBytes(folder.resolve("other")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"C", "POSIX"})
    void aNameThatTheLocaleCannotSay(String locale) throws Exception {
        Map<String, String> environment = Map.of("LC_ALL", locale);
        String line = run(environment, List.of(), "info ümlaut.core").oneLine(1);
        assertTrue(line.contains("need a UTF-8 locale"), line);
        core("core");
        String target = run(environment, List.of(), "convert core -o ümlaut.core --to xen").oneLine(1);
        assertTrue(target.contains("need a UTF-8 locale"), target);
        assertEquals(List.of("core"), CommandLine.names(folder));
    }

    @Test
    void aNameInUtf8() throws Exception {
        core("core");
        Map<String, String> environment = Map.of("LC_ALL", "C.UTF-8");
        List<String> options = List.of("-Dfile.encoding=ANSI_X3.4-1968");
        run(environment, options, "convert core -o ümläut-日本.core --to xen").expect(0);
        run(environment, options, "verify ümläut-日本.core").expect(0);
        String said = run(environment, options, "info ümläut-日本.core").expect(0).out();
        assertTrue(said.contains("ümläut-日本.core: Xen dump-core"), said);
    }

    /** A clock before 1970, and one far ahead. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "1901-12-13T20:45:51Z",
                "1969-12-31T23:59:59.999Z",
                "2106-02-07T06:28:16Z",
                "9999-12-31T23:59:59Z",
            })
    void timesThatClocksMaySay(String time) throws Exception {
        Files.writeString(
                folder.resolve("guest.json"),
                """
                {"provenance": {"takenAt": "%s"}, "regions": [{"kind": "ram", "address": 0, "size": "64K"}],
                 "vcpus": [{"registers": {"rip": 1}}]}
                """
                        .formatted(time));
        try (Guest guest = Guests.open("file:" + folder.resolve("guest.json"))) {
            for (String format : formats().toList()) {
                Path file = folder.resolve(format);
                WriterProcess.writer(format).write(guest, file, Progress.none());
                Guests.open(file).close();
            }
        }
    }
}
