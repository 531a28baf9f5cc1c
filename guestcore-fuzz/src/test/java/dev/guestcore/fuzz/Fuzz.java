package dev.guestcore.fuzz;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Runs Jazzer on targets, each in a process of its own, and counts what it did. */
public final class Fuzz {

    /** A run of so many seconds makes up for what the optimizing compiler takes. */
    private static final int WORTH_OPTIMIZING = 60;

    /** Seconds that one input may take on a busy machine. */
    private static final int SLOWEST = 60;

    /** Seconds that a run may take longer than asked for: to start on a busy machine, and for its last input. */
    private static final int GRACE = 180;

    /** A line for each run. */
    private static final String RUNS = "runs.tsv";

    /** Larger inputs are not printed. */
    private static final int MOST_PRINTED = 16 << 10;

    /** What broke a rule, and where: the first lines of the trace. */
    private static final Pattern EXCEPTION =
            Pattern.compile("(?m)^== Java Exception: .*\n(?:\\s+at .*\n|Caused by: .*\n){0,12}");

    private static final Pattern STATUS =
            Pattern.compile("(?m)^#(\\d+)\\s.*\\bcov: (\\d+) ft: (\\d+) corp: (\\d+)/.*$");

    private final Path folder;
    private final List<String> options;

    /**
     * How a run went.
     *
     * @param target name
     * @param seconds how long
     * @param executions inputs tried
     * @param coverage edges of the product's code that were reached
     * @param features edges told apart by how often they were reached
     * @param corpus inputs that were worth keeping
     * @param findings files with inputs that broke a rule
     * @param exitCode of Jazzer
     * @param log what Jazzer said
     */
    record Run(
            String target,
            long seconds,
            long executions,
            long coverage,
            long features,
            long corpus,
            List<Path> findings,
            int exitCode,
            Path log) {

        /** Whether nothing was found and Jazzer did its work. */
        boolean isClean() {
            return exitCode == 0 && findings.isEmpty() && executions > 0;
        }

        /** One line for people. */
        String summary() {
            return target + ": " + executions + " executions in " + seconds + " s, " + coverage + " edges, "
                    + findings.size() + " findings";
        }

        /** What is wrong, and how to see it again, also where nothing is left of a run but its output. */
        String failure() throws IOException {
            StringBuilder text = new StringBuilder(summary() + ", exit code " + exitCode + "; see " + log);
            Matcher exceptions = EXCEPTION.matcher(Files.readString(log, StandardCharsets.ISO_8859_1));
            while (exceptions.find()) {
                text.append("\n  ").append(exceptions.group().strip().replace("\n", "\n  "));
            }
            for (Path finding : findings) {
                text.append("\n  reproduce with: guestcore-fuzz/run reproduce ")
                        .append(target)
                        .append(' ')
                        .append(finding);
                byte[] input = Files.readAllBytes(finding);
                if (input.length <= MOST_PRINTED) {
                    text.append("\n  in base64: ").append(Base64.getEncoder().encodeToString(input));
                }
            }
            return text.toString();
        }

        private String line() {
            return String.join("\t", target, String.valueOf(seconds), String.valueOf(executions),
                    String.valueOf(coverage), String.valueOf(features), String.valueOf(corpus),
                    String.valueOf(findings.size()));
        }
    }

    /**
     * Makes a runner.
     *
     * @param folder holds corpora, findings, logs
     * @param options more options for Jazzer
     */
    Fuzz(Path folder, List<String> options) {
        this.folder = folder;
        this.options = List.copyOf(options);
    }

