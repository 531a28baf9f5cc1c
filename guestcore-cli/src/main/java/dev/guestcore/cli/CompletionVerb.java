package dev.guestcore.cli;

import picocli.AutoComplete;
import picocli.CommandLine.Command;

/** {@code guestcore completion}. */
@Command(
        name = "completion",
        description = "Print a completion script for bash and zsh.",
        footer = {"", "Example:", "  source <(guestcore completion)"})
final class CompletionVerb extends Verb {

    CompletionVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        console().out().print(AutoComplete.bash("guestcore", Verbs.complete(console())));
        return ExitCode.DONE;
    }
}
