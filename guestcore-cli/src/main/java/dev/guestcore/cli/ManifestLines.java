package dev.guestcore.cli;

import dev.guestcore.AddressRange;
import dev.guestcore.MemoryRegion;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.json.Json;
import dev.guestcore.manifest.ManifestReport.Change;
import dev.guestcore.manifest.ManifestReport.Companion;
import dev.guestcore.manifest.ManifestReport;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;

/** What a manifest says of a file, for people and programs. */
final class ManifestLines {

    private static final int MOST_LINES = 24;

    private ManifestLines() {}

    /** For people. */
    static List<String> of(ManifestReport report, String file, Style style) {
        List<String> lines = new ArrayList<>();
        lines.add(style.heading(Printable.location(file)) + ": " + headline(report, style));
        report.modifiedAfterwards().ifPresent(time -> lines.add("  the file was last modified "
                + time.truncatedTo(ChronoUnit.SECONDS)
                + ", after this manifest was made: the manifest may be that of an"
                + " earlier dump of the same name"));
        report.changes().stream().limit(MOST_LINES).forEach(change -> lines.add("  " + line(change)));
        if (report.changes().size() > MOST_LINES) {
            lines.add("  … and " + Amounts.count(report.changes().size() - MOST_LINES)
                    + (report.changes().size() == ManifestReport.MOST_CHANGES ? " or more" : "")
                    + " more places (--json lists " + Amounts.count(ManifestReport.MOST_CHANGES) + ")");
        }
        for (Companion companion : report.companions()) {
            String name = Printable.of(companion.name());
            lines.add("  " + switch (companion.state()) {
                case SAME -> name + " beside it is as it was written";
                case CHANGED -> style.bad(name + " beside it was changed");
                case MISSING -> style.bad(name + " is missing beside it");
            });
        }
        return lines;
    }

    private static String headline(ManifestReport report, Style style) {
        return switch (report.relation()) {
            case SAME_FILE -> style.good("every bit is as it was written") + ", SHA-256 " + report.sha256();
            case OTHER_FORM ->
                    report.changedMemoryPages() == 0
                            ? style.good("another form of the same memory") + ", every page as it was"
                            : style.bad("another form, and the memory differs") + ": "
                                    + pages(report.changedMemoryPages());
            case CHANGED_FILE ->
                    style.bad("not as it was written") + ": " + pages(report.changedMemoryPages())
                            + " of memory, " + Text.counted(report.changedFilePages(), "block")
                            + " of headers, notes and other content of the file";
        };
    }

    private static String pages(long count) {
        return Text.counted(count, "page");
    }

    private static String line(Change change) {
        String range = new AddressRange(change.first(), change.last()).toString();
        return switch (change.part()) {
            case MEMORY -> "memory   " + range + ", " + pages(change.pages())
                    + change.region().map(region -> " of " + describe(region)).orElse("")
                    + (change.offset().isPresent()
                            ? ", at offset " + Json.address(change.offset().getAsLong()) + " of the file"
                            : "");
            case FILE -> "file     offsets " + range + ", no memory of the guest";
            case MISSING -> "missing  offsets " + range + ": the file is too short";
            case EXTRA -> "extra    offsets " + range + ": the file is too long";
        };
    }

    private static String describe(MemoryRegion region) {
        return Text.kind(region.kind()) + (region.name().isEmpty() ? "" : " '" + Printable.of(region.name()) + "'")
                + " "
                + region.range();
    }
}
