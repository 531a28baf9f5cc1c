package dev.guestcore.cli;

import dev.guestcore.Finding;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What is odd about a guest, for people and programs. */
final class Findings {

    private Findings() {}

    /** What is damaged. */
    static List<Finding> damage(List<Finding> findings) {
        return findings.stream()
                .filter(finding -> finding.severity() == Finding.Severity.DAMAGE)
                .toList();
    }

    /** All findings, for programs. */
    static List<Map<String, Object>> json(List<Finding> findings) {
        return findings.stream().map(Findings::json).toList();
    }

    private static Map<String, Object> json(Finding finding) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("severity", Names.of(finding.severity()));
        json.put("message", finding.message());
        return json;
    }

    /** A finding of damage beside a result. */
    static String remark(Finding damage) {
        return "guestcore: damaged: " + Printable.of(damage.message());
    }

    /** One finding for people. */
    static String line(Finding finding, Style style) {
        String label = Names.of(finding.severity());
        String painted = finding.severity() == Finding.Severity.DAMAGE ? style.bad(label) : style.odd(label);
        return "  " + painted + " ".repeat(8 - label.length()) + Printable.of(finding.message());
    }
}
