package dev.guestcore.cli;

import dev.guestcore.error.OutputException;
import dev.guestcore.file.Fetched;
import dev.guestcore.internal.text.Amounts;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine;

/** The program. */
public final class Main {

    private Main() {}

    /** Runs one command and ends the process with its exit code. */
    public static void main(String[] arguments) {
        Console console = Console.ofProcess();
        console.cancellation().listenToSignals();
        int code = ExitCode.FAILED;
        try {
            code = run(console, arguments);
        } finally {
            // Also of an error that nobody foresaw: it is not the user who cancelled.
            console.cancellation().finish(code);
        }
        System.exit(code);
    }

    /** Runs one command and gives its exit code. */
    static int run(Console console, String... arguments) {
        Failures failures = new Failures(console, System.getenv("GUESTCORE_DEBUG") != null);
        List<String> words =
                Arrays.stream(arguments).takeWhile(word -> !word.equals("--")).toList();
        if (words.contains("--json")) {
            console.speakJson();
        }
        console.hideSecrets(List.of(arguments));
        ColourMode.in(words).ifPresent(console::paint);
        if (Verbs.isPaged(words)) {
            console.page();
        }
        try {
            CommandLine line = Verbs.commandLine(console, arguments);
            line.setExecutionExceptionHandler((failure, command, parsed) -> {
                boolean debug = command.getCommand() instanceof Verb verb && verb.debug;
                return failures.report(failure, debug, source(command));
            });
            line.setParameterExceptionHandler((failure, rejected) -> failures.reportUsage(failure));
            long begin = System.nanoTime();
            Fetched before = Fetched.soFar();
            int code = line.execute(arguments);
            tellStatistics(console, line, before, System.nanoTime() - begin);
            return flush(console, code, failures);
        } catch (StackOverflowError | OutOfMemoryError | InternalError e) {
            return failures.report(e, false, Optional.empty());
        }
    }

    private static void tellStatistics(Console console, CommandLine line, Fetched before, long nanos) {
        CommandLine.ParseResult parsed = line.getParseResult();
        if (parsed != null && parsed.hasSubcommand()
                && parsed.subcommand().commandSpec().userObject() instanceof Verb verb && verb.stats) {
            Fetched fetched = Fetched.soFar().since(before);
            console.remark(Failures.PREFIX + "fetched " + Amounts.human(fetched.bytes()) + " in "
                    + Amounts.counted(fetched.requests(), "request", "requests") + ", "
                    + String.format(Locale.ROOT, "%.1f s", nanos / 1e9));
        }
    }

    /** What a command looks at, as it was typed; empty where it is none or several. */
    private static Optional<String> source(CommandLine command) {
        return command.getCommandSpec().positionalParameters().stream()
                .filter(parameter -> parameter.paramLabel().equals("<source>"))
                .map(parameter -> parameter.getValue())
                .filter(String.class::isInstance)
                .map(String.class::cast)
                .filter(source -> !source.isEmpty())
                .findFirst();
    }

    private static int flush(Console console, int code, Failures failures) {
        try {
            console.finish();
            return code;
        } catch (OutputException e) {
            if (console.isPagerQuit()) {
                return code;
            }
            if (!Failures.isBrokenPipe(e)) {
                int failed = failures.isReported(e) ? code : failures.report(e, false, Optional.empty());
                return code == ExitCode.DONE ? failed : code;
            }
            // As quiet as every other program whose reader (head, less) has seen enough.
            return code == ExitCode.DONE ? ExitCode.FAILED : code;
        }
    }
}
