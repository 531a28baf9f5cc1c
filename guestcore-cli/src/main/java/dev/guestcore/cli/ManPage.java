package dev.guestcore.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.Model.UsageMessageSpec;
import picocli.CommandLine;

/** The manual page in troff, out of the same description as the help texts. */
final class ManPage {

    private final StringBuilder page = new StringBuilder();

    private ManPage() {}

    /** The page of a command and all its subcommands. */
    static String of(CommandLine root) {
        ManPage manual = new ManPage();
        manual.write(root);
        return manual.page.toString();
    }

    private void write(CommandLine root) {
        CommandSpec spec = root.getCommandSpec();
        request(".TH GUESTCORE 1 \"\" \"guestcore " + escape(Build.version()) + "\" \"User Commands\"");
        // Neither hyphenate nor stretch: this is about things to type.
        request(".nh");
        request(".ad l");
        section("NAME");
        text("guestcore - capture, convert, check and explore core dumps of virtual machines");
        section("SYNOPSIS");
        for (CommandLine verb : verbs(root)) {
            paragraph(bold(verb.getCommandSpec().qualifiedName()) + " " + synopsis(verb.getCommandSpec()));
        }
        section("DESCRIPTION");
        descriptions(spec.usageMessage());
        section("COMMANDS");
        for (CommandLine verb : verbs(root)) {
            command(verb.getCommandSpec());
        }
        section("EXIT STATUS");
        item("0", "done");
        item("1", "failed: nothing was found, a comparison found a difference, or the output could not be written");
        item("2", "the command line is wrong; nothing was done");
        item("3", "the input is damaged; what can be read was read");
        item("130",
                "cancelled with Ctrl\\-C (SIGINT); a guest that was frozen runs again, and no half\\-written file is left");
        item("143, 129", "the same, ended by SIGTERM or SIGHUP");
        section("ENVIRONMENT");
        item("GUESTCORE_DEBUG", "if set, errors come with a stack trace, as with \\-\\-debug");
        item("GUESTCORE_JAVA_OPTIONS", "more options for the Java virtual machine");
        item("JAVA_HOME", "the JDK that a checkout uses, if it is new enough; an installed program brings its own");
        item("NO_COLOR", "if not empty, no colours, unless \\-\\-color always asks for them");
        item("PAGER", "shows what is longer than the terminal; less if not set, none if empty or cat");
    }

    private static List<CommandLine> verbs(CommandLine root) {
        return root.getSubcommands().values().stream()
                .filter(line -> line.getCommand() instanceof Verb)
                .toList();
    }

    private void command(CommandSpec spec) {
        request(".SS " + escape(spec.name()));
        descriptions(spec.usageMessage());
        for (PositionalParamSpec parameter : spec.positionalParameters()) {
            item(escape(parameter.paramLabel()), join(parameter.description(), parameter));
        }
        for (OptionSpec option : spec.options()) {
            if (!option.hidden() && !option.usageHelp()) {
                String names = Arrays.stream(option.names()).map(ManPage::escape).collect(Collectors.joining(", "));
                String label = option.arity().max() == 0 ? "" : " " + escape(option.paramLabel());
                item(names + label, join(option.description(), option));
            }
        }
        examples(spec.usageMessage());
    }

    private void examples(UsageMessageSpec usage) {
        List<String> lines = Arrays.stream(usage.footer())
                .filter(line -> line.startsWith("  "))
                .map(String::strip)
                .toList();
        if (lines.isEmpty()) {
            return;
        }
        request(".PP");
        text(lines.size() == 1 ? "Example:" : "Examples:");
        request(".PP");
        request(".RS 4");
        request(".nf");
        lines.forEach(line -> text(escape(line)));
        request(".fi");
        request(".RE");
    }

    private void descriptions(UsageMessageSpec usage) {
        boolean between = false;
        for (String line : usage.description()) {
            if (line.isEmpty()) {
                between = true;
                continue;
            }
            if (between) {
                request(".PP");
            }
            text(escape(line));
        }
    }

    private static String synopsis(CommandSpec spec) {
        String parameters = spec.positionalParameters().stream()
                .map(parameter -> parameter.arity().min() == 0
                        ? "[" + parameter.paramLabel() + "]"
                        : parameter.paramLabel())
                .collect(Collectors.joining(" "));
        String required = spec.options().stream()
                // Of a group of which one may be chosen, each counts as required.
                .filter(option -> option.required() && option.group() == null)
                .map(option -> option.names()[0] + " " + option.paramLabel() + " ")
                .collect(Collectors.joining());
        return escape((required + "[options] " + parameters).strip());
    }

    /** The description as the help shows it, with its variables filled in. */
    private static String join(String[] description, ArgSpec of) {
        String text = String.join(" ", description).replace("%%", "%");
        if (of.completionCandidates() != null) {
            List<String> candidates = new ArrayList<>();
            of.completionCandidates().forEach(candidates::add);
            text = text.replace("${COMPLETION-CANDIDATES}", String.join(", ", candidates));
        }
        return escape(Help.Ansi.OFF.string(text));
    }

    private void section(String name) {
        request(".SH " + name);
    }

    private void item(String term, String text) {
        request(".TP");
        text(bold(term));
        text(text);
    }

    private void paragraph(String text) {
        text(text);
        request(".br");
    }

    private void request(String line) {
        page.append(line).append('\n');
    }

    /** A line of text; one that begins like a request must not be taken for one. */
    private void text(String line) {
        page.append(line.startsWith(".") || line.startsWith("'") ? "\\&" : "").append(line).append('\n');
    }

    private static String bold(String text) {
        return "\\fB" + text + "\\fR";
    }

    private static String escape(String text) {
        return text.replace("\\", "\\e").replace("-", "\\-");
    }
}
