package dev.guestcore.format;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.file.FileSet;
import dev.guestcore.report.Severity;
import java.util.List;
import java.util.OptionalLong;

/**
 * The check that all formats share, number 00: a file opens, and opening it finds no damage. So {@code verify}
 * never passes a file that {@code open} calls damaged, whatever the rules of the format check.
 */
public final class Opening {

    private static final String RULE = "the file opens, and opening it finds no damage";
    private static final String SOURCE = "docs/verify.md, section 1";

    private Opening() {}

    /**
     * Opens the files once more, as a user of them would.
     *
     * @param format that claims them
     * @param files stay open
     */
    public static Check check(CoreFormat format, FileSet files) {
        try {
            return check(format.name(), findings(format, files));
        } catch (GuestcoreException e) {
            return failed(format.name(), e);
        }
    }

    /**
     * The check where the guest was opened already.
     *
     * @param name of the format or the source
     * @param findings of the guest
     */
    public static Check check(String name, List<Finding> findings) {
        List<Finding> damage = findings.stream()
                .filter(finding -> finding.severity() == Severity.DAMAGE)
                .toList();
        String found = switch (damage.size()) {
            case 0 -> "no damage";
            case 1 -> damage.getFirst().message();
            default -> damage.size() + " findings of damage, which info lists; the first: "
                    + damage.getFirst().message();
        };
        return check(name, damage.isEmpty() ? Check.Result.PASS : Check.Result.FAIL, found);
    }

    /** The check where the guest cannot be opened. */
    public static Check failed(String name, GuestcoreException why) {
        return check(name, Check.Result.FAIL, String.valueOf(why.getMessage()));
    }

    private static Check check(String name, Check.Result result, String found) {
        return new Check(name + "-00", RULE, SOURCE, result, OptionalLong.empty(), "no damage", found, "");
    }

    private static List<Finding> findings(CoreFormat format, FileSet files) {
        try (Guest guest = open(format, files.reopen())) {
            return guest.findings();
        }
    }

    private static Guest open(CoreFormat format, FileSet files) {
        try {
            return format.open(files);
        } catch (RuntimeException | Error e) {
            files.close();
            throw e;
        }
    }
}
