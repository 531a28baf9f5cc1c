package dev.guestcore.format;

import dev.guestcore.report.Reported;
import dev.guestcore.report.Severity;
import java.util.Objects;

/**
 * Something that the source has and the written file does not.
 *
 * @param what the fact ("register lstar of vCPU 0", "kind ROM of 0xf0000-0xfffff")
 * @param why what the format has instead
 * @param kept whether it is stored in Guestcore's own record, so that a later conversion restores it
 */
public record Loss(String what, String why, boolean kept) implements Reported {

    /** Checks for null. */
    public Loss {
        Objects.requireNonNull(what);
        Objects.requireNonNull(why);
    }

    @Override
    public String id() {
        return "loss";
    }

    /** A note if it is stored in Guestcore's own record. */
    @Override
    public Severity severity() {
        return kept ? Severity.NOTE : Severity.OMITTED;
    }

    @Override
    public String text() {
        return what + ": " + why;
    }
}
