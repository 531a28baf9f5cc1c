package dev.guestcore.cli;

import java.util.Map;
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
        String page = ManPage.of(Verbs.complete(console()));
        if (json) {
            printJson(Map.of("page", page));
        } else {
            console().out().print(page);
        }
        return ExitCode.DONE;
    }
}
