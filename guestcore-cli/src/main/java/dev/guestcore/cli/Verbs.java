package dev.guestcore.cli;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine;

/** All commands. */
final class Verbs {

    /** What prints a text to be read, and is done with it: not what shows finds as they come, waits or writes files. */
    private static final Set<String> PAGED =
            Set.of(
                    "info", "ps", "log", "bt", "lsof", "maps", "env", "mount", "ss", "ip", "irqs", "check",
                    "lsmod", "memory", "regs", "read", "map",
                    "translate", "symbols", "verify", "diff", "formats", "help");

    /** Names that users type elsewhere. */
    private static final Map<String, String> OTHER_NAMES = Map.of("dmesg", "log", "files", "lsof");

    private Verbs() {}

    private static Map<String, Function<Console, Object>> all() {
        Map<String, Function<Console, Object>> verbs = new LinkedHashMap<>();
        verbs.put("demo", DemoVerb::new);
        verbs.put("capture", CaptureVerb::new);
        verbs.put("convert", ConvertVerb::new);
        verbs.put("info", InfoVerb::new);
        verbs.put("ps", PsVerb::new);
        verbs.put("log", LogVerb::new);
        verbs.put("bt", BtVerb::new);
        verbs.put("lsof", LsofVerb::new);
        verbs.put("maps", MapsVerb::new);
        verbs.put("env", EnvVerb::new);
        verbs.put("dump", DumpVerb::new);
        verbs.put("mount", MountVerb::new);
        verbs.put("ss", SsVerb::new);
        verbs.put("ip", IpVerb::new);
        verbs.put("irqs", IrqsVerb::new);
        verbs.put("lsmod", LsmodVerb::new);
        verbs.put("memory", MemoryVerb::new);
        verbs.put("check", CheckVerb::new);
        verbs.put("verify", VerifyVerb::new);
        verbs.put("regs", RegsVerb::new);
        verbs.put("read", ReadVerb::new);
        verbs.put("map", MapVerb::new);
        verbs.put("translate", TranslateVerb::new);
        verbs.put("search", SearchVerb::new);
        verbs.put("symbols", SymbolsVerb::new);
        verbs.put("diff", DiffVerb::new);
        verbs.put("gdb", GdbVerb::new);
        verbs.put("formats", FormatsVerb::new);
        verbs.put("completion", CompletionVerb::new);
        verbs.put("man", ManVerb::new);
        return verbs;
    }

    /** The names of all commands. */
    static Set<String> names() {
        return all().keySet();
    }

    /** Whether what these words print is better read in a pager, if it is long. */
    static boolean isPaged(List<String> words) {
        return !words.isEmpty() && PAGED.contains(name(words.getFirst())) && !words.contains("--follow")
                || words.contains("--help")
                || words.contains("-h");
    }

    private static String name(String word) {
        return OTHER_NAMES.getOrDefault(word, word);
    }

    /** The command line that {@code arguments} are for: only their command, since to describe all takes longer. */
    static CommandLine commandLine(Console console, String... arguments) {
        Map<String, Function<Console, Object>> verbs = all();
        if (arguments.length > 0 && verbs.containsKey(name(arguments[0]))) {
            verbs.keySet().retainAll(Set.of(name(arguments[0])));
        }
        return commandLine(console, verbs);
    }

    /** Weight instead of colours, of which the usual ones cannot be read on every terminal. */
    private static CommandLine.Help.ColorScheme colours(Ansi ansi) {
        return new CommandLine.Help.ColorScheme.Builder(ansi)
                .commands(Ansi.Style.bold)
                .options(Ansi.Style.bold)
                .parameters(Ansi.Style.underline)
                .optionParams(Ansi.Style.underline)
                .build();
    }

    /** The command line with all commands. */
    static CommandLine complete(Console console) {
        return commandLine(console, all());
    }

    private static CommandLine commandLine(Console console, Map<String, Function<Console, Object>> verbs) {
        CommandLine root = new CommandLine(new Guestcore());
        verbs.forEach((name, verb) -> {
            CommandLine line = new CommandLine(verb.apply(console));
            if (line.getCommand() instanceof WritingVerb) {
                WriteOptions.declare(line.getCommandSpec());
            }
            root.addSubcommand(name, line);
        });
        if (verbs.size() > 1) {
            root.addSubcommand(new CommandLine.HelpCommand());
        }
        root.setColorScheme(colours(console.style() == Style.PLAIN ? Ansi.OFF : Ansi.ON));
        root.setUsageHelpWidth(console.proseWidth());
        root.setUsageHelpLongOptionsMaxWidth(24);
        root.setOut(new PrintWriter(console.out(), true, StandardCharsets.UTF_8));
        root.setErr(new PrintWriter(console.err(), true, StandardCharsets.UTF_8));
        root.setAbbreviatedOptionsAllowed(false);
        return root;
    }
}
