package dev.guestcore.kernel;

import java.util.Objects;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where the file with debug information of a distribution's kernel comes from, as its release and banner say.
 *
 * @param distribution who built the kernel, for people
 * @param packageName name of the package that holds the file, as the distribution's package manager takes it
 */
public record DebugPackage(String distribution, String packageName) {

    private static final Pattern RED_HAT =
            Pattern.compile(".*\\.(fc|el|amzn)(\\d+)(?:[._].*)?\\.(x86_64|aarch64|ppc64le|s390x|i686)");
    private static final Pattern SUSE = Pattern.compile("(\\d+\\.\\d+.*)-(default|preempt|rt|azure)");
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9.+~_-]*");

    /** Checks for null. */
    public DebugPackage {
        Objects.requireNonNull(distribution);
        Objects.requireNonNull(packageName);
    }

    /** The package; empty for a kernel that no distribution is known to have built. */
    public static Optional<DebugPackage> of(String release, Optional<String> banner) {
        String text = banner.orElse("");
        // The release comes from the guest, and the name is typed into a shell.
        if (!NAME.matcher(release).matches()) {
            return Optional.empty();
        }
        Matcher redHat = RED_HAT.matcher(release);
        if (redHat.matches()) {
            String distribution = switch (redHat.group(1)) {
                case "fc" -> "Fedora " + redHat.group(2);
                case "el" -> "Red Hat Enterprise Linux " + redHat.group(2) + " or a rebuild of it";
                default -> "Amazon Linux " + redHat.group(2);
            };
            return Optional.of(new DebugPackage(distribution, "kernel-debuginfo-" + release));
        }
        if (text.contains("debian-kernel@lists.debian.org") || text.contains("(debian-kernel@")) {
            return Optional.of(new DebugPackage("Debian", "linux-image-" + release + "-dbg"));
        }
        if (text.contains("(buildd@") && text.contains("Ubuntu")) {
            return Optional.of(new DebugPackage("Ubuntu", "linux-image-unsigned-" + release + "-dbgsym"));
        }
        Matcher suse = SUSE.matcher(release);
        if (text.contains("(geeko@") && suse.matches()) {
            return Optional.of(new DebugPackage("SUSE", "kernel-" + suse.group(2) + "-debuginfo-" + suse.group(1)));
        }
        return Optional.empty();
    }
}
