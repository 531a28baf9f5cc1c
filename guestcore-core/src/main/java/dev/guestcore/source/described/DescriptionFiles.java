package dev.guestcore.source.described;

import dev.guestcore.error.SourceException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.file.FilesBeside;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** The files that a description takes bytes from: only those in its own folder or below, links
 * followed. Not thread-safe. */
final class DescriptionFiles implements AutoCloseable {

    private static final int MOST_FILES = 1000;

    private final Path folder;
    private final Map<Path, FileBytes> open = new LinkedHashMap<>();

    /** A part of a file that was checked to lie in it. */
    record Slice(FileBytes file, long offset, long size) {}

    DescriptionFiles(Path folder) {
        this.folder = folder.normalize();
    }

    /**
     * The part of a file that {@code file}, {@code fileOffset} and {@code size} of an object name.
     *
     * @throws SourceException if there is no such file or part
     */
    Slice slice(JsonValue object) {
        FileBytes file = file(object.get("file"));
        long offset = object.number("fileOffset", 0);
        if (offset < 0 || offset >= file.size()) {
            JsonValue place = object.find("fileOffset").orElse(object.get("file"));
            throw place.error(
                    "an offset in " + file.name() + ", which has " + file.size() + " bytes",
                    "found " + Long.toUnsignedString(offset));
        }
        long size = object.number("size", file.size() - offset);
        if (size == 0 || !file.holds(offset, size)) {
            throw object.get("size")
                    .error(
                            "1 to " + (file.size() - offset) + " bytes, which are left in " + file.name(),
                            "found " + Long.toUnsignedString(size));
        }
        return new Slice(file, offset, size);
    }

    private FileBytes file(JsonValue name) {
        Path path;
        try {
            path = folder.resolve(name.text()).normalize();
        } catch (InvalidPathException e) {
            throw name.wrong("the name of a file");
        }
        if (Path.of(name.text()).isAbsolute() || !path.startsWith(folder) || path.equals(folder)) {
            throw name.wrong("a file in the folder of the description or below it");
        }
        if (!FilesBeside.isWithin(folder, path)) {
            throw name.wrong("a file in the folder of the description or below it, not a link that leads out of it");
        }
        FileBytes known = open.get(path);
        if (known != null) {
            return known;
        }
        if (open.size() == MOST_FILES) {
            throw name.wrong("at most " + MOST_FILES + " different files");
        }
        try {
            FileBytes file = FileBytes.openAsStored(path);
            open.put(path, file);
            return file;
        } catch (SourceException e) {
            throw new SourceException(name.wrong("a file that can be read").getMessage() + "; " + e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        open.values().forEach(FileBytes::close);
        open.clear();
    }
}
