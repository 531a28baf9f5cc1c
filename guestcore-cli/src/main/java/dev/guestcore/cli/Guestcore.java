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
        description = "Capture, convert, check and explore core dumps of virtual machines.",
        synopsisSubcommandLabel = "<command>",
        versionProvider = Guestcore.Version.class,
        footer = {
            "",
            "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 damaged input (what can be read was read), 130 cancelled.",
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
        throw new ParameterException(spec.commandLine(), "no command given; 'guestcore demo' is a good first one");
    }

    /** The version that the build wrote down. */
    static final class Version implements IVersionProvider {

        @Override
        public String[] getVersion() {
            return new String[] {"guestcore " + Build.version()};
        }
    }
}
