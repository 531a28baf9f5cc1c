package dev.guestcore.cli;

import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.file.ByteStore;
import dev.guestcore.file.FileSet;
import dev.guestcore.file.Locations;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.format.Probe;
import dev.guestcore.internal.text.Names;
import dev.guestcore.open.Guests;
import dev.guestcore.open.Scheme;
import dev.guestcore.source.GuestSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code guestcore formats}. */
@Command(
        name = "formats",
        description = {
            "List the formats and the kinds of sources.",
            "",
            "With a file, show which format matches and why the others do not."
        },
        footer = {"", "Example:", "  guestcore formats vm.core"})
final class FormatsVerb extends Verb {

    @Parameters(arity = "0..1", paramLabel = "<file>", description = "A file to try all formats on.")
    @Nullable
    String file;

    FormatsVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        if (file != null) {
            return probe(file);
        }
        if (json) {
            printJson(json());
        } else {
            describe();
        }
        return ExitCode.DONE;
    }

    private void describe() {
        Style style = console().style();
        print(style.heading("formats"));
        Table formats = new Table("name", "read", "write", "what", "options of the writer");
        for (CoreFormat format : Guests.formats()) {
            List<String> options = format.writeOptions().stream().map(option -> "--" + option.name()).toList();
            formats.row(
                    format.name(), "yes", format.canWrite() ? "yes" : "no", format.title(), String.join(" ", options));
        }
        formats.lines(style).forEach(this::print);
        print("");
        print(style.heading("sources"));
        Table sources = new Table("", "");
        sources.row("FILE", "a core file of a format above, recognised by its content");
        for (Scheme scheme : Guests.schemes()) {
            // The first words say what can stand behind the colon.
            String[] parts = scheme.help().split(" {2,}", 2);
            sources.row(parts.length == 2 ? parts[0] : scheme.name() + ":", parts[parts.length - 1]);
        }
        for (ByteStore store : Locations.stores()) {
            String[] parts = store.help().split(" {2,}", 2);
            sources.row(parts[0], parts[parts.length - 1]);
        }
        sources.lines(style).forEach(this::print);
    }

    private static Map<String, Object> json() {
        List<Object> formats = new ArrayList<>();
        for (CoreFormat format : Guests.formats()) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("name", format.name());
            entry.put("title", format.title());
            entry.put("read", true);
            entry.put("write", format.canWrite());
            List<Object> options = new ArrayList<>();
            format.writeOptions().forEach(option -> {
                Map<String, Object> described = new LinkedHashMap<>();
                described.put("name", option.name());
                described.put("values", option.values());
                described.put("help", option.help());
                options.add(described);
            });
            entry.put("writeOptions", options);
            formats.add(entry);
        }
        List<Object> sources = new ArrayList<>();
        for (Scheme scheme : Guests.schemes()) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("scheme", scheme.name());
            entry.put("help", scheme.help());
            sources.add(entry);
        }
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("formats", formats);
        document.put("sources", sources);
        return document;
    }

    /** Gives success if some format claims the file, as a test in a script. */
    private int probe(String name) {
        if (!Guests.isFile(name)) {
            return probeSource(name);
        }
        List<Map<String, Object>> results = new ArrayList<>();
        boolean claimed = false;
        Style style = console().style();
        Table table = new Table("name", "match", "why");
        try (FileSet files = Guests.files(name, Progress.none())) {
            for (CoreFormat format : Guests.formats()) {
                Probe probe = format.probe(files);
                boolean matches = probe.claims();
                claimed |= matches;
                String match = Names.of(probe.match());
                table.row(
                        format.name(), matches ? style.good(match) : style.faint(match), Printable.of(probe.reason()));
                Map<String, Object> result = new LinkedHashMap<>();
                result.put("format", format.name());
                result.put("match", match);
                result.put("reason", probe.reason());
                results.add(result);
            }
            if (!claimed && files.folder().isPresent()) {
                // Says that a folder is no file.
                Guests.recognize(files);
            }
        }
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("file", Locations.printable(name));
            document.put("probes", results);
            printJson(document);
        } else {
            table.lines(style).forEach(this::print);
        }
        return claimed ? ExitCode.DONE : ExitCode.FAILED;
    }

    /** A source has no content of its own: whether it can be opened is the answer. */
    private int probeSource(String name) {
        String scheme = name.substring(0, name.indexOf(':'));
        String match;
        String reason;
        try (GuestSource source = Guests.source(name)) {
            match = "exact";
            reason = source.description();
        } catch (GuestcoreException e) {
            match = "no";
            reason = String.valueOf(e.getMessage());
        }
        boolean opens = match.equals("exact");
        if (json) {
            Map<String, Object> result = new LinkedHashMap<>();
            result.put("format", scheme);
            result.put("match", match);
            result.put("reason", reason);
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("file", Locations.printable(name));
            document.put("probes", List.of(result));
            printJson(document);
        } else {
            Style style = console().style();
            Table table = new Table("name", "match", "why");
            table.row(scheme, opens ? style.good(match) : style.faint(match), Printable.of(reason));
            table.lines(style).forEach(this::print);
        }
        return opens ? ExitCode.DONE : ExitCode.FAILED;
    }
}
