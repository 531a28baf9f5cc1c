package dev.guestcore.cli;

import dev.guestcore.Finding;
import dev.guestcore.internal.text.Names;
import dev.guestcore.json.ReportJson;
import dev.guestcore.report.Severity;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Findings about a guest, for people and programs. */
final class Findings {

    private static final int LABEL_WIDTH = 8;

    private Findings() {}

    /** What is damaged. */
    static List<Finding> damage(List<Finding> findings) {
        return findings.stream()
                .filter(finding -> finding.severity() == Severity.DAMAGE)
                .toList();
    }

    /** What the source holds and Guestcore does not read, so that a file written from it lacks it. */
    static List<Finding> omitted(List<Finding> findings) {
        return findings.stream()
                .filter(finding -> finding.severity() == Severity.OMITTED)
                .toList();
    }

    /** All findings, for programs. */
    static List<Map<String, Object>> json(List<Finding> findings) {
        return findings.stream().map(ReportJson::of).toList();
    }

    /** A finding of damage beside a result. */
    static String remark(Finding damage) {
        return "guestcore: damaged: " + Printable.of(damage.message());
    }

    /**
     * One finding for people.
     *
     * @param said what the reader knows already and is left out where the message begins with it
     * @param width columns of the longest line
     */
    static List<String> lines(Finding finding, String said, Style style, int width) {
        String message = finding.message().startsWith(said)
                ? finding.message().substring(said.length())
                : finding.message();
        String label = Names.of(finding.severity());
        String painted = finding.severity() == Severity.DAMAGE ? style.bad(label) : style.odd(label);
        String start = "  " + painted + " ".repeat(LABEL_WIDTH - label.length());
        List<String> lines = new ArrayList<>();
        for (String line : Text.wrap(Printable.of(message), width - LABEL_WIDTH - 2)) {
            lines.add(start + line);
            start = " ".repeat(2 + LABEL_WIDTH);
        }
        return lines;
    }
}
