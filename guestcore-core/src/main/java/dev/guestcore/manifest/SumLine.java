package dev.guestcore.manifest;

/** A line as {@code sha256sum} of the GNU coreutils writes and reads it. */
final class SumLine {

    private SumLine() {}

    /** The line, with its end; a name that has a line end in it is escaped, and the line begins with a backslash. */
    static String of(String hexDigest, String name) {
        String escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r");
        return (escaped.equals(name) ? "" : "\\") + hexDigest + "  " + escaped + "\n";
    }
}
