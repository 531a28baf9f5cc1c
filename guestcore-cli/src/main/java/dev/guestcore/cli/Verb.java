package dev.guestcore.cli;

import dev.guestcore.Finding;
import dev.guestcore.error.OutputException;
import dev.guestcore.json.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** What all commands share. */
abstract class Verb implements Callable<Integer> {

    private final Console console;
    private @Nullable ShownProgress shown;
    private final List<String> afterwards = new ArrayList<>();

    @Spec
    CommandSpec spec;

    @Option(names = "--debug", description = "On an error, print a stack trace.")
    boolean debug;

    @Option(
            names = "--stats",
            description = "Afterwards, say on standard error how much was fetched from servers, and how long it took.")
    boolean stats;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Show this help and exit.")
    boolean help;

    @Option(
            names = ColourMode.OPTION,
            paramLabel = "<when>",
            converter = ColourMode.Choice.class,
            completionCandidates = ColourMode.Choice.class,
            description = "Use colours: ${COMPLETION-CANDIDATES}; auto, the default, is on a terminal unless NO_COLOR is "
                    + "set.")
    ColourMode colour = ColourMode.AUTO;

    @Option(
            names = "--json",
            description = "Print JSON, as the schemas in docs/json describe it; errors are JSON too, on standard error.")
    boolean json;

    /** Talks to {@code console}. */
    Verb(Console console) {
        this.console = console;
    }

    /** Where to talk to. */
    final Console console() {
        return console;
    }

    /** Prints a line for the user. */
    final void print(String line) {
        console.out().println(console.withoutSecrets(line));
    }

    /** Prints facts for programs; the schema has the name of the command. */
    final void printJson(Map<String, ?> facts) {
        Json.write(console.out(), Json.document(spec.name(), facts));
    }

    /** Prints a line beside the result. */
    final void remark(String line) {
        console.remark(line);
    }

    /** An error in the command line. */
    final ParameterException usage(String message) {
        return new ParameterException(spec.commandLine(), message);
    }

    /** Runs work that must unwind by itself when the user stops it. */
    final <T> T unwinding(Callable<T> work) throws Exception {
        T result = console.cancellation().unwinding(work);
        remarkAfterwards();
        return result;
    }

    /** If the result does not arrive, that is all there is to say, and it is said when the program ends. */
    private void remarkAfterwards() {
        if (!afterwards.isEmpty()) {
            try {
                console.flush();
                afterwards.forEach(this::remark);
            } catch (OutputException e) {
                assert e.getMessage() != null;
            } finally {
                afterwards.clear();
            }
        }
    }

    /** A remark for when the work is done; if it fails, its error is all that is said. */
    final void afterwards(String line) {
        afterwards.add(line);
    }

    /** Those remarks are not worth to be said after all. */
    final void forgetRemarks() {
        afterwards.clear();
    }

    /**
     * Does work that prints as it finds, flushing now and then. Ends quietly when whoever reads the output has seen
     * enough (head, less).
     */
    final int streaming(Callable<Integer> work) throws Exception {
        console.cancellation().closeOnRequest(console.outChannel());
        try {
            int code = unwinding(work);
            console.flush();
            return code;
        } catch (OutputException e) {
            if (console.isPagerQuit()) {
                return ExitCode.DONE;
            }
            if (Failures.isBrokenPipe(e)) {
                return ExitCode.FAILED;
            }
            throw e;
        }
    }

    /** Says what is damaged and gives the exit code. */
    final int report(List<Finding> findings) {
        List<Finding> damage = Findings.damage(findings);
        damage.forEach(finding -> remark(Findings.remark(finding)));
        return damage.isEmpty() ? ExitCode.DONE : ExitCode.DAMAGED;
    }

    /** Progress of the whole command as the user wants it; close it before anything else is printed. */
    final ShownProgress progress(ProgressMode mode) {
        ShownProgress progress = shown == null ? ShownProgress.begin(console, mode) : shown;
        shown = progress;
        return progress;
    }

    /** Says what could not be read, and gives the exit code. */
    final int problems(List<String> problems) {
        problems.forEach(problem -> remark("guestcore: " + Printable.of(problem)));
        return problems.isEmpty() ? ExitCode.DONE : ExitCode.DAMAGED;
    }
}
