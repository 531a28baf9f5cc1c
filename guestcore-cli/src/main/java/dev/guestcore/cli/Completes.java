package dev.guestcore.cli;

import dev.guestcore.open.Guests;
import java.util.List;
import java.util.Set;
import java.util.stream.StreamSupport;
import picocli.CommandLine.Model.ArgSpec;

/** What a shell can offer for an argument; what its label calls a file is one. */
enum Completes {
    /** One of a few words. */
    WORDS,
    /** A core file or a kind of source. */
    SOURCE,
    /** Any file. */
    FILE,
    /** A number, an address, a pattern: nobody knows. */
    NOTHING;

    private static final Set<String> SOURCES = Set.of("<source>", "<in>", "<here>", "<there>", "<other>");
    private static final Set<String> FILES = Set.of("<file>", "<folder>", "<manifest>");

    /** What there is for this argument. */
    static Completes of(ArgSpec argument) {
        if (argument.completionCandidates() != null || isCommand(argument)) {
            return WORDS;
        }
        String label = argument.paramLabel();
        return SOURCES.contains(label) ? SOURCE : FILES.contains(label) ? FILE : NOTHING;
    }

    /** What {@code help} takes: the parser's own command, which offers no words. */
    private static boolean isCommand(ArgSpec argument) {
        return argument.paramLabel().equals("COMMAND");
    }

    /** The words that an argument takes. */
    static List<String> words(ArgSpec argument) {
        if (isCommand(argument)) {
            return List.copyOf(Verbs.names());
        }
        return StreamSupport.stream(argument.completionCandidates().spliterator(), false).toList();
    }

    /** Kinds of sources as they are typed: {@code qemu:}. */
    static List<String> schemes() {
        return Guests.schemes().stream().map(scheme -> scheme.name() + ":").toList();
    }
}
