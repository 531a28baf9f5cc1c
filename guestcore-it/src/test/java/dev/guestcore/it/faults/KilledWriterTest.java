package dev.guestcore.it.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.it.Undisturbed;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** kill -9 at any moment: a name is free or its file is whole, and the next writer clears away what was left. */
@Undisturbed
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class KilledWriterTest {

    private static final int KILLS = 200;
    private static final List<String> FORMATS = List.of("raw", "elf", "kdump", "xen", "vbox");
    private static final Pattern HIDDEN = Pattern.compile("\\.(core.*?)(\\.map\\.json)?\\.[0-9a-f]{8}\\.partial");

    private static final int SHORTEST_MICROS = 100_000;
    private static final int LONGEST_MICROS = 1_000_000;

    @TempDir
    private static Path shared;

    /** No kill comes later after the start of the first file. */
    private static int latestMicros;

    @BeforeAll
    static void whatWholeMeans() {
        for (String format : FORMATS) {
            for (int number = 0; number < 2; number++) {
                try (Guest guest = WriterProcess.guest(number)) {
                    WriterProcess.writer(format).write(guest, reference(format, number), Progress.none());
                }
            }
        }
    }

    /** A machine may need longer for its first file than the last moment at which another kills. */
    @BeforeAll
    static void howLongTheFirstFileTakes() throws Exception {
        Path folder = Files.createDirectory(shared.resolve("first"));
        Process process = start(folder, "elf", "new");
        try {
            assertEquals('F', process.getInputStream().read());
            long begin = System.nanoTime();
            while (!Files.exists(folder.resolve("core-0")) && process.isAlive()) {
                TimeUnit.MILLISECONDS.sleep(1);
            }
            long micros = TimeUnit.NANOSECONDS.toMicros(System.nanoTime() - begin);
            latestMicros = Math.clamp(2 * micros, SHORTEST_MICROS, LONGEST_MICROS);
        } finally {
            process.destroyForcibly();
            process.waitFor();
        }
    }

    private static Process start(Path folder, String format, String way) throws IOException {
        return new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx64m",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-XX:-UsePerfData",
                "-cp",
                System.getProperty("java.class.path"),
                WriterProcess.class.getName(),
                folder.toString(),
                format,
                way)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    private static Path reference(String format, int number) {
        return shared.resolve(format + number);
    }

    @Test
    void atTwoHundredMoments() throws Exception {
        AtomicInteger leftovers = new AtomicInteger();
        AtomicInteger named = new AtomicInteger();
        List<Future<?>> kills = new ArrayList<>();
        try (ExecutorService executor = Executors.newFixedThreadPool(2)) {
            for (int i = 0; i < KILLS; i++) {
                int kill = i;
                kills.add(executor.submit(() -> {
                    kill(kill, leftovers, named);
                    return null;
                }));
            }
            for (Future<?> kill : kills) {
                kill.get();
            }
        }
        assertTrue(leftovers.get() > 0, "some were killed in the middle of a file");
        assertTrue(named.get() > 0, "some had finished files before");
    }

    private static void kill(int number, AtomicInteger leftovers, AtomicInteger named) throws Exception {
        String format = FORMATS.get(number % FORMATS.size());
        boolean replaces = number / FORMATS.size() % 2 == 0;
        Path folder = Files.createDirectory(shared.resolve("kill" + number));
        Process process = start(folder, format, replaces ? "replace" : "new");
        try {
            assertEquals('F', process.getInputStream().read());
            TimeUnit.MICROSECONDS.sleep(new Random(number).nextInt(latestMicros));
        } finally {
            process.destroyForcibly();
            process.waitFor();
        }
        List<String> hidden = new ArrayList<>();
        for (String name : CommandLine.names(folder)) {
            if (HIDDEN.matcher(name).matches()) {
                hidden.add(name);
            } else {
                assertWhole(folder.resolve(name), format);
                named.incrementAndGet();
            }
        }
        leftovers.addAndGet(hidden.size());
        assertTrue(hidden.size() <= 2, () -> "one core and its companion at most: " + hidden);
        clearAway(folder, hidden, format);
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
    }

    private static void assertWhole(Path file, String format) throws IOException {
        String name = file.getFileName().toString();
        String suffix = name.endsWith(".map.json") ? ".map.json" : "";
        boolean isFirst = Files.mismatch(file, Path.of(reference(format, 0) + suffix)) < 0;
        boolean isSecond = Files.mismatch(file, Path.of(reference(format, 1) + suffix)) < 0;
        assertTrue(isFirst || isSecond, () -> file + " is not whole");
    }

    /** The next run for the same names. */
    private static void clearAway(Path folder, List<String> hidden, String format) throws IOException {
        for (String name : hidden) {
            Matcher matcher = HIDDEN.matcher(name);
            assertTrue(matcher.matches());
            Path target = folder.resolve(matcher.group(1));
            Files.deleteIfExists(target);
            Files.deleteIfExists(Path.of(target + ".map.json"));
            try (Guest guest = WriterProcess.guest(0)) {
                WriterProcess.writer(format).write(guest, target, Progress.none());
            }
        }
        assertTrue(CommandLine.names(folder).stream().noneMatch(name -> name.startsWith(".")), "cleared away");
    }
}
