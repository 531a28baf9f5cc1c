package dev.guestcore.live.split;

import dev.guestcore.Guest;
import dev.guestcore.GuestSource;
import dev.guestcore.MemoryRegion;
import dev.guestcore.SourceException;
import dev.guestcore.format.kdump.KdumpFormat;
import dev.guestcore.live.SourceProvider;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
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
        return "FILE,FILE,...: all files of a kdump that makedumpfile --split wrote, in any order";
    }

    @Override
    public GuestSource connect(String locator) {
        List<String> names =
                Stream.of(locator.split(",")).filter(name -> !name.isBlank()).toList();
        if (names.isEmpty()) {
            throw new SourceException("'" + SCHEME + ":' needs the files of a split kdump, separated by commas");
        }
        try {
            return new SplitSet(KdumpFormat.openSplit(names.stream().map(Path::of).toList()));
        } catch (InvalidPathException e) {
            throw new SourceException("'" + e.getInput() + "' is not a path: " + e.getReason(), e);
        }
    }

    /** Files are frozen as they are. */
    private record SplitSet(Guest guest) implements GuestSource {

        @Override
        public String description() {
            return "kdump " + guest.provenance().source();
        }

        @Override
        public List<MemoryRegion> regions() {
            return guest.memory().regions();
        }

        @Override
        public int vcpuCount() {
            return guest.vcpus().size();
        }

        @Override
        public boolean isLive() {
            return false;
        }

        @Override
        public Guest freeze() {
            return guest;
        }

        @Override
        public void close() {
            guest.close();
        }
    }
}
