package dev.guestcore.format.kdump;

import dev.guestcore.Guest;
import dev.guestcore.error.SourceException;
import dev.guestcore.file.FileSet;
import dev.guestcore.format.NamedParts;
import java.util.List;
import java.util.stream.Stream;

/**
 * {@code split:FILE,FILE,...}: the files that {@code makedumpfile --split} wrote, in any order, as one guest. A file whose
 * name has a comma in it must be renamed first.
 */
final class SplitParts implements NamedParts {

    /** What stands before the colon. */
    static final String SCHEME = "split";

    @Override
    public String scheme() {
        return SCHEME;
    }

    @Override
    public String help() {
        return "split:FILE,FILE,...  all files of a kdump that makedumpfile --split wrote, in any order";
    }

    @Override
    public List<FileSet.NamedFile> parts(String locator) {
        List<FileSet.NamedFile> parts = Stream.of(locator.split(","))
                .filter(name -> !name.isBlank())
                .map(name -> new FileSet.NamedFile("", name))
                .toList();
        if (parts.isEmpty()) {
            throw new SourceException("'" + SCHEME + ":' needs the files of a split kdump, separated by commas");
        }
        return parts;
    }

    @Override
    public String describe(Guest guest) {
        return "kdump " + guest.provenance().source();
    }
}
