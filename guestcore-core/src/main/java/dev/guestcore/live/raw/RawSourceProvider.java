package dev.guestcore.live.raw;

import dev.guestcore.Guest;
import dev.guestcore.GuestSource;
import dev.guestcore.SourceException;
import dev.guestcore.format.FileBytes;
import dev.guestcore.format.raw.RawImage;
import dev.guestcore.live.SourceProvider;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/**
 * {@code raw:FILE[@BASE]}: a raw image, because the user says that it is one. With a base the file is memory from there
 * on; without, its map is used where there is one beside it, and else the file is memory from address 0 on.
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
        return "raw:FILE[@BASE]  a raw image of memory that begins at guest-physical address BASE (0x..., default 0)";
    }

    @Override
    public GuestSource connect(String locator) {
        try {
            Path whole = Path.of(locator);
            int at = locator.lastIndexOf('@');
            if (at < 0 || Files.exists(whole)) {
                return open(whole, RawImage.hasMap(whole), 0);
            }
            return open(Path.of(locator.substring(0, at)), false, base(locator.substring(at + 1)));
        } catch (InvalidPathException e) {
            throw new SourceException("'" + locator + "' is not a path: " + e.getMessage(), e);
        }
    }

    private static long base(String text) {
        try {
            return text.startsWith("0x") ? Long.parseUnsignedLong(text.substring(2), 16) : Long.parseUnsignedLong(text);
        } catch (NumberFormatException e) {
            throw new SourceException("'" + text + "' is no base address; give a number such as 0x100000", e);
        }
    }

    private static GuestSource open(Path path, boolean map, long base) {
        FileBytes file = FileBytes.open(path);
        try {
            Guest guest = map ? RawImage.openWithMap(file) : RawImage.openFlat(file, base);
            return GuestSource.ofFiles(
                    guest, "raw image " + guest.provenance().source() + ", " + guest.provenance().layout());
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }
}
