package dev.guestcore.dist;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.testing.ForeignTools;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Builds everything once more, elsewhere, and compares the bytes. The start-up cache is given: what a JVM notes down of a run
 * differs from run to run, so of a package that one file is part of the input.
 */
class ReproducibleBuildIT {

    private static final Set<String> NOT_SOURCES = Set.of(".git", ".idea", ".vscode", "target");
    private static final List<String> PRODUCTS = List.of(".jar", ".deb", ".tar.gz", ".cdx.json");

    @TempDir
    Path folder;

    @Test
    void anotherBuildGivesTheSameBytes() throws IOException, InterruptedException {
        ForeignTools.require("mvn", "cmp");
        Path original = Packaged.checkout();
        Path copy = folder.resolve("another place");
        copySources(original, copy);
        // In another language and another time zone.
        Path log = folder.resolve("log");
        ProcessBuilder builder = new ProcessBuilder(
                "mvn",
                "-q",
                "-B",
                "-ntp",
                "-Pdist",
                "-DskipTests",
                "-pl",
                "guestcore-dist",
                "-am",
                "package",
                "-Dguestcore.cache=" + original.resolve("guestcore-dist/target/image/lib/guestcore.aot"))
                .directory(copy.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile());
        builder.environment().put("TZ", "Pacific/Chatham");
        builder.environment().put("MAVEN_OPTS", "-Duser.language=tr");
        // Not the one of these tests, but Maven's: zip libraries of different JDKs compress a little differently.
        builder.environment().put("JAVA_HOME", Packaged.javaOfMaven().toString());
        Process build = builder.start();
        try {
            assertTrue(build.waitFor(10, TimeUnit.MINUTES), "the build does not end");
        } finally {
            build.destroyForcibly();
        }
        assertEquals(0, build.exitValue(), () -> read(log));

        Map<String, Path> first = products(original);
        Map<String, Path> second = products(copy);
        assertEquals(first.keySet(), second.keySet());
        assertFalse(first.isEmpty());
        first.forEach((name, file) -> ForeignTools.output("cmp", file.toString(), second.get(name).toString()));
    }

    private static void copySources(Path from, Path to) throws IOException {
        Files.walkFileTree(from, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes)
                    throws IOException {
                if (NOT_SOURCES.contains(directory.getFileName().toString())) {
                    return FileVisitResult.SKIP_SUBTREE;
                }
                Files.createDirectories(to.resolve(from.relativize(directory)));
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                if (!NOT_SOURCES.contains(file.getFileName().toString())) {
                    Files.copy(file, to.resolve(from.relativize(file)));
                }
                return FileVisitResult.CONTINUE;
            }
        });
    }

    /** What is handed out of a checkout, by its path in it. */
    private static Map<String, Path> products(Path checkout) throws IOException {
        Map<String, Path> products = new TreeMap<>();
        for (String module : List.of("guestcore-core", "guestcore-linux", "guestcore-cli", "guestcore-dist")) {
            try (Stream<Path> files = Files.list(checkout.resolve(module).resolve("target"))) {
                files.filter(file -> PRODUCTS.stream().anyMatch(file.toString()::endsWith))
                        .forEach(file -> products.put(checkout.relativize(file).toString(), file));
            }
        }
        return products;
    }

    private static String read(Path file) {
        return ForeignTools.output("tail", "-n", "40", file.toString());
    }
}
