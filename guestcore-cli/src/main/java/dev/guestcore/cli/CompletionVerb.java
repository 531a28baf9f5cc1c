package dev.guestcore.cli;

import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;

/** {@code guestcore completion}. */
@Command(
        name = "completion",
        description = "Print a completion script for bash and zsh, or the file that a shell looks for.",
        footer = {
            "",
            "Examples:",
            "  source <(guestcore completion)",
            "  guestcore completion --shell fish > ~/.config/fish/completions/guestcore.fish"
        })
final class CompletionVerb extends Verb {

    private static final String PROGRAM = "guestcore";

    @Option(
            names = "--shell",
            paramLabel = "<shell>",
            converter = Shell.Choice.class,
            completionCandidates = Shell.Choice.class,
            description = "${COMPLETION-CANDIDATES}; what bash reads, zsh can source as well, and what zsh reads is"
                    + " for a folder of its fpath.")
    Shell shell = Shell.BASH;

    CompletionVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        CommandLine all = Verbs.complete(console());
        String script = switch (shell) {
            case BASH -> AutoComplete.bash(PROGRAM, all);
            case ZSH -> zsh(all);
            case FISH -> FishCompletion.of(PROGRAM, all);
        };
        if (json) {
            printJson(Map.of("script", script));
        } else {
            console().out().print(script);
        }
        return ExitCode.DONE;
    }

    /**
     * Zsh runs the file when it first completes the command, and expects that to complete as well. It reads all of it before
     * the alias in it that stands for compopt takes effect.
     */
    private static String zsh(CommandLine all) {
        return """
                #compdef %1$s
                compopt() { : }
                %2$s
                _bash_complete -o default -F _complete_%1$s
                """
                .formatted(PROGRAM, AutoComplete.bash(PROGRAM, all));
    }

    /** Who completes. */
    enum Shell {
        /** Bash, and zsh as it reads scripts for bash. */
        BASH,
        /** Zsh, from a folder of completion functions. */
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
