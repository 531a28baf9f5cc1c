package dev.guestcore.source.raw;

import dev.guestcore.Guest;
import dev.guestcore.error.SourceException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.raw.RawImage;
import dev.guestcore.source.GuestSource;
import dev.guestcore.source.SourceProvider;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code raw:FILE[@BASE],...}: a raw image, because the user says that it is one. With a base the file is memory from there
 * on; without, its map is used where there is one beside it, and else the file is memory from address 0 on. Memory that lies
 * in several files is named with a base for each.
 */
public final class RawSourceProvider implements SourceProvider {

    /** Creates the provider; for {@link java.util.ServiceLoader}. */
    public RawSourceProvider() {}

    @Override
    public String scheme() {
        return "raw";
    }

    @Override
    public String help() {
        return "raw:FILE[@BASE],...  a raw image of memory that begins at guest-physical address BASE (0x..., 4G; default 0),"
                + " or several with their bases";
    }

    @Override
    public GuestSource connect(String locator) {
        try {
            Path whole = Path.of(locator);
            if (locator.indexOf('@') < 0 || Files.exists(whole)) {
                return source(open(whole, RawImage.hasMap(whole)));
            }
            return source(open(RawPieces.of(locator)));
        } catch (InvalidPathException e) {
            throw new SourceException("'" + locator + "' is not a path: " + e.getMessage(), e);
        }
    }

    private static GuestSource source(Guest guest) {
        return GuestSource.ofFiles(
                guest, "raw image " + guest.provenance().source() + ", " + guest.provenance().layout());
    }

    private static Guest open(Path path, boolean map) {
        FileBytes file = FileBytes.open(path);
        try {
            return map ? RawImage.openWithMap(file) : RawImage.openFlat(file, 0);
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    private static Guest open(List<RawPieces> pieces) {
        List<RawImage.Piece> files = new ArrayList<>();
        try {
            for (RawPieces piece : pieces) {
                files.add(new RawImage.Piece(FileBytes.open(piece.path()), piece.base()));
            }
            return files.size() == 1
                    ? RawImage.openFlat(files.getFirst().file(), files.getFirst().base())
                    : RawImage.openPieces(files);
        } catch (RuntimeException | Error e) {
            files.forEach(piece -> piece.file().close());
            throw e;
        }
    }
}
