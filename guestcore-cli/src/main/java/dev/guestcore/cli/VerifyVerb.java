package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.SourceException;
import dev.guestcore.error.UnrecognizedFormatException;
import dev.guestcore.file.Locations;
import dev.guestcore.format.Check;
import dev.guestcore.inspect.GuestComparison;
import dev.guestcore.internal.text.Names;
import dev.guestcore.json.Json;
import dev.guestcore.json.ReportJson;
import dev.guestcore.manifest.Manifest;
import dev.guestcore.manifest.ManifestReport;
import dev.guestcore.open.Guests;
import dev.guestcore.open.Verification;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code guestcore verify}. */
@Command(
        name = "verify",
        description = {
            "Check a core file against the rules of its format.",
            "",
            "Each check names the source of its rule, and the programs that fail where it is broken. Exit code 3 if a "
                    + "rule is broken or the file does not match its manifest, 1 if --against finds different memory or a "
                    + "different value of a register that both know."
        },
        footer = {
            "",
            "Examples:",
            "  guestcore verify --deep vm.core",
            "  guestcore verify --manifest vm.core",
            "  guestcore verify vm.xen --manifest-file vm.core.manifest.json",
            "  guestcore verify vm.xen --against vm.core",
            "  guestcore verify split:vmcore.1,vmcore.2"
        })
final class VerifyVerb extends Verb {

    @Parameters(
            paramLabel = "<file>",
            description = "A core file, or a source that consists of files, such as split:FILE,FILE or raw:FILE@BASE.")
    String file = "";

    @Option(names = "--deep", description = "Also check the rules that need all of memory to be read.")
    boolean deep;

    @Option(
            names = "--against",
            paramLabel = "<other>",
            description = "Also compare with another core file or live source, page by page, register by register.")
    @Nullable
    String against;

    @Option(
            names = "--manifest",
            description = "Also compare every bit with <file>.manifest.json, and name the pages that changed.")
    boolean manifest;

    @Option(
            names = "--manifest-file",
            paramLabel = "<manifest>",
            description = "The same with a manifest elsewhere, also of the same memory in another format.")
    @Nullable
    String manifestFile;

    @Mixin
    ProgressOption progress = new ProgressOption();

    VerifyVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() throws Exception {
        return unwinding(() -> {
            expectAll();
            Optional<ManifestReport> digests = againstManifest();
            if (!json) {
                digests.ifPresent(report -> ManifestLines.of(report, file, style()).forEach(this::print));
            }
            try {
                Verification verification = verify();
                List<Check> checks = verification.checks();
                if (!json) {
                    describe(verification);
                }
                String other = against;
                Optional<GuestComparison> comparison =
                        other == null ? Optional.empty() : Optional.of(compare(other));
                if (json) {
                    Map<String, Object> document = json(verification, comparison);
                    digests.ifPresent(report -> document.put("manifest", ReportJson.of(report)));
                    printJson(document);
                } else if (other != null) {
                    comparison.ifPresent(result -> Comparison.describe(result, file, other, this::print, style()));
                }
                return digests.map(ManifestReport::matches).orElse(true)
                        ? exitCode(checks, comparison)
                        : ExitCode.DAMAGED;
            } catch (UnrecognizedFormatException | MalformedDumpException e) {
                // The manifest has told already what became of the file, and this is a consequence.
                if (digests.isEmpty() || digests.get().matches()) {
                    throw e;
                }
                if (json) {
                    printJson(unreadable(digests.get(), e));
                } else {
                    print("its format can no longer be recognised: " + Printable.of(String.valueOf(e.getMessage())));
                }
                return ExitCode.DAMAGED;
            }
        });
    }

    /** One pass over the file for its digest, and one over all memory for each look at it. */
    private void expectAll() {
        progress(progress.mode).expectPasses(
                (manifest || manifestFile != null ? 1 : 0) + (deep ? 1 : 0) + (against != null ? 1 : 0));
    }

    private Verification verify() {
        try (ShownProgress shown = progress(progress.mode)) {
            Verification found = Guests.verify(file, deep, shown);
            return new Verification(
                    found.format(),
                    found.title(),
                    found.checks().stream().sorted(Comparator.comparing(Check::id)).toList());
        }
    }

