package dev.guestcore.cli;

import dev.guestcore.MemoryAccessException;
import dev.guestcore.PageState;
import dev.guestcore.address.VirtualAccessException;
import dev.guestcore.error.CancelledException;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.OutputException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.internal.text.Nearest;
import dev.guestcore.json.Json;
import dev.guestcore.json.ReportJson;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.FileAlreadyExistsException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;
import picocli.CommandLine;

/** Turns whatever went wrong into one line and an exit code. */
final class Failures {

    /** Begins every line of ours on standard error. */
    static final String PREFIX = "guestcore: ";

    /** How the parser begins a message about a value; in it, what the value is for. */
    private static final Pattern PARSER_PLACE = Pattern.compile(
            "^Invalid value for (?:option '([^']+)'(?: \\([^)]*\\))?"
                    + "|positional parameter at index \\S+ \\(([^)]*)\\)): ");

    private final Console console;
    private final boolean alwaysTrace;
    private @Nullable Throwable reported;

    /** Reports to {@code console}, with stack traces if {@code alwaysTrace}. */
    Failures(Console console, boolean alwaysTrace) {
        this.console = console;
        this.alwaysTrace = alwaysTrace;
    }

    /**
     * Reports what a command threw.
     *
     * @param source what the command looked at, for commands that help
     */
    int report(Throwable failure, boolean trace, Optional<String> source) {
        PrintStream err = console.err();
        reported = failure.getCause();
        boolean cancelled = failure instanceof CancelledException
                || console.cancellation().isRequested() && failure instanceof OutputException;
        String line = cancelled ? "cancelled" : line(failure, source);
        int code = cancelled
                ? console.cancellation().exitCode()
                : failure instanceof MalformedDumpException ? ExitCode.DAMAGED : ExitCode.FAILED;
        print(line, code, cancelled ? Optional.empty() : Optional.of(failure));
        if (trace || alwaysTrace) {
            failure.printStackTrace(err);
        }
        return code;
    }

    private void print(String line, int code, Optional<Throwable> failure) {
        String message = console.withoutSecrets(line);
        if (console.speaksJson()) {
            Map<String, Object> error = new LinkedHashMap<>();
            error.put("message", message);
            error.put("exitCode", code);
            failure.filter(GuestcoreException.class::isInstance)
                    .map(GuestcoreException.class::cast)
                    .ifPresent(known -> error.putAll(ReportJson.parts(known)));
            Json.writeLine(console.err(), Json.document("error", error));
            console.err().flush();
        } else {
            console.complain(console.errorStyle().bad("guestcore:") + " " + Printable.of(message));
        }
    }

    /** Whether another failure with the same cause was reported: of standard output each write fails again. */
    boolean isReported(Throwable failure) {
        return reported != null && failure.getCause() == reported;
    }

    /** Whether whoever reads our output has left. */
    static boolean isBrokenPipe(Throwable failure) {
        return failure instanceof OutputException
                && failure.getCause() instanceof IOException cause
                && "Broken pipe".equals(cause.getMessage());
    }

    private static String line(Throwable failure, Optional<String> source) {
        return switch (failure) {
            case UnsupportedRequestException refused -> WriteOptions.asTyped(withWhatFollowed(refused));
            case GuestcoreException known -> withWhatFollowed(known) + howToGoOn(known, source);
            case OutOfMemoryError e -> "out of memory (" + e.getMessage()
                    + "); give more with GUESTCORE_JAVA_OPTIONS=-Xmx512m, and please report the input that needs it";
            case StackOverflowError e -> "the input is nested too deeply";
            case InternalError e -> "a file became shorter or its disk failed while it was read (" + e.getMessage()
                    + "); let whoever writes it finish, then try again";
            default -> "an error in Guestcore itself: " + failure
                    + "; repeat the command with --debug and report what it prints";
        };
    }

    /** What helps at the command line only: the library does not know its options and verbs. */
    private static String howToGoOn(GuestcoreException failure, Optional<String> source) {
        return switch (failure) {
            case OutputException taken when taken.getCause() instanceof FileAlreadyExistsException ->
                    ", or say --force to replace it";
            case VirtualAccessException unmapped -> source.map(typed -> "; `guestcore translate " + Text.quoted(typed)
                    + " " + Json.address(unmapped.address()) + "` shows the walk")
                    .orElse("");
            case MemoryAccessException missing when missing.state() == PageState.ABSENT ->
                    source.map(typed -> "; `guestcore map " + Text.quoted(typed) + "` shows what there is").orElse("");
            default -> "";
        };
    }

    /** What went wrong while the first failure was cleared up, the user has to clear up. */
    private static String withWhatFollowed(GuestcoreException failure) {
        StringBuilder line = new StringBuilder(String.valueOf(failure.getMessage()));
        for (Throwable suppressed : failure.getSuppressed()) {
            if (suppressed instanceof GuestcoreException known) {
                line.append("; also: ").append(known.getMessage());
            }
        }
        return line.toString();
    }

    /** A word that the command line has no place for: a mistyped command or option, a file without a command. */
    private static String unexpected(UnmatchedArgumentException failure) {
        CommandLine command = failure.getCommandLine();
        String word = failure.getUnmatched().getFirst();
        if (word.startsWith("-") && word.length() > 1) {
            return "unknown option '" + word + "'" + Nearest.hint(word, command.getCommandSpec().optionsMap().keySet());
        }
        if (command.getParent() != null) {
            return "unexpected argument '" + word + "'";
        }
        return "unknown command '" + word + "'" + (mayBeSource(word)
                ? "; to see what a file or a guest is: " + Text.program() + " info " + Text.quoted(word)
                : Nearest.hint(word, Verbs.names()));
    }

    private static boolean mayBeSource(String word) {
        return word.indexOf('.') >= 0 || word.indexOf('/') >= 0 || word.indexOf(':') >= 0;
    }

    /** The parser's words without its positions, and as all our messages begin. */
    private static String plain(String message) {
        Matcher place = PARSER_PLACE.matcher(message);
        if (place.find()) {
            String name = place.group(1) == null ? place.group(2) : place.group(1);
            return name + ": " + message.substring(place.end())
                    .replaceFirst(" is not an? (?:int|long)$", " is not a whole number");
        }
        return message.replaceFirst("^Error: (.*) are mutually exclusive \\(specify only one\\)$", "choose one of $1")
                .replaceFirst("^Missing required (?:parameter|option)s?: ", "missing ")
                .replaceFirst("^Missing ", "missing ")
                .replaceFirst("^Unknown subcommand '(.*)'\\.$", "unknown command '$1'");
    }

    /** Reports a command line that makes no sense. */
    int reportUsage(ParameterException failure) {
        CommandLine command = failure.getCommandLine();
        PrintStream err = console.err();
        print(failure instanceof UnmatchedArgumentException unmatched
                ? unexpected(unmatched)
                : plain(String.valueOf(failure.getMessage())), ExitCode.USAGE, Optional.empty());
        if (!console.speaksJson()) {
            err.println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
        }
        if (alwaysTrace) {
            failure.printStackTrace(err);
        }
        return ExitCode.USAGE;
    }
}
