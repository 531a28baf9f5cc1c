package dev.guestcore.cli;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine;

/** The completion script for fish, out of the same description as the help texts. */
final class FishCompletion {

    /** Kinds of sources, and the files behind their colon; and where a command is expected. */
    private static final String FUNCTIONS =
            """
            function __%1$s_sources
                set -l token (commandline -ct)
                if string match -qr '^[a-z]+:' -- $token
                    set -l scheme (string replace -r ':.*' ':' -- $token)
                    for path in (__fish_complete_path (string replace -r '^[a-z]+:' '' -- $token))
                        echo $scheme$path
                    end
                else
                    printf '%%s\\tkind of source\\n' %2$s
                end
            end

            # Whether the cursor is still in front of the command: options may be there.
            function __%1$s_needs_command
                set -l tokens (commandline -opc)
                set -e tokens[1]
                while set -q tokens[1]
                    switch $tokens[1]
                        case %3$s
                            set -e tokens[1]
                            set -q tokens[1]; and set -e tokens[1]
                        case '-*'
                            set -e tokens[1]
                        case '*'
                            return 1
                    end
                end
                return 0
            end
            """;

    private final String program;
    private final StringBuilder script = new StringBuilder();

    private FishCompletion(String program) {
        this.program = program;
    }

    /** The script for a command and all its subcommands. */
    static String of(String program, CommandLine root) {
        FishCompletion completion = new FishCompletion(program);
        completion.write(root);
        return completion.script.toString();
    }

    private void write(CommandLine root) {
        String valued = root.getCommandSpec().options().stream()
                .filter(option -> option.arity().max() > 0)
                .flatMap(option -> Stream.of(option.names()))
                .collect(Collectors.joining(" "));
        script.append(FUNCTIONS.formatted(program, String.join(" ", Completes.schemes()), valued));
        String needsCommand = "__" + program + "_needs_command";
        root.getCommandSpec().options().forEach(option -> option(needsCommand, option));
        root.getSubcommands().forEach((name, verb) -> {
            String[] description = verb.getCommandSpec().usageMessage().description();
            rule(needsCommand, "-f -a " + quoted(name) + described(description[0]));
            String used = "__fish_seen_subcommand_from " + name;
            verb.getCommandSpec().options().stream()
                    .filter(option -> !option.hidden())
                    .forEach(option -> option(used, option));
            List<PositionalParamSpec> parameters = verb.getCommandSpec().positionalParameters();
            for (PositionalParamSpec parameter : parameters) {
                switch (Completes.of(parameter)) {
                    case WORDS -> rule(used, "-f -a " + candidates(parameter));
                    case SOURCE -> rule(used, "-a " + quoted("(__" + program + "_sources)"));
                    case FILE, NOTHING -> {
                        // Fish offers files by itself.
                    }
                }
            }
            if (parameters.isEmpty()) {
                rule(used, "-f");
            }
        });
    }

    private void option(String condition, OptionSpec option) {
        String names = Stream.of(option.names())
                .map(name -> name.startsWith("--") ? "-l " + name.substring(2) : "-s " + name.substring(1))
                .collect(Collectors.joining(" "));
        String value = "";
        if (option.arity().max() > 0) {
            value = switch (Completes.of(option)) {
                case WORDS -> " -x -a " + candidates(option);
                case SOURCE -> " -r -a " + quoted("(__" + program + "_sources)");
                case FILE -> " -r";
                case NOTHING -> " -x";
            };
        }
        rule(condition, names + value + described(String.join(" ", option.description()), option));
    }

    private void rule(String condition, String rest) {
        script.append("complete -c ").append(program).append(" -n ").append(quoted(condition)).append(' ').append(rest)
                .append('\n');
    }

    /** Each with a description of its own, and be it none: else it would get the option's. */
    private static String candidates(ArgSpec of) {
        return quoted(Completes.words(of).stream().map(word -> word + "\\t").collect(Collectors.joining(" ")));
    }

    private static String all(ArgSpec of, String between) {
        return String.join(between, Completes.words(of));
    }

    private static String described(String text, ArgSpec of) {
        return described(
                of.completionCandidates() == null
                        ? text
                        : text.replace("${COMPLETION-CANDIDATES}", all(of, ", ")));
    }

    private static String described(String text) {
        return " -d " + quoted(Help.Ansi.OFF.string(text.replace("%%", "%")));
    }

    private static String quoted(String text) {
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'";
    }
}
