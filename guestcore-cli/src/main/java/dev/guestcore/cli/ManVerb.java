package dev.guestcore.cli;

import picocli.CommandLine.Command;

/** {@code guestcore man}. */
@Command(
        name = "man",
        description = "Print the manual page, in the format of man(7).",
        footer = {"", "Example:", "  guestcore man | man -l -"})
final class ManVerb extends Verb {

    ManVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        console().out().print(ManPage.of(Verbs.complete(console())));
        return ExitCode.DONE;
    }
}