    /**
     * {@code TARGET,...|all SECONDS FOLDER [OPTION...]} runs one after the other and prints the table of all runs;
     * {@code reproduce TARGET FILE} runs one input; {@code replay TARGET,...|all FOLDER} all that were kept;
     * {@code table FOLDER} only prints.
     */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        switch (arguments[0]) {
            case "reproduce" -> {
                Targets.of(arguments[1]).run(Files.readAllBytes(Path.of(arguments[2])));
                System.out.println("nothing is wrong with this input");
            }
            case "replay" -> {
                for (String name : named(arguments[1])) {
                    replay(Targets.of(name), Path.of(arguments[2]));
                }
                System.exit(0);
            }
            case "table" -> System.out.print(RunTable.markdown(Path.of(arguments[1], RUNS)));
            default -> {
                runAll(named(arguments[0]), Integer.parseInt(arguments[1]), Path.of(arguments[2]), List.of(arguments));
            }
        }
    }

    private static List<String> named(String targets) {
        return targets.equals("all") ? Targets.names() : List.of(targets.split(","));
    }

    /** What breaks a rule is told by the runs and the tests; here it only ends its own input. */
    private static void replay(Target target, Path folder) throws IOException {
        List<byte[]> inputs = new ArrayList<>(target.seeds());
        for (String kind : List.of("corpus", "findings")) {
            Path kept = folder.resolve(kind).resolve(target.name());
            if (Files.isDirectory(kept)) {
                try (Stream<Path> files = Files.list(kept)) {
                    for (Path file : files.toList()) {
                        inputs.add(Files.readAllBytes(file));
                    }
                }
            }
        }
        int broken = 0;
        for (byte[] input : inputs) {
            try {
                target.run(input);
            } catch (RuntimeException | Error e) {
                broken++;
            }
        }
        System.out.println(target.name() + ": " + inputs.size() + " inputs, of which " + broken + " break a rule");
    }

    private static void runAll(List<String> targets, int seconds, Path folder, List<String> arguments)
            throws IOException, InterruptedException {
        Fuzz fuzz = new Fuzz(folder, arguments.subList(3, arguments.size()));
        boolean clean = true;
        for (String target : targets) {
            Run run = fuzz.run(target, seconds);
            clean &= run.isClean();
            System.out.println(run.isClean() ? run.summary() : run.failure());
        }
        System.out.print(RunTable.markdown(folder.resolve(RUNS)));
        System.exit(clean ? 0 : 1);
    }

    /**
     * Runs one target.
     *
     * @param seconds at most
     * @param more options for Jazzer in this run
     */
    Run run(String name, int seconds, String... more) throws IOException, InterruptedException {
        Target target = Targets.of(name);
        Path seeds = Files.createDirectories(folder.resolve("seeds").resolve(name));
        List<String> seedFiles = new ArrayList<>();
        for (byte[] seed : target.seeds()) {
            Path file = seeds.resolve(String.format(Locale.ROOT, "seed-%03d", seedFiles.size()));
            seedFiles.add(Files.write(file, seed).toString());
        }
        Path corpus = Files.createDirectories(folder.resolve("corpus").resolve(name));
        Path findings = Files.createDirectories(folder.resolve("findings").resolve(name));
        Path logs = Files.createDirectories(folder.resolve("logs"));
        Path log = Files.createTempFile(logs, name + "-", ".log");
        Path scratch = Scratch.newFolder();
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=" + (seconds < WORTH_OPTIMIZING ? 1 : 4),
                "-Xmx256m",
                "-XX:MaxDirectMemorySize=256m",
                "-XX:+UseSerialGC",
                "-XX:+EnableDynamicAgentLoading",
                "--sun-misc-unsafe-memory-access=allow",
                "--enable-native-access=ALL-UNNAMED",
                "-Djava.io.tmpdir=" + scratch,
                "-D" + Scratch.FOLDER_PROPERTY + "=" + scratch,
                "-D" + Entry.TARGET_PROPERTY + "=" + name,
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                "com.code_intelligence.jazzer.Jazzer",
                "--target_class=" + Entry.class.getName(),
                "--instrumentation_includes=dev.guestcore.**",
                "--instrumentation_excludes=dev.guestcore.fuzz.**" + File.pathSeparator + "dev.guestcore.testing.**",
                "--custom_hook_includes=dev.guestcore.**",
                // A described guest names files beside it on purpose.
                "--disabled_hooks=com.code_intelligence.jazzer.sanitizers.FilePathTraversal",
                "--reproducer_path=" + findings,
                "-artifact_prefix=" + findings + File.separator,
                "-max_total_time=" + seconds,
                "-max_len=" + target.longest(),
                "-timeout=" + SLOWEST,
                "-report_slow_units=" + SLOWEST,
                "-rss_limit_mb=2048",
                "-use_value_profile=0",
                "-print_final_stats=1"));
        if (!target.dictionary().isEmpty()) {
            Path dictionary = Files.writeString(seeds.resolveSibling(name + ".dict"), dictionary(target));
            command.add("-dict=" + dictionary);
        }
        // Of a folder they would be taken in the order in which its file system has them.
        command.add("-seed_inputs=@"
                + Files.writeString(seeds.resolveSibling(name + ".list"), String.join(",", seedFiles)));
        command.addAll(options);
        command.addAll(List.of(more));
        command.add(corpus.toString());
        long begun = System.nanoTime();
        try {
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile())
                    .start();
            Thread hook = new Thread(process::destroyForcibly);
            Runtime.getRuntime().addShutdownHook(hook);
            if (!process.waitFor(seconds + GRACE, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
            int exitCode = process.waitFor();
            Runtime.getRuntime().removeShutdownHook(hook);
            Run run = summary(name, (System.nanoTime() - begun) / 1_000_000_000, findings, exitCode, log);
            RunTable.append(folder.resolve(RUNS), run.line());
            return run;
        } finally {
            Scratch.delete(scratch);
        }
    }

    private static Run summary(String name, long seconds, Path findings, int exitCode, Path log) throws IOException {
        String text = Files.readString(log, StandardCharsets.ISO_8859_1);
        long[] last = new long[4];
        Matcher matcher = STATUS.matcher(text);
        while (matcher.find()) {
            for (int i = 0; i < last.length; i++) {
                last[i] = Long.parseLong(matcher.group(i + 1));
            }
        }
        Matcher units = Pattern.compile("stat::number_of_executed_units:\\s*(\\d+)").matcher(text);
        long executions = units.find() ? Long.parseLong(units.group(1)) : last[0];
        try (Stream<Path> files = Files.list(findings)) {
            List<Path> found = files.filter(file -> !file.getFileName().toString().endsWith(".java"))
                    .sorted()
                    .toList();
            return new Run(name, seconds, executions, last[1], last[2], last[3], found, exitCode, log);
        }
    }

    private static String dictionary(Target target) {
        StringBuilder text = new StringBuilder();
        for (byte[] word : target.dictionary()) {
            text.append("\"\\x")
                    .append(HexFormat.ofDelimiter("\\x").formatHex(word))
                    .append("\"\n");
        }
        return text.toString();
    }
}
