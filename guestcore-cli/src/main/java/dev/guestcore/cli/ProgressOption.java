package dev.guestcore.cli;

import picocli.CommandLine.Option;

/** The option of all commands that may take long. */
final class ProgressOption {

    @Option(
            names = "--progress",
            paramLabel = "<how>",
            converter = ProgressMode.Choice.class,
            completionCandidates = ProgressMode.Choice.class,
            description = "Show progress on standard error: ${COMPLETION-CANDIDATES}; auto shows a bar on a terminal.")
    ProgressMode mode = ProgressMode.AUTO;
}
