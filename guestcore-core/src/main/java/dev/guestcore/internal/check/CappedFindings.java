package dev.guestcore.internal.check;

import dev.guestcore.Finding;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.report.Severity;
import java.util.ArrayList;
import java.util.List;

/** Collects findings; of many, the first ones and how many more there were. Not thread-safe. */
public final class CappedFindings {

    private static final int MOST = 32;

    private final List<Finding> findings = new ArrayList<>();
    private long more;
    private Severity worstOfMore = Severity.NOTE;

    /** Adds a finding. */
    public void add(Finding finding) {
        if (findings.size() < MOST) {
            findings.add(finding);
        } else {
            more++;
            worstOfMore = finding.severity().compareTo(worstOfMore) > 0 ? finding.severity() : worstOfMore;
        }
    }

    /** Adds several. */
    public void addAll(List<Finding> several) {
        several.forEach(this::add);
    }

    /** Adds damage in the words of an error that need not stop the reader. */
    public void damage(MalformedDumpException error) {
        add(Finding.damage(error));
    }

    /** Adds an oddity in the words of an error. */
    public void note(MalformedDumpException error) {
        add(Finding.note(error));
    }

    /** What was found. */
    public List<Finding> list() {
        if (more == 0) {
            return List.copyOf(findings);
        }
        List<Finding> all = new ArrayList<>(findings);
        all.add(Finding.of(worstOfMore, more + " more of this kind"));
        return all;
    }
}
