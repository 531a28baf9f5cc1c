package dev.guestcore.cli;

import dev.guestcore.internal.text.Names;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine;

/** {@code guestcore completion}. */
@Command(
        name = "completion",
        description = {
            "Print a completion script for a shell: commands, options, their values, files and sources.",
            "",
            "The packages install these scripts. If you use the archive or a checkout, source the script, or put it "
                    + "where the shell looks for such scripts."
        },
        footer = {
            "",
            "Examples:",
            "  source <(guestcore completion)",
            "  source <(guestcore completion --shell zsh)",
            "  guestcore completion --shell fish > ~/.config/fish/completions/guestcore.fish"
        })
final class CompletionVerb extends Verb {

    private static final String PROGRAM = "guestcore";

    @Option(
            names = "--shell",
            paramLabel = "<shell>",
            converter = Shell.Choice.class,
            completionCandidates = Shell.Choice.class,
            description = "The shell: ${COMPLETION-CANDIDATES}. Default: bash.")
    Shell shell = Shell.BASH;

    CompletionVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        CommandLine all = Verbs.complete(console());
        String script = switch (shell) {
            case BASH -> BashCompletion.of(PROGRAM, all);
            case ZSH -> ZshCompletion.of(PROGRAM, all);
            case FISH -> FishCompletion.of(PROGRAM, all);
        };
        if (json) {
            printJson(Map.of("script", script));
        } else {
            console().out().print(script);
        }
        return ExitCode.DONE;
    }

    /** Who completes. */
    enum Shell {
        /** Bash. */
        BASH,
        /** Zsh. */
        ZSH,
        /** Fish. */
        FISH;

        /** What can stand on the command line, and what it means. */
        static final class Choice implements ITypeConverter<Shell>, Iterable<String> {

            @Override
            public Shell convert(String text) {
                return Choices.find(text, List.of(values()));
            }

            @Override
            public Iterator<String> iterator() {
                return Arrays.stream(values()).map(Shell::toString).iterator();
            }
        }

        /** As it stands on the command line. */
        @Override
        public String toString() {
            return Names.of(this);
        }
    }
}
