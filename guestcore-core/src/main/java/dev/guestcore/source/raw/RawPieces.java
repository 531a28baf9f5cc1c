package dev.guestcore.source.raw;

import dev.guestcore.error.SourceException;
import dev.guestcore.internal.text.Quantities;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * The pieces in a locator {@code FILE@BASE,FILE@BASE,...}. Names may have commas and {@code @} in them: a piece ends at the
 * first comma behind a base at which a file of that name exists.
 *
 * @param path a file
 * @param base guest-physical address of its first byte
 */
record RawPieces(Path path, long base) {

    private static final String WANTED = "give each file its base address, as in raw:low@0,high@4G";

    /**
     * Takes a locator apart.
     *
     * @throws SourceException if a piece has no base, or its file does not exist
     * @throws InvalidPathException if a name cannot be one
     */
    static List<RawPieces> of(String locator) {
        List<RawPieces> pieces = new ArrayList<>();
        int from = 0;
        while (from < locator.length()) {
            RawPieces found = null;
            RawPieces missing = null;
            int next = from;
            for (int comma = end(locator, from); found == null; comma = end(locator, comma + 1)) {
                RawPieces piece = piece(locator.substring(from, comma));
                if (piece != null && Files.exists(piece.path)) {
                    found = piece;
                    next = comma + 1;
                }
                missing = missing == null ? piece : missing;
                if (comma == locator.length()) {
                    break;
                }
            }
            if (found == null) {
                throw new SourceException(
                        missing == null ? noBase(locator.substring(from)) : missing.path + ": no such file");
            }
            pieces.add(found);
            from = next;
        }
        return pieces;
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

    private static int end(String locator, int from) {
        int comma = locator.indexOf(',', from);
        return comma < 0 ? locator.length() : comma;
    }

    private static @Nullable RawPieces piece(String text) {
        int at = text.lastIndexOf('@');
        OptionalLong base = at <= 0 ? OptionalLong.empty() : Quantities.parse(text.substring(at + 1));
        return base.isEmpty() ? null : new RawPieces(Path.of(text.substring(0, at)), base.getAsLong());
    }
}
