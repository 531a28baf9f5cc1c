package dev.guestcore.cli;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine;

/** The completion script for bash, out of the same description as the help texts. */
final class BashCompletion {

    private static final String FRAME =
            """
            # Completion of %1$s for bash. Zsh has a script of its own and can source this one as well.
            if [ -n "${ZSH_VERSION-}" ]; then
                autoload -U +X compinit && compinit
                autoload -U +X bashcompinit && bashcompinit
            fi

            # Words that begin like the one under the cursor.
            _%1$s_words() {
                local IFS=$'\n'
                COMPREPLY+=($(compgen -W "$1" -- "$cur"))
            }

            # Files; what the cursor is in may have a scheme in front.
            _%1$s_files() {
                local IFS=$'\n' scheme=$1 file
                compopt -o filenames 2>/dev/null
                for file in $(compgen -f -- "$cur"); do
                    COMPREPLY+=("$scheme$file")
                done
            }

            # Files and kinds of sources. Bash takes qemu:/run for three words, zsh for one.
            _%1$s_sources() {
                local scheme
                case $cur in
                    *:*)
                        scheme=${cur%%%%:*}:
                        cur=${cur#*:}
                        _%1$s_files "$scheme"
                        ;;
                    *)
                        _%1$s_files
                        _%1$s_words $'%2$s'
                        case ${COMPREPLY[*]-} in
                            *:) compopt -o nospace 2>/dev/null ;;
                        esac
                        ;;
                esac
            }

            _complete_%1$s() {
                local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb at=1
                COMPREPLY=()
                # Options may stand in front of the command.
                while [ "$at" -lt "$COMP_CWORD" ]; do
                    case ${COMP_WORDS[at]} in
                        %6$s)
                            [ "${COMP_WORDS[at+1]-}" = = ] && at=$((at + 1))
                            at=$((at + 2))
                            ;;
                        -*) at=$((at + 1)) ;;
                        *) break ;;
                    esac
                done
                if [ "$at" -eq "$COMP_CWORD" ]; then
                    _%1$s_words $'%3$s'
                    return 0
                fi
                verb=${COMP_WORDS[at]-}
                [ "$at" -gt "$COMP_CWORD" ] && verb=
                # Bash takes --to=xen for three words.
                if [ "$prev" = = ]; then
                    prev=${COMP_WORDS[COMP_CWORD-2]}
                elif [ "$cur" = = ]; then
                    cur=
                fi
                if [ "$prev" = : ] || [ "$cur" = : ]; then
                    [ "$cur" = : ] && cur=
                    _%1$s_files
                    return 0
                fi
                case "$verb $prev" in
            %4$s    esac
                case "$verb $cur" in
            %5$s    esac
                return 0
            }

            complete -F _complete_%1$s %1$s
            """;

    private final String program;
    private final StringBuilder values = new StringBuilder();
    private final StringBuilder rest = new StringBuilder();

    private BashCompletion(String program) {
        this.program = program;
    }

    /** The script for a command and all its subcommands. */
    static String of(String program, CommandLine root) {
        BashCompletion completion = new BashCompletion(program);
        Map<String, CommandSpec> verbs = new LinkedHashMap<>();
        root.getSubcommands().forEach((name, line) -> verbs.put(name, line.getCommandSpec()));
        root.getCommandSpec().options().forEach(option -> completion.value("", option));
        verbs.forEach(completion::verb);
        String valued = root.getCommandSpec().options().stream()
                .filter(option -> option.arity().max() > 0)
                .flatMap(option -> Stream.of(option.names()))
                .collect(Collectors.joining(" | "));
        Stream<String> options = root.getCommandSpec().options().stream().flatMap(option -> Stream.of(option.names()));
        List<String> first = Stream.concat(verbs.keySet().stream(), options).toList();
        return FRAME.formatted(
                program, lines(Completes.schemes()), lines(first), completion.values, completion.rest, valued);
    }

    private void verb(String name, CommandSpec spec) {
        spec.options().forEach(option -> value(name, option));
        List<String> options = spec.options().stream()
                .filter(option -> !option.hidden())
                .flatMap(option -> Stream.of(option.names()))
                .toList();
        choice(rest, "'" + name + " -'*", words(options));
        spec.positionalParameters().stream()
                .map(this::action)
                .filter(action -> !action.equals(":"))
                .findFirst()
                .ifPresent(action -> choice(rest, "'" + name + " '*", action));
    }

    private void value(String verb, OptionSpec option) {
        if (!option.hidden() && option.arity().max() > 0) {
            String patterns = Stream.of(option.names())
                    .map(alias -> "'" + verb + " " + alias + "'")
                    .collect(Collectors.joining(" | "));
            choice(values, patterns, action(option) + "; return 0");
        }
    }

    private String action(ArgSpec argument) {
        return switch (Completes.of(argument)) {
            case WORDS -> words(Completes.words(argument));
            case SOURCE -> "_" + program + "_sources";
            case FILE -> "_" + program + "_files";
            case NOTHING -> ":";
        };
    }

    private String words(List<String> words) {
        return "_" + program + "_words $'" + lines(words) + "'";
    }

    private static String lines(List<String> words) {
        return String.join("\\n", words);
    }

    private static void choice(StringBuilder target, String pattern, String action) {
        target.append("        ").append(pattern).append(") ").append(action).append(" ;;\n");
    }
}
