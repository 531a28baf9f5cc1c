package dev.guestcore.format;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.file.FileSet;
import dev.guestcore.kernel.DebuggerSupport;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A file format of guest cores. Found through {@link java.util.ServiceLoader}; stateless and thread-safe. One whose dumps are
 * one file each is a {@link OneFileFormat}.
 */
public interface CoreFormat {

    /** Short name, lower case ("vbox"). */
    String name();

    /** Full name for people ("VirtualBox VMCore"). */
    String title();

    /**
     * Looks at the content, and at which files lie beside the one that was named, never at that one's name. Throws nothing on
     * bad content.
     */
    Probe probe(FileSet files);

    /** The same of a dump that is one file. */
    default Probe probe(FileBytes file) {
        return probe(FileSet.of(file));
    }

    /**
     * Opens files that {@link #probe} claimed, or that the user {@linkplain #namedParts named} as parts of such a dump. What
     * is damaged but readable becomes a {@linkplain Guest#findings() finding}.
     *
     * @param files are closed with the guest, and by the caller if this method throws
     * @throws MalformedDumpException if nothing useful can be read
     */
    Guest open(FileSet files);

    /** The same of a dump that is one file. */
    default Guest open(FileBytes file) {
        return open(FileSet.of(file));
    }

    /** How users name the parts of a dump of this format; empty if they need not. */
    default Optional<NamedParts> namedParts() {
        return Optional.empty();
    }

    /**
     * Checks a dump against every rule of the format, and whether {@link #open} finds it undamaged: what opening calls
     * damaged never passes. The check of opening comes first and has the number 00.
     *
     * @param files as for {@link #open}; stay open
     * @param deep also rules that need all of the memory to be read
     */
    default List<Check> verify(FileSet files, boolean deep, Progress progress) {
        List<Check> checks = new ArrayList<>();
        checks.add(Opening.check(this, files));
        try {
            checks.addAll(rules(files, deep, progress));
        } catch (MalformedDumpException e) {
            if (checks.getFirst().result() != Check.Result.FAIL) {
                checks.set(0, Opening.failed(name(), e));
            }
        }
        return List.copyOf(checks);
    }

    /** The same of a dump that is one file. */
    default List<Check> verify(FileBytes file, boolean deep, Progress progress) {
        return verify(FileSet.of(file), deep, progress);
    }

    /**
     * Checks a dump against the rules of the format alone; {@link #verify} adds the check that all formats share. A rule
     * that cannot be tried because the file is damaged there has failed, or an earlier rule has.
     *
     * @param files as for {@link #open}; stay open
     * @param deep also rules that need all of the memory to be read
     */
    List<Check> rules(FileSet files, boolean deep, Progress progress);

    /** The same of a dump that is one file. */
    default List<Check> rules(FileBytes file, boolean deep, Progress progress) {
        return rules(FileSet.of(file), deep, progress);
    }

    /** What debuggers make of the files. */
    default DebuggerSupport debuggers() {
        return DebuggerSupport.file();
    }

    /** Whether {@link #writer} works. */
    default boolean canWrite() {
        return false;
    }

    /** What {@link #writer} takes. */
    default List<WriteOption> writeOptions() {
        return List.of();
    }

    /**
     * A writer, for programs that let a user choose; others take the class of the format's writer itself.
     *
     * @param options by name of {@link WriteOption}; a switch that is on has the value "true"
     * @throws UnsupportedRequestException for an unknown option or value
     */
    CoreWriter writer(Map<String, String> options);
}
