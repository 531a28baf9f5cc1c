package dev.guestcore.format.raw;

import dev.guestcore.Guest;
import dev.guestcore.error.SourceException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.file.FileSet;
import dev.guestcore.file.Locations;
import dev.guestcore.format.NamedParts;
import dev.guestcore.internal.text.Quantities;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * {@code raw:FILE[@BASE],...}: a raw image, because the user says that it is one. With a base the file is memory from there
 * on; without, its map is used where there is one beside it, and else the file is memory from address 0 on. Memory that lies
 * in several files is named with a base for each.
 *
 * <p>Names may have commas and {@code @} in them: a part ends at the first comma behind a base at which a file of that name
 * exists. The name of a part is its base.
 */
final class RawParts implements NamedParts {

    private static final String WANTED = "give each file its base address, as in raw:low@0,high@4G";

    @Override
    public String scheme() {
        return RawFormat.NAME;
    }

    @Override
    public String help() {
        return "raw:FILE[@BASE],...  a raw image of memory that begins at guest-physical address BASE (0x..., 4G; default 0),"
                + " or several with their bases";
    }

    @Override
    public List<FileSet.NamedFile> parts(String locator) {
        try {
            return locator.indexOf('@') < 0 || Files.exists(Path.of(locator))
                    || Locations.isAddress(locator) && !hasBase(locator)
                            ? List.of(new FileSet.NamedFile("", locator))
                            : withBases(locator);
        } catch (InvalidPathException e) {
            throw new SourceException("'" + locator + "' is not a path: " + e.getMessage(), e);
        }
    }

    @Override
    public String describe(Guest guest) {
        return "raw image " + guest.provenance().source() + ", " + guest.provenance().layout();
    }

    private static List<FileSet.NamedFile> withBases(String locator) {
        List<FileSet.NamedFile> parts = new ArrayList<>();
        int from = 0;
        while (from < locator.length()) {
            FileSet.NamedFile found = null;
            FileSet.NamedFile missing = null;
            int next = from;
            for (int comma = end(locator, from); found == null; comma = end(locator, comma + 1)) {
                FileSet.NamedFile part = part(locator.substring(from, comma));
                if (part != null && (Locations.isAddress(part.location()) || Files.exists(Path.of(part.location())))) {
                    found = part;
                    next = comma + 1;
                }
                missing = missing == null ? part : missing;
                if (comma == locator.length()) {
                    break;
                }
            }
            if (found == null) {
                throw new SourceException(
                        missing == null ? noBase(locator.substring(from)) : missing.location() + ": no such file");
            }
            parts.add(found);
            from = next;
        }
        return parts;
    }

    private static String noBase(String text) {
        String base = text.substring(text.lastIndexOf('@') + 1);
        String reason = "";
        if (base.length() < text.length()) {
            try {
                Quantities.read(base);
            } catch (NumberFormatException e) {
                String message = String.valueOf(e.getMessage());
                reason = message.startsWith("it ") ? ": " + message : "";
            }
        }
        return "'" + text + "' does not end in a base address" + reason + "; " + WANTED;
    }

    private static boolean hasBase(String locator) {
        return Quantities.parse(locator.substring(locator.lastIndexOf('@') + 1)).isPresent();
    }

    private static int end(String locator, int from) {
        int comma = locator.indexOf(',', from);
        return comma < 0 ? locator.length() : comma;
    }

    private static FileSet.@Nullable NamedFile part(String text) {
        int at = text.lastIndexOf('@');
        OptionalLong base = at <= 0 ? OptionalLong.empty() : Quantities.parse(text.substring(at + 1));
        return base.isEmpty()
                ? null
                : new FileSet.NamedFile("0x" + Long.toHexString(base.getAsLong()), text.substring(0, at));
    }
}
