package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.it.faults.CommandLine;
import dev.guestcore.testing.JsonSchema;
import java.io.InputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What {@code info} tells of what a guest was doing, beside what the guest said a moment before. */
@Tag("slow")
@Tag("foreign")
class InfoTest {

    /** A slow machine dumps late. */
    private static final Duration MOMENT = Duration.ofMinutes(5);

    private static Duration clock(LinuxTruth truth, String name) {
        String line =
                truth.lines("clocks").stream().filter(each -> each.startsWith(name + " ")).findFirst().orElseThrow();
        return Duration.ofNanos(new BigDecimal(line.substring(name.length() + 1)).movePointRight(9).longValueExact());
    }

    private static void assertJustAfter(Duration before, Duration now) {
        // The kernel's clock stands where its last tick was.
        assertTrue(now.compareTo(before.minusMillis(100)) >= 0 && now.compareTo(before.plus(MOMENT)) < 0,
                before + " " + now);
    }

    private static int pid(LinuxTruth truth, String name) {
        return truth.processes().stream()
                .filter(id -> truth.text("proc/" + id + "/comm").equals(name + "\n"))
                .findFirst()
                .orElseThrow();
    }

    @ParameterizedTest
    @EnumSource
    void tellsWhatTheGuestWasDoing(KnownLinux known, @TempDir Path folder) throws Exception {
        LinuxTruth truth = known.truth();
        String dump = known.kdump().toString();
        Map<?, ?> document = JsonSchema.check(
                CommandLine.run(folder, "info", dump, "--json").expect(0).out().getBytes(StandardCharsets.UTF_8));
        Map<?, ?> linux = (Map<?, ?>) document.get("linux");
        assertJustAfter(clock(truth, "boottime"),
                Duration.ofNanos(((Number) linux.get("uptimeNanoseconds")).longValue()));
        Instant now = Instant.parse(linux.get("now").toString());
        assertJustAfter(clock(truth, "realtime"), Duration.between(Instant.EPOCH, now));
        Duration started = clock(truth, "realtime").minus(clock(truth, "boottime"));
        Duration told = Duration.between(Instant.EPOCH, Instant.parse(linux.get("started").toString()));
        assertTrue(started.minus(told).abs().compareTo(Duration.ofSeconds(1)) < 0, started + " " + told);
        String text = CommandLine.run(folder, "info", dump).expect(0).out();
        List<?> running = (List<?>) linux.get("running");
        assertEquals(2, running.size());
        int spinner = pid(truth, "spinner");
        assertTrue(running.stream().anyMatch(each -> each instanceof Map<?, ?> one
                && one.get("name").equals("spinner")
                && ((Number) one.get("pid")).intValue() == spinner), running::toString);
        assertTrue(text.matches("(?s).*\nvCPUs\n.*  spinner \\(pid " + spinner + "\\)\n.*"), text);
        if (known == KnownLinux.PANICKED) {
            Map<?, ?> words = (Map<?, ?>) linux.get("lastWords");
            assertEquals("panic", words.get("kind"));
            assertEquals("Kernel panic - not syncing: sysrq triggered crash", words.get("text"));
            assertTrue(text.contains("\nlast words: " + words.get("text") + " (panic "), text);
            assertTrue(
                    text.matches(
                            "(?s).*\nvCPUs\n.*\\+0x[0-9a-f]+ +recorder \\(pid " + pid(truth, "recorder") + "\\)\n.*"),
                    text);
        } else {
            assertEquals(false, linux.get("trouble"));
            assertTrue(text.contains("\nrunning; its log tells of no trouble\n"), text);
        }
        assertTrue(text.lines().skip(2).findFirst().orElseThrow().startsWith("up "), text);
    }

    /** What is printed below "next" is typed as it stands there. */
    @Test
    void whatItOffersNextWorks(@TempDir Path folder) throws Exception {
        String dump = KnownLinux.STOCK.kdump().toString();
        String text = CommandLine.run(folder, "info", dump).expect(0).out();
        List<String> commands = text.substring(text.indexOf("\nnext\n")).lines()
                .map(String::strip)
                .filter(line -> line.startsWith("guestcore "))
                .map(line -> line.substring("guestcore ".length()).split(" {2,}")[0])
                .toList();
        assertTrue(commands.contains("symbols " + dump + " --to vmlinux -o vmlinux"), text);
        for (String command : commands) {
            CommandLine.run(folder, command.split(" ")).expect(0);
        }
        byte[] magic = new byte[4];
        try (InputStream vmlinux = Files.newInputStream(folder.resolve("vmlinux"))) {
            assertEquals(magic.length, vmlinux.read(magic));
        }
        assertArrayEquals(new byte[] {0x7f, 'E', 'L', 'F'}, magic);
    }
}
