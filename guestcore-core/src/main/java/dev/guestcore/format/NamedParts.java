package dev.guestcore.format;

import dev.guestcore.Guest;
import dev.guestcore.file.FileSet;
import java.util.List;

/**
 * How a user says that files are a dump of one format, and which part each is: {@code raw:LOW@0,HIGH@4G}. Such files are
 * opened by that format, whatever is in them. Stateless and thread-safe.
 */
public interface NamedParts {

    /** What stands before the colon: "raw" for {@code raw:LOW@0,HIGH@4G}. */
    String scheme();

    /** One line for the user: what can stand behind the colon, two spaces, and what it opens. */
    String help();

    /**
     * Takes apart what stands behind the colon.
     *
     * @return at least one part
     * @throws dev.guestcore.error.SourceException if it names no parts, or a file that does not exist
     */
    List<FileSet.NamedFile> parts(String locator);

    /** One line for the user: what was opened. */
    String describe(Guest guest);
}
