package dev.guestcore.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine;

/** The completion script for zsh, out of the same description as the help texts: to be sourced, or for a folder of fpath. */
final class ZshCompletion {

    private static final String FRAME =
            """
            #compdef %1$s

            # Files and kinds of sources, behind whose colon there are files again.
            _%1$s_sources() {
                if compset -P '*:'; then
                    _files
                else
                    _alternative 'files:file:_files' 'schemes:kind of source:compadd -S "" -- %2$s'
                fi
            }

            _%1$s() {
                local curcontext=$curcontext verb
                local -a commands
                local -i at=2
                # Options may stand in front of the command.
                while (( at < CURRENT )) && [[ $words[at] == -* ]]; do
                    case $words[at] in
                        %5$s) (( at += 2 )) ;;
                        *) (( at += 1 )) ;;
                    esac
                done
                if (( at > CURRENT )) || [[ at -eq CURRENT && $words[at] == -* ]]; then
                    _arguments \\
            %6$s
                    return
                fi
                if (( at == CURRENT )); then
                    commands=(
            %3$s        )
                    _describe -t commands command commands
                    return
                fi
                verb=$words[at]
                shift $(( at - 1 )) words
                (( CURRENT -= at - 1 ))
                case $verb in
            %4$s    esac
            }

            # Zsh runs a file of its fpath when it first completes the command, and expects that to complete as well.
            if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
                _%1$s "$@"
            else
                (( $+functions[compdef] )) || { autoload -U compinit && compinit }
                compdef _%1$s %1$s
            fi
            """;

    private final String program;

    private ZshCompletion(String program) {
        this.program = program;
    }

    /** The script for a command and all its subcommands. */
    static String of(String program, CommandLine root) {
        ZshCompletion completion = new ZshCompletion(program);
        StringBuilder commands = new StringBuilder();
        StringBuilder cases = new StringBuilder();
        root.getSubcommands().forEach((name, line) -> {
            CommandSpec spec = line.getCommandSpec();
            String help = plain(spec.usageMessage().description()[0]);
            commands.append("            ").append(quoted(name + ":" + help)).append('\n');
            cases.append(completion.verb(name, spec));
        });
        List<OptionSpec> options = root.getCommandSpec().options();
        String valued = options.stream()
                .filter(option -> option.arity().max() > 0)
                .flatMap(option -> Stream.of(option.names()))
                .collect(Collectors.joining("|"));
        return FRAME.formatted(
                program, String.join(" ", Completes.schemes()), commands, cases, valued,
                lines(completion.options(options)));
    }

    private String verb(String name, CommandSpec spec) {
        List<String> specs = new ArrayList<>(options(spec.options()));
        int position = 1;
        for (PositionalParamSpec parameter : spec.positionalParameters()) {
            specs.add(quoted(position++ + ":" + label(parameter) + ":" + action(parameter)));
        }
        return "        " + name + ")\n            _arguments \\\n"
                + lines(specs) + "\n            ;;\n";
    }

    private static String lines(List<String> specs) {
        return specs.stream().map(line -> "                " + line).collect(Collectors.joining(" \\\n"));
    }

    private List<String> options(List<OptionSpec> options) {
        return options.stream()
                .filter(option -> !option.hidden())
                .flatMap(option -> Stream.of(option.names()).map(alias -> option(alias, option)))
                .toList();
    }

    private String option(String alias, OptionSpec option) {
        boolean takesValue = option.arity().max() > 0;
        String help = String.join(" ", option.description());
        if (Completes.of(option) == Completes.WORDS) {
            help = help.replace("${COMPLETION-CANDIDATES}", String.join(", ", Completes.words(option)));
        }
        String value = takesValue ? ":" + label(option) + ":" + action(option) : "";
        String equals = takesValue && alias.startsWith("--") ? "=" : "";
        return quoted(alias + equals + "[" + plain(help).replace("[", "\\[").replace("]", "\\]") + "]" + value);
    }

    private static String label(ArgSpec argument) {
        return argument.paramLabel().replace("<", "").replace(">", "");
    }

    private String action(ArgSpec argument) {
        return switch (Completes.of(argument)) {
            case WORDS -> "(" + String.join(" ", Completes.words(argument)) + ")";
            case SOURCE -> "_" + program + "_sources";
            case FILE -> "_files";
            case NOTHING -> " ";
        };
    }

    private static String plain(String text) {
        return Help.Ansi.OFF.string(text.replace("%%", "%"));
    }

    private static String quoted(String text) {
        return "'" + text.replace("'", "'\\''") + "'";
    }
}
