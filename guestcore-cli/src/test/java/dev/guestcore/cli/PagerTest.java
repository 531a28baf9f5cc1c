package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Long output on a terminal goes through the user's pager. */
class PagerTest {

    private static final int ROWS = 24;

    @TempDir
    Path folder;

    private Path paged = Path.of("");

    @BeforeEach
    void nameFile() {
        paged = folder.resolve("paged");
    }

    private Run run(String pager, String... arguments) {
        return Run.of(new Console.Terminal(true, true, false, 80, ROWS, pager), arguments);
    }

    private String toFile() {
        return "cat > " + paged;
    }

    @Test
    void whatIsLongIsPaged() throws IOException {
        String core = Samples.core("vbox/7.0.10-A").toString();
        Run run = run(toFile(), "regs", core).expect(0);
        assertEquals("", run.out());
        assertEquals(Run.of("regs", core).out(), Files.readString(paged));
    }

    @Test
    void whatFitsIsNot() {
        Run run = run(toFile(), "translate", "demo:", "0x8000").expect(0);
        assertTrue(run.out().contains("0x8000"), run.out());
        assertFalse(Files.exists(paged));
    }

    @Test
    void helpIsPagedToo() throws IOException {
        Run run = run(toFile(), "capture", "--help").expect(0);
        assertEquals("", run.out());
        assertTrue(Files.readString(paged).startsWith("Usage: guestcore capture"));
    }

    @Test
    void noPagerWithoutATerminalOrIfNoneIsWanted() {
        Console.Terminal pipe = new Console.Terminal(false, true, false, 80, ROWS, toFile());
        assertFalse(Run.of(pipe, "regs", "demo:").expect(0).out().isEmpty());
        assertFalse(run("cat", "regs", "demo:").expect(0).out().isEmpty());
        assertFalse(run("", "regs", "demo:").expect(0).out().isEmpty());
        assertFalse(Files.exists(paged));
        assertEquals("", Console.Terminal.ofProcess(Map.of("PAGER", " ")).pager());
        assertEquals("most", Console.Terminal.ofProcess(Map.of("PAGER", "most")).pager());
    }

    /** Far more than a pipe holds, of which the reader takes nothing. */
    @Test
    void quittingIsNoErrorAndEndsTheCommand() {
        Assertions.assertTimeoutPreemptively(Duration.ofSeconds(60), () -> {
            Run run = run("exit 0", "read", "demo:ram=64M", "0x100000", "62M", "--progress", "none").expect(0);
            assertEquals("", run.errBesideTheLook());
            run = run("head -c 100 >/dev/null", "map", "--virtual", "demo:ram=4M", "--progress", "none").expect(0);
            assertEquals("", run.errBesideTheLook());
        });
    }

    @Test
    void aRemarkWaitsForThePagerAndAnErrorComesBehindTheOutput() throws IOException {
        byte[] whole = Files.readAllBytes(Samples.core("vbox/7.0.10-A"));
        Path cut = Files.write(folder.resolve("cut.core"), Arrays.copyOf(whole, whole.length * 3 / 4));
        Run run = run(toFile(), "info", cut.toString()).expect(ExitCode.DAMAGED);
        assertTrue(run.err().contains("is damaged"), run.err());
        assertTrue(Files.readString(paged).contains("findings"));
        assertEquals("", run.out());
        run("cat", "info", folder.resolve("none").toString()).failsWith(ExitCode.FAILED, "none");
    }

    @Test
    void aPagerThatCannotBeStartedIsNoReasonToShowNothing() {
        Run run = run("/no/such/pager 2>/dev/null || cat >" + paged, "regs", "demo:").expect(0);
        assertEquals("", run.errBesideTheLook());
        assertTrue(Files.exists(paged));
    }
}
