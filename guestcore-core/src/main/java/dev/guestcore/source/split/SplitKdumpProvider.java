package dev.guestcore.source.split;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.SourceException;
import dev.guestcore.format.Check;
import dev.guestcore.format.kdump.KdumpFormat;
import dev.guestcore.source.GuestSource;
import dev.guestcore.source.SourceProvider;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * {@code split:FILE,FILE,...}: the files that {@code makedumpfile --split} wrote, in any order, as one guest. A file whose
 * name has a comma in it must be renamed first.
 */
public final class SplitKdumpProvider implements SourceProvider {

    private static final String SCHEME = "split";

    /** Creates the provider; for {@link java.util.ServiceLoader}. */
    public SplitKdumpProvider() {}

    @Override
    public String scheme() {
        return SCHEME;
    }

    @Override
    public String help() {
        return "split:FILE,FILE,...  all files of a kdump that makedumpfile --split wrote, in any order";
    }

    @Override
    public GuestSource connect(String locator) {
        Guest guest = KdumpFormat.openSplit(paths(locator));
        return GuestSource.ofFiles(guest, "kdump " + guest.provenance().source());
    }

    @Override
    public Optional<List<Check>> verify(String locator, boolean deep, Progress progress) {
        return Optional.of(KdumpFormat.verifySplit(paths(locator), deep, progress));
    }

    private static List<Path> paths(String locator) {
        List<String> names =
                Stream.of(locator.split(",")).filter(name -> !name.isBlank()).toList();
        if (names.isEmpty()) {
            throw new SourceException("'" + SCHEME + ":' needs the files of a split kdump, separated by commas");
        }
        try {
            return names.stream().map(Path::of).toList();
        } catch (InvalidPathException e) {
            throw new SourceException("'" + e.getInput() + "' is not a path: " + e.getReason(), e);
        }
    }
}
