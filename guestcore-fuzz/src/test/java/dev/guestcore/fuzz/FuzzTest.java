package dev.guestcore.fuzz;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Fuzzes every target for a while: in CI with so many inputs, always the same as far as threads and clocks allow, so that
 * no commit fails by luck; for {@code -Dguestcore.fuzz.seconds=N} elsewhere, with other inputs each time; and not at all
 * unless told.
 */
class FuzzTest {

    /** So that a slow machine comes to an end. */
    private static final int MOST_SECONDS_IN_CI = 50;

    /** Any number but 0, which stands for another one each time. */
    private static final int SEED_IN_CI = 1;

    /** No more than there are processors: their start alone would take all of their time. */
    private static final int AT_ONCE = Runtime.getRuntime().availableProcessors();

    private static final Path FOLDER = Path.of("target/fuzz");

    @Test
    @Tag("slow")
    void nothingIsFoundInAWhile() throws IOException, InterruptedException, ExecutionException {
        int seconds = Integer.getInteger("guestcore.fuzz.seconds", 0);
        boolean asInCi = seconds == 0 && Boolean.parseBoolean(System.getenv("CI"));
        assumeTrue(seconds > 0 || asInCi, "not fuzzed: set -Dguestcore.fuzz.seconds=10, or CI=true as CI does");
        forget(FOLDER.resolve("findings"));
        if (asInCi) {
            forget(FOLDER.resolve("corpus"));
        }
        Fuzz fuzz = new Fuzz(FOLDER.toAbsolutePath(), List.of());
        List<Future<Fuzz.Run>> runs = new ArrayList<>();
        try (ExecutorService pool = Executors.newFixedThreadPool(AT_ONCE)) {
            for (String target : Targets.names()) {
                runs.add(pool.submit(() -> asInCi ? sameAsEver(fuzz, target) : fuzz.run(target, seconds)));
            }
        }
        List<String> failures = new ArrayList<>();
        for (Future<Fuzz.Run> future : runs) {
            Fuzz.Run run = future.get();
            System.out.println("fuzzed " + run.summary());
            if (!run.isClean()) {
                failures.add(run.failure());
            } else if (run.executions() < 2 * Targets.of(run.target()).seeds().size()) {
                failures.add(run.summary() + ": its time went into its start and its seeds, it was not fuzzed");
            }
        }
        assertTrue(failures.isEmpty(), () -> String.join("\n", failures));
    }

    private static Fuzz.Run sameAsEver(Fuzz fuzz, String name) throws IOException, InterruptedException {
        int runs = Targets.of(name).runsInCi();
        return fuzz.run(name, MOST_SECONDS_IN_CI, "-seed=" + SEED_IN_CI, "-runs=" + runs);
    }

    /** What an earlier run found is not found anew, and what it kept leads to other inputs. */
    private static void forget(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return;
        }
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.delete(file);
            }
        }
    }
}
