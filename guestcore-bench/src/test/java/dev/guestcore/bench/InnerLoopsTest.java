package dev.guestcore.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

class InnerLoopsTest {

    @Test
    void everyLoopRuns() throws RunnerException {
        // Nobody would notice a loop that fails before it is asked for.
        Collection<RunResult> results = new Runner(new OptionsBuilder()
                .forks(0)
                .warmupIterations(0)
                .measurementIterations(1)
                .measurementTime(TimeValue.milliseconds(1))
                .shouldFailOnError(true)
                .verbosity(VerboseMode.SILENT)
                .build())
                .run();
        TreeSet<String> names = new TreeSet<>();
        for (RunResult result : results) {
            assertTrue(result.getPrimaryResult().getScore() > 0, result.getPrimaryResult()::getLabel);
            names.add(result.getPrimaryResult().getLabel());
        }
        assertEquals(
                new TreeSet<>(List.of(
                        "decode", "encode", "pageLookUp", "pageWalk", "sha256", "zeroByMismatch", "zeroByWords")),
                names);
    }

    @Test
    void madeDumpsAreDumps(@TempDir Path folder) throws IOException {
        List<Path> made = Scaling.made(folder);
        try (Guest sparse = Guests.open("raw:" + made.get(0));
                Guest ranges = Guests.open(made.get(1))) {
            assertEquals(128 << 20, sparse.memory().regions().getFirst().range().size());
            assertEquals(70_000, ranges.memory().regions().size());
            assertEquals(List.of(), ranges.findings().stream()
                    .filter(finding -> finding.severity() == Severity.DAMAGE)
                    .toList());
        }
        assertTrue(Files.size(made.get(1)) > 70_000L * 4096);
    }
}
