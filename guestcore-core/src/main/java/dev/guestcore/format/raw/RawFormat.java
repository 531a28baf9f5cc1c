package dev.guestcore.format.raw;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.file.FileSet;
import dev.guestcore.format.Check;
import dev.guestcore.format.ChosenOptions;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.format.NamedParts;
import dev.guestcore.format.Probe;
import dev.guestcore.format.WriteOption;
import dev.guestcore.internal.check.CheckList;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Raw images with a map beside them, or whose parts the user gives addresses (docs/formats/raw.md). The bytes of an image say
 * nothing about themselves, so only the map or the user makes a file one, and a format that knows the content goes first.
 */
public final class RawFormat implements CoreFormat {

    /** Short name of the format. */
    static final String NAME = "raw";

    private static final String LAYOUT = "layout";
    private static final String FLAT = "flat";
    private static final String PACKED = "packed";

    /** Creates the format; for {@link java.util.ServiceLoader}. */
    public RawFormat() {}

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String title() {
        return "Raw image of memory, with a map";
    }

    @Override
    public Probe probe(FileSet files) {
        if (files.folder().isPresent()) {
            return Probe.no("is a folder");
        }
        String map = RawMap.nameFor(files);
        if (files.placeBeside(map).isEmpty()) {
            return Probe.no("no map can be beside it; raw:FILE@BASE opens an image without");
        }
        return files.hasBeside(map)
                ? new Probe(Probe.Match.GENERAL, "there is a map beside it")
                : Probe.no("there is no " + map + " beside it; raw:FILE@BASE opens an image without");
    }

    @Override
    public Guest open(FileSet files) {
        return RawImage.open(files);
    }

    @Override
    public Optional<NamedParts> namedParts() {
        return Optional.of(new RawParts());
    }

    @Override
    public List<Check> rules(FileSet files, boolean deep, Progress progress) {
        CheckList checks = new CheckList("docs/formats/raw.md");
        try (Arena arena = Arena.ofShared()) {
            Optional<RawMap> map = files.isOneFile() ? RawMap.beside(files, arena) : Optional.empty();
            if (map.isPresent()) {
                rulesOfMap(checks, files.first(), map.get());
            }
            if (deep) {
                readAll(checks, files, map, progress);
            } else {
                checks.skip("raw-04", "all memory can be read", "needs a deep check");
            }
        } catch (GuestcoreException e) {
            checks.check(false, "raw-01", "the map beside the image can be read", 0, "a map", e.getMessage(), "");
        }
        return checks.list();
    }

    private static void rulesOfMap(CheckList checks, FileBytes file, RawMap map) {
        checks.pass("raw-01", "the map beside the image can be read", map.ranges().count() + " ranges");
        checks.check(file.size() == map.imageSize(), "raw-02", "the image is as large as its map says", 0,
                Long.toString(map.imageSize()), Long.toString(file.size()), "");
        long outside = -1;
        for (long i = 0; i < map.ranges().count() && outside < 0; i++) {
            long offset = map.ranges().value(i);
            long lessOne = map.ranges().last(i) - map.ranges().first(i);
            if (offset >= 0
                    && (Long.compareUnsigned(lessOne, Long.MAX_VALUE) >= 0 || !file.holds(offset, lessOne + 1))) {
                outside = i;
            }
        }
        checks.check(outside < 0, "raw-03", "every range of the map lies in the image", 0, "so",
                outside < 0 ? "so" : "violated at 0x" + Long.toHexString(map.ranges().first(outside)), "");
        String sharing = map.sharing();
        checks.check(sharing.isEmpty(), "raw-05", "no bytes of the image are memory at two addresses", 0, "so",
                sharing.isEmpty() ? "so" : sharing, "");
    }

    private static void readAll(CheckList checks, FileSet files, Optional<RawMap> map, Progress progress) {
        if (map.isPresent()) {
            checks.readAll("raw-04", new RawMemory(files.first(), map.get()), progress);
            return;
        }
        FileSet again = files.reopen();
        try (Guest guest = RawImage.open(again)) {
            checks.readAll("raw-04", guest.memory(), progress);
        } catch (RuntimeException | Error e) {
            again.close();
            throw e;
        }
    }

    @Override
    public boolean canWrite() {
        return true;
    }

    @Override
    public List<WriteOption> writeOptions() {
        return List.of(new WriteOption(
                LAYOUT,
                List.of(FLAT, PACKED),
                "flat: file offset = guest-physical address (default); packed: without the holes, the map says what is"
                        + " where"));
    }

    @Override
    public RawWriter writer(Map<String, String> options) {
        return ChosenOptions.of(this, options).choice(LAYOUT, RawFormat::writer).orElse(RawWriter.standard());
    }

    private static Optional<RawWriter> writer(String layout) {
        return switch (layout) {
            case FLAT -> Optional.of(RawWriter.flat());
            case PACKED -> Optional.of(RawWriter.packed());
            default -> Optional.empty();
        };
    }
}
