package dev.guestcore.open;

import dev.guestcore.format.Check;
import java.util.List;
import java.util.Objects;

/**
 * What checking a dump found.
 *
 * @param format short name of the format whose rules were tried, or scheme of the source
 * @param title what was checked, for the user
 * @param checks every rule, in the order in which they were tried
 */
public record Verification(String format, String title, List<Check> checks) {

    /** Checks for null and copies. */
    public Verification {
        Objects.requireNonNull(format);
        Objects.requireNonNull(title);
        checks = List.copyOf(checks);
    }

    /** Whether no rule is broken. */
    public boolean isPassed() {
        return checks.stream().noneMatch(check -> check.result() == Check.Result.FAIL);
    }
}
