package dev.guestcore.cli;

import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.WriteOption;
import dev.guestcore.internal.text.Nearest;
import dev.guestcore.open.Guests;
import java.io.Serial;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine.Model.ArgGroupSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/** The options that the formats' writers declare, as options of the command line. */
final class WriteOptions {

    private WriteOptions() {}

    /** An option, and the formats that take it. */
    private record Declared(WriteOption option, List<CoreFormat> formats) {}

    /** Formats that can be written, in the order of their names. */
    static List<CoreFormat> writableFormats() {
        return Guests.formats().stream().filter(CoreFormat::canWrite).toList();
    }

    /** Adds the options to a command, grouped by the formats that take them. */
    static void declare(CommandSpec command) {
        Map<String, ArgGroupSpec.Builder> groups = new LinkedHashMap<>();
        int order = 0;
        for (Declared declared : declared().values()) {
            String formats = declared.formats.stream().map(CoreFormat::name).collect(Collectors.joining(", "));
            groups.computeIfAbsent(formats, names -> ArgGroupSpec.builder()
                    .validate(false)
                    .multiplicity("0..1")
                    .heading("%nOptions of --to " + names.replace(", ", " and --to ") + ":%n"))
                    .addArg(option(declared.option));
        }
        for (ArgGroupSpec.Builder group : groups.values()) {
            command.addArgGroup(group.order(order++).build());
        }
    }

    private static Map<String, Declared> declared() {
        Map<String, Declared> byName = new LinkedHashMap<>();
        for (CoreFormat format : writableFormats()) {
            for (WriteOption option : format.writeOptions()) {
                byName.computeIfAbsent(option.name(), name -> new Declared(option, new ArrayList<>())).formats
                        .add(format);
            }
        }
        return byName;
    }

    /** A message of the library, with the names of options as they are typed: where it says "option layout". */
    static String asTyped(String message) {
        String names = String.join("|", declared().keySet());
        return message.replaceAll("\\boption (" + names + ")\\b", "option --$1");
    }

    private static OptionSpec option(WriteOption option) {
        String help = sentence(option).replace("%", "%%");
        OptionSpec.Builder builder = OptionSpec.builder("--" + option.name());
        if (option.values().isEmpty()) {
            return builder.type(boolean.class).arity("0").description(help).build();
        }
        Set<String> values = new LinkedHashSet<>(option.values());
        return builder.type(String.class)
                .arity("1")
                .paramLabel("<" + option.name() + ">")
                .completionCandidates(values)
                .description(help)
                .build();
    }

    /** The help like all others: capital letter, the values, full stop. */
    private static String sentence(WriteOption option) {
        String values = option.values().isEmpty() ? "" : " (" + String.join(", ", option.values()) + ")";
        return option.help().substring(0, 1).toUpperCase(Locale.ROOT) + option.help().substring(1) + values + ".";
    }

    /**
     * The writer that the command line asks for.
     *
     * @throws ParameterException if an option does not belong to the format or has no such value
     */
    static CoreWriter writer(CommandSpec command, CoreFormat format) {
        ParseResult parsed = command.commandLine().getParseResult();
        Map<String, String> chosen = new LinkedHashMap<>();
        for (Declared declared : declared().values()) {
            String name = "--" + declared.option.name();
            if (!parsed.hasMatchedOption(name)) {
                continue;
            }
            if (!declared.formats.contains(format)) {
                throw new ParameterException(command.commandLine(), name + " is an option of --to "
                        + declared.formats.stream().map(CoreFormat::name).collect(Collectors.joining(" and --to "))
                        + ", not of --to " + format.name());
            }
            chosen.put(declared.option.name(), String.valueOf(parsed.<Object>matchedOptionValue(name, "true")));
        }
        try {
            return format.writer(chosen);
        } catch (UnsupportedRequestException e) {
            throw new ParameterException(command.commandLine(), asTyped(String.valueOf(e.getMessage())), e);
        }
    }

    /** The format of that name, if it can be written. */
    static CoreFormat format(CommandSpec command, String name) {
        List<CoreFormat> formats = writableFormats();
        return formats.stream()
                .filter(format -> format.name().equals(name))
                .findFirst()
                .orElseThrow(() -> {
                    List<String> names = formats.stream().map(CoreFormat::name).toList();
                    return new ParameterException(command.commandLine(), "--to " + name
                            + ": not a format that can be written; choose one of " + String.join(", ", names)
                            + Nearest.hint(name, names));
                });
    }

    /** Names of the formats that can be written, for help and completion. */
    static final class FormatNames extends ArrayList<String> {

        @Serial
        private static final long serialVersionUID = 1L;

        FormatNames() {
            super(writableFormats().stream().map(CoreFormat::name).toList());
        }
    }
}
