package dev.guestcore.fuzz;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.format.CoreFormat;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Every input that ever broke a rule, and every one that the fuzzer begins with, keeps all rules now. */
class RegressionTest {

    private static final Path FINDINGS = Path.of("src/test/resources/findings");
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private static List<Path> findings(String target) throws IOException {
        Path folder = FINDINGS.resolve(target);
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.sorted().toList();
        }
    }

    @TestFactory
    List<DynamicTest> whatWasFoundStaysFixed() throws IOException {
        List<DynamicTest> tests = new ArrayList<>();
        for (String name : Targets.names()) {
            Target target = Targets.of(name);
            for (Path file : findings(name)) {
                tests.add(DynamicTest.dynamicTest(
                        name + ": " + file.getFileName(),
                        () -> assertTimeoutPreemptively(LIMIT, () -> target.run(Files.readAllBytes(file)))));
            }
        }
        assertFalse(tests.isEmpty(), "no findings in " + FINDINGS.toAbsolutePath());
        return tests;
    }

    @TestFactory
    List<DynamicTest> seedsKeepTheRules() {
        return Targets.names().stream()
                .map(name -> DynamicTest.dynamicTest(name, () -> {
                    Target target = Targets.of(name);
                    List<byte[]> seeds = target.seeds();
                    assertFalse(seeds.isEmpty(), "no seeds");
                    for (byte[] seed : seeds) {
                        assertTrue(seed.length <= target.longest(), "a seed of " + seed.length + " bytes");
                        assertTimeoutPreemptively(LIMIT, () -> target.run(seed));
                    }
                }))
                .toList();
    }

    /** A raw image has no content to read; its map has. */
    @Test
    void everyFormatHasATarget() {
        for (CoreFormat format : Guests.formats()) {
            String name = format.name().equals("raw") ? "raw-map" : format.name();
            assertTrue(
                    Targets.names().contains(name),
                    () -> "format " + format.name()
                            + " has no target; add one to Targets and a row to docs/fuzzing.md");
        }
    }

    @Test
    void everyFindingHasItsTarget() throws IOException {
        try (Stream<Path> folders = Files.list(FINDINGS)) {
            for (Path folder : folders.toList()) {
                String name = folder.getFileName().toString();
                assertTrue(Targets.names().contains(name), () -> "there is no target " + name);
            }
        }
    }
}
