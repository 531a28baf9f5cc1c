package dev.guestcore.internal.file;

import dev.guestcore.error.SourceException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * Files that are opened because another file names them, or because they lie beside it: what a description takes its bytes
 * from, the map of a raw image, what a manifest covers. Whoever hands out a dump hands out its folder too, and a link in
 * that would show the bytes of any file of the user as those of the guest. So a file counts only if it lies in the folder
 * when all links are followed.
 */
public final class FilesBeside {

    private FilesBeside() {}

    /** Whether {@code file}, if there is one, lies in {@code folder} or below it when all links are followed. */
    public static boolean isWithin(Path folder, Path file) {
        try {
            return file.toRealPath().startsWith(folder.toRealPath());
        } catch (NoSuchFileException e) {
            // Whoever opens it will say so.
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * Whether {@code companion}, if there is one, is a file in the folder of {@code file}: in that of its name, or in that
     * where the file lies when all links are followed.
     */
    public static boolean isBeside(Path file, Path companion) {
        return isWithin(folder(file.toAbsolutePath()), companion) || isBesideTarget(file, companion);
    }

    private static boolean isBesideTarget(Path file, Path companion) {
        try {
            return isWithin(folder(file.toRealPath()), companion);
        } catch (IOException e) {
            return false;
        }
    }

    private static Path folder(Path file) {
        Path parent = file.getParent();
        return parent == null ? file : parent;
    }

    /**
     * Requires a regular file in a folder.
     *
     * @throws SourceException if it is something else, or lies elsewhere
     */
    public static void requireWithin(Path folder, Path file) {
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            throw new SourceException(file + ": is not a regular file");
        }
        if (!isWithin(folder, file)) {
            throw new SourceException(
                    file + ": is a link to a file in another folder; put the file itself into " + folder);
        }
    }

    /**
     * Requires a regular file beside another.
     *
     * @throws SourceException if it is something else, or lies elsewhere
     */
    public static void require(Path file, Path companion) {
        if (Files.exists(companion) && !Files.isRegularFile(companion)) {
            throw new SourceException(companion + ": is not a regular file");
        }
        if (!isBeside(file, companion)) {
            throw new SourceException(
                    companion + ": is a link to a file in another folder; put the file itself beside "
                            + file.getFileName());
        }
    }
}
