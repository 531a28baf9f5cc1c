package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.error.CancelledException;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

/** What is typed, and what is shown. */
class TextTest {

    private static final long SECOND = 1_000_000_000L;

    @Test
    void guestTextCannotSteerTheTerminal() {
        assertEquals("\\u001b[2J\\u0007 ok", Printable.of("\u001b[2J\u0007 ok"));
        assertEquals("a\\u202eb", Printable.of("a\u202eb"));
        assertEquals("C1 \\u009b31m", Printable.of("C1 \u009b31m"));
        assertEquals("line\\u000aline", Printable.of("line\nline"));
        assertEquals("größe 漢字", Printable.of("größe 漢字"));
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0", "4096, 4096", "0x1000, 4096", "0XfF, 255", "4K, 4096", "1m, 1048576", "0x10K, 16384", "2G, 2147483648",
        "1T, 1099511627776", "1_000, 1000", "0xffff_8000_0000_0000, -140737488355328", "18446744073709551615, -1"
    })
    void readsAddresses(String text, long expected) {
        assertEquals(expected, new Quantity.Address().convert(text));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "x", "0x", "-1", "18446744073709551616", "17179869184G", "1.3M", "K", "0xK", "１"})
    void refusesWhatIsNoAddress(String text) {
        assertThrows(TypeConversionException.class, () -> new Quantity.Address().convert(text));
    }

    @Test
    void aLengthFitsSixtyThreeBits() {
        assertEquals(Long.MAX_VALUE, new Quantity.Length().convert("0x7fffffffffffffff"));
        assertThrows(TypeConversionException.class, () -> new Quantity.Length().convert("0x8000000000000000"));
    }

    @Test
    void showsTimes() {
        assertEquals("850 µs", Text.time(Duration.ofNanos(850_400)));
        assertEquals("12.3 ms", Text.time(Duration.ofNanos(12_345_678)));
        assertEquals("1.5 s", Text.time(Duration.ofMillis(1500)));
    }

    @Test
    void quotesNamesForTheShell() {
        assertEquals("vm.core", Text.quoted("vm.core"));
        assertEquals("'my vm.core'", Text.quoted("my vm.core"));
        assertEquals("'it'\\''s'", Text.quoted("it's"));
        assertEquals("'-o'", Text.quoted("-o"));
    }

    @Test
    void alignsColumns() {
        List<String> lines = new Table("name", "size>").row("a", "1").row("long", "1000").lines(Style.PLAIN);
        assertEquals(List.of("  name  size", "  a        1", "  long  1000"), lines);
        assertEquals(
                "  \u001b[38;5;28ma\u001b[0m    z",
                new Table("", "").row(Style.COLOURED.good("a"), "z").row("bcd", "z").lines(Style.PLAIN).getFirst());
    }

    @Test
    void theBarShowsShareRateAndTimeLeft() {
        ByteArrayOutputStream terminal = new ByteArrayOutputStream();
        long[] now = {0};
        PrintStream stream = new PrintStream(terminal, true, StandardCharsets.UTF_8);
        try (TerminalProgress progress = new TerminalProgress(stream, 100, new Job(), () -> now[0])) {
            progress.begin("writing memory", 1000L << 20);
            progress.advance(1 << 20);
            assertEquals(0, terminal.size(), "nothing flickers for work that takes no time");
            now[0] = SECOND;
            progress.advance(249L << 20);
        }
        String shown = terminal.toString(StandardCharsets.UTF_8);
        assertTrue(shown.startsWith("\rwriting memory  ████████░"), shown);
        assertTrue(shown.contains("25%  250 MiB of 1000 MiB  250 MiB/s  0:03 left"), shown);
        assertTrue(shown.endsWith("\r\u001b[K"), "the line goes away at the end");
        assertTrue(shown.indexOf('\u001b') <= 101, "fits the terminal");
    }

    /** Reading, then writing: half of the job is done when reading is, and what is left is told of both. */
    @Test
    void oneBarShowsAllPhasesOfAJob() {
        ByteArrayOutputStream terminal = new ByteArrayOutputStream();
        long[] now = {0};
        PrintStream stream = new PrintStream(terminal, true, StandardCharsets.UTF_8);
        Job job = new Job();
        job.expect(200L << 20);
        TerminalProgress progress = new TerminalProgress(stream, 100, job, () -> now[0]);
        progress.begin("reading memory", 100L << 20);
        now[0] = 5 * SECOND;
        progress.advance(50L << 20);
        assertTrue(terminal.toString(StandardCharsets.UTF_8).contains(" 25%  50 MiB of 200 MiB  10 MiB/s  0:15 left"));
        progress.advance(50L << 20);
        progress.begin("writing memory", 100L << 20);
        assertFalse(terminal.toString(StandardCharsets.UTF_8).contains("\r\u001b[K"), "the line stays between phases");
        now[0] = 15 * SECOND;
        progress.advance(50L << 20);
        String shown = terminal.toString(StandardCharsets.UTF_8);
        assertTrue(shown.contains("writing memory  ") && shown.contains(" 75%  150 MiB of 200 MiB"), shown);
    }

    @Test
    void aPassIsAsLongAsTheOneBefore() {
        Job job = new Job();
        job.expectPasses(3);
        job.begin(100);
        assertEquals(300, job.total());
        job.advance(100);
        job.begin(200);
        assertEquals(500, job.total());
        job.advance(200);
        job.begin(50);
        assertEquals(500, job.total(), "what was expected stays, so that the bar does not jump");
    }

    @Test
    void aJobGrowsWithWhatNobodyExpected() {
        Job job = new Job();
        job.expect(100);
        job.begin(100);
        job.advance(80);
        assertEquals(0.8, job.share(), 1e-9);
        job.begin(300);
        assertEquals(400, job.total(), "more came than was expected");
        assertEquals(0.25, job.share(), 1e-9, "a phase that ends early was whole all the same");
        job.advance(290);
        assertEquals(390.0 / 400, job.share(), 1e-9);
        job.expect(Long.MAX_VALUE);
        assertTrue(job.share() <= 1 && job.total() == Long.MAX_VALUE);
    }

    @Test
    void jsonProgressIsALineAStep() {
        ByteArrayOutputStream lines = new ByteArrayOutputStream();
        long[] now = {0};
        JsonProgress progress = new JsonProgress(
                new PrintStream(lines, true, StandardCharsets.UTF_8), new Job(), () -> now[0]);
        progress.begin("writing memory", 100);
        progress.advance(10);
        now[0] = SECOND;
        progress.advance(40);
        progress.advance(50);
        List<String> all = lines.toString(StandardCharsets.UTF_8).lines().toList();
        assertEquals(3, all.size(), all.toString());
        Map<?, ?> middle = (Map<?, ?>) Run.parse(all.get(1).getBytes(StandardCharsets.UTF_8));
        assertEquals(
                Map.of(
                        "schema", "progress", "version", 1L, "phase", "writing memory", "done", 50L, "total", 100L,
                        "seconds", 1.0, "jobDone", 50L, "jobTotal", 100L),
                middle);
        assertTrue(all.get(2).contains("\"done\":100"), all.get(2));
    }

    @Test
    void progressEndsWhenTheUserWantsToStop() {
        Console console = new Console(
                new ByteArrayOutputStream(), new ByteArrayOutputStream(), Console.Terminal.none());
        try (ShownProgress progress = ShownProgress.begin(console, ProgressMode.NONE)) {
            progress.begin("reading", 10);
            progress.advance(5);
            console.cancellation().request();
            assertThrows(CancelledException.class, () -> progress.advance(5));
        }
    }
}
