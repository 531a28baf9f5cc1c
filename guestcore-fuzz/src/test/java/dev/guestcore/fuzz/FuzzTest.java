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
 * Fuzzes every target for a while: for ten seconds each in CI, for {@code -Dguestcore.fuzz.seconds=N} elsewhere, and not
 * at all unless told.
 */
class FuzzTest {

    private static final int SECONDS_IN_CI = 10;

    /** No more than there are processors: their start alone would take all of their time. */
    private static final int AT_ONCE = Runtime.getRuntime().availableProcessors();

    private static final Path FOLDER = Path.of("target/fuzz");

    private static int seconds() {
        int usual = Boolean.parseBoolean(System.getenv("CI")) ? SECONDS_IN_CI : 0;
        return Integer.getInteger("guestcore.fuzz.seconds", usual);
    }

    @Test
    @Tag("slow")
    void nothingIsFoundInAWhile() throws IOException, InterruptedException, ExecutionException {
        int seconds = seconds();
        assumeTrue(seconds > 0, "not fuzzed: set -Dguestcore.fuzz.seconds=10, or CI=true as CI does");
        forget(FOLDER.resolve("findings"));
        Fuzz fuzz = new Fuzz(FOLDER.toAbsolutePath(), List.of());
        List<Future<Fuzz.Run>> runs = new ArrayList<>();
        try (ExecutorService pool = Executors.newFixedThreadPool(AT_ONCE)) {
            for (String target : Targets.names()) {
                runs.add(pool.submit(() -> fuzz.run(target, seconds)));
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

    /** What an earlier run found is not found anew. */
    private static void forget(Path findings) throws IOException {
        if (!Files.isDirectory(findings)) {
            return;
        }
        try (Stream<Path> files = Files.walk(findings)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.delete(file);
            }
        }
    }
}
