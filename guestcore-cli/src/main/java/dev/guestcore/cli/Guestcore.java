package dev.guestcore.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code guestcore} itself. */
@Command(
        name = "guestcore",
        description = "A virtual machine, frozen and kept: capture any guest, into any core format, for any tool.",
        synopsisSubcommandLabel = "<command>",
        versionProvider = Guestcore.Version.class,
        footer = {
            "",
            "Exit codes: 0 done, 1 failed, 2 usage, 3 the input is damaged (what could be read was), 130 cancelled.",
            "",
            "Example:",
            "  guestcore demo"
        })
final class Guestcore implements Runnable {

    @Spec
    CommandSpec spec;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Show this help and exit.")
    boolean help;

    @Option(
            names = {"-V", "--version"},
            versionHelp = true,
            description = "Show the version and exit.")
    boolean version;

    @Option(
            names = ColourMode.OPTION,
            paramLabel = "<when>",
            converter = ColourMode.Choice.class,
            completionCandidates = ColourMode.Choice.class,
            description = "Use colours: ${COMPLETION-CANDIDATES}.")
    ColourMode colour = ColourMode.AUTO;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "name a command; 'guestcore demo' is a good first one");
    }

    /** The version that the build wrote down. */
    static final class Version implements IVersionProvider {

        @Override
        public String[] getVersion() {
            return new String[] {"guestcore " + Build.version()};
        }
    }
}