    private Optional<ManifestReport> againstManifest() throws Exception {
        if (!manifest && manifestFile == null) {
            return Optional.empty();
        }
        if (!Guests.isFile(file)) {
            throw usage("a manifest belongs to one file; name the file alone");
        }
        if (Locations.isAddress(file)) {
            throw usage("a manifest is compared with a file of this machine; download the file first");
        }
        Path path = FileNames.path(file);
        Path manifestPath = manifestFile == null ? Manifest.beside(path) : FileNames.path(manifestFile);
        if (manifestFile == null && !Files.exists(manifestPath)) {
            throw new SourceException(manifestPath + ": no such file; --manifest-file names a manifest elsewhere");
        }
        Manifest expected = Manifest.read(manifestPath);
        try (ShownProgress shown = progress(progress.mode)) {
            return Optional.of(expected.verify(path, shown));
        }
    }

    private Map<String, Object> unreadable(ManifestReport report, GuestcoreException reason) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("file", Locations.printable(file));
        document.put("unreadable", String.valueOf(reason.getMessage()));
        document.put("manifest", ReportJson.of(report));
        return document;
    }

    private static int exitCode(List<Check> checks, Optional<GuestComparison> comparison) {
        if (checks.stream().anyMatch(check -> check.result() == Check.Result.FAIL)) {
            return ExitCode.DAMAGED;
        }
        return comparison.map(GuestComparison::agrees).orElse(true) ? ExitCode.DONE : ExitCode.FAILED;
    }

    private Style style() {
        return console().style();
    }

    private GuestComparison compare(String other) {
        try (Guest left = Guests.open(file);
                Guest right = Guests.open(other);
                ShownProgress shown = progress(progress.mode)) {
            return GuestComparison.compare(left, right, shown);
        }
    }

    private void describe(Verification verification) {
        List<Check> checks = verification.checks();
        Map<Check.Result, Integer> counts = new EnumMap<>(Check.Result.class);
        checks.forEach(check -> counts.merge(check.result(), 1, Integer::sum));
        print(style().heading(Printable.location(file)) + ": " + Printable.of(verification.title()));
        Table table = new Table("check", "result", "rule", "at>");
        Map<Integer, List<String>> details = new LinkedHashMap<>();
        int row = 0;
        for (Check check : checks) {
            table.row(
                    Printable.of(check.id()),
                    result(check.result()),
                    Printable.of(check.rule()),
                    check.offset().isPresent() ? Json.address(check.offset().getAsLong()) : "");
            if (check.result() != Check.Result.PASS) {
                details.put(row, details(check));
            }
            row++;
        }
        List<String> lines = table.lines(style());
        print(lines.getFirst());
        for (int i = 1; i < lines.size(); i++) {
            print(lines.get(i));
            details.getOrDefault(i - 1, List.of()).forEach(detail -> print("      " + detail));
        }
        List<String> summary = new ArrayList<>();
        counts.forEach((result, count) -> summary.add(count + " " + Names.of(result)));
        print(checks.size() + " checks: " + String.join(", ", summary));
        if (!deep) {
            print(style().faint("(--deep also checks the rules that need all of memory to be read)"));
        }
    }

    private String result(Check.Result result) {
        String name = Names.of(result);
        return switch (result) {
            case PASS -> style().good(name);
            case NOTE, SKIPPED -> style().odd(name);
            case FAIL -> style().bad(name);
        };
    }

    private List<String> details(Check check) {
        List<String> lines = new ArrayList<>();
        if (check.result() == Check.Result.SKIPPED) {
            lines.add(Printable.of(check.found()));
        } else if (!check.expected().isEmpty() || !check.found().isEmpty()) {
            lines.add("expected " + Printable.of(check.expected()) + ", found " + Printable.of(check.found()));
        }
        if (!check.readers().isEmpty()) {
            lines.add("readers: " + Printable.of(check.readers()));
        }
        lines.add(style().faint("source: " + Printable.of(check.source())));
        return lines;
    }

    private Map<String, Object> json(Verification verification, Optional<GuestComparison> comparison) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("file", Locations.printable(file));
        document.put("format", verification.format());
        document.put("deep", deep);
        document.put("checks", verification.checks().stream().map(ReportJson::of).toList());
        comparison.ifPresent(result -> document.put("against", ReportJson.of(result)));
        return document;
    }
}
