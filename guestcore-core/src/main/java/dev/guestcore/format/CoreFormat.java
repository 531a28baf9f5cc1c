package dev.guestcore.format;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.FileBytes;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A file format of guest cores. Found through {@link java.util.ServiceLoader}; stateless and thread-safe.
 */
public interface CoreFormat {

    /** Short name, lower case ("vbox"). */
    String name();

    /** Full name for people ("VirtualBox VMCore"). */
    String title();

    /** Looks at the content, never at the file's name. Throws nothing on bad content. */
    Probe probe(FileBytes file);

    /**
     * Opens a file that {@link #probe} claimed. What is damaged but readable becomes a
     * {@linkplain Guest#findings() finding}.
     *
     * @param file is closed with the guest, and by the caller if this method throws
     * @throws dev.guestcore.error.MalformedDumpException if nothing useful can be read
     */
    Guest open(FileBytes file);

    /**
     * Checks a file against every rule of the format, and whether {@link #open} finds it undamaged: what opening calls
     * damaged never passes. The check of opening comes first and has the number 00.
     *
     * @param file that {@link #probe} claimed; stays open
     * @param deep also rules that need all of the memory to be read
     */
    default List<Check> verify(FileBytes file, boolean deep, Progress progress) {
        List<Check> checks = new ArrayList<>();
        checks.add(Opening.check(this, file));
        try {
            checks.addAll(rules(file, deep, progress));
        } catch (MalformedDumpException e) {
            if (checks.getFirst().result() != Check.Result.FAIL) {
                checks.set(0, Opening.failed(name(), e));
            }
        }
        return List.copyOf(checks);
    }

    /**
     * Checks a file against the rules of the format alone; {@link #verify} adds the check that all formats share. A rule
     * that cannot be tried because the file is damaged there has failed, or an earlier rule has.
     *
     * @param file that {@link #probe} claimed; stays open
     * @param deep also rules that need all of the memory to be read
     */
    List<Check> rules(FileBytes file, boolean deep, Progress progress);

    /** Whether {@link #writer} works. */
    boolean canWrite();

    /** What {@link #writer} takes. */
    List<WriteOption> writeOptions();

    /**
     * A writer.
     *
     * @param options by name of {@link WriteOption}; a switch that is on has the value "true"
     * @throws UnsupportedRequestException for an unknown option or value
     */
    CoreWriter writer(Map<String, String> options);
}
