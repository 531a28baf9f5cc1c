package dev.guestcore.file;

import dev.guestcore.Finding;
import dev.guestcore.Progress;
import dev.guestcore.error.SourceException;
import dev.guestcore.internal.file.FilesBeside;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The files that one dump consists of. Mostly that is one file, which may have others {@linkplain #beside beside} it: a raw
 * image has its map, a VMware snapshot its memory. Or the user names all {@linkplain #parts parts}, or the folder that they
 * lie in.
 *
 * <p>What is opened here belongs to the set and is closed with it. Not thread-safe; the files are.
 */
public final class FileSet implements AutoCloseable {

    /**
     * A file that the user named as part of a dump.
     *
     * @param name what part it is, in the words of its format: of a raw image the address of its first byte; empty where
     *     nothing tells the parts apart
     * @param file its bytes
     */
    public record Part(String name, FileBytes file) {}

    private final List<Part> parts;
    private final Optional<Path> folder;
    private final List<FileBytes> opened = new ArrayList<>();

    private FileSet(List<Part> parts, Optional<Path> folder) {
        this.parts = List.copyOf(parts);
        this.folder = folder;
    }

    /** The set of one file. */
    public static FileSet of(FileBytes file) {
        return new FileSet(List.of(new Part("", file)), Optional.empty());
    }

    /**
     * The set of files that the user named.
     *
     * @param parts at least one, in the order in which they were named
     */
    public static FileSet of(List<Part> parts) {
        if (parts.isEmpty()) {
            throw new IllegalArgumentException("a dump consists of one file at least");
        }
        return new FileSet(parts, Optional.empty());
    }

    /** The set of files in a folder, none of which is named: {@link #beside} opens them. */
    public static FileSet inFolder(Path folder) {
        return new FileSet(List.of(), Optional.of(folder));
    }

    /** The folder that the user named instead of a file. */
    public Optional<Path> folder() {
        return folder;
    }

    /** The files that the user named, in that order; none of a folder. */
    public List<Part> parts() {
        return parts;
    }

    /** Whether the user named one file, and not which part it is. */
    public boolean isOneFile() {
        return parts.size() == 1 && parts.getFirst().name().isEmpty();
    }

    /**
     * The file that the user named first.
     *
     * @throws IllegalStateException if the user named a folder
     */
    public FileBytes first() {
        if (parts.isEmpty()) {
            throw new IllegalStateException("a folder was named, and no file");
        }
        return parts.getFirst().file();
    }

    /** What messages call the set: the first file, or the folder. */
    public String name() {
        return folder.map(Path::toString).orElseGet(() -> first().name());
    }

    /** Name of the file or the folder that was named, without the folders that it lies in; empty where it has none. */
    public String lastName() {
        Optional<Path> path = folder.or(() -> first().path());
        return path.map(Path::getFileName).map(Path::toString).orElse("");
    }

    /**
     * Where a file of that name would be, if there is one: in the folder of the first file, or in the folder that was named.
     *
     * @param name of the file alone, without a folder
     * @return empty where the set does not lie in a folder of this machine
     * @throws IllegalArgumentException if it is no such name
     */
    public Optional<Path> placeBeside(String name) {
        if (name.isEmpty() || name.equals(".") || name.equals("..") || name.indexOf('/') >= 0
                || name.indexOf('\\') >= 0) {
            throw new IllegalArgumentException("'" + name + "' is not the name of a file alone");
        }
        return folder.isPresent()
                ? folder.map(place -> place.resolve(name))
                : first().path().map(path -> path.resolveSibling(name));
    }

    /** Whether there is a file of that name beside the first one or in the folder, wherever a link there may lead. */
    public boolean hasBeside(String name) {
        return placeBeside(name).filter(Files::isRegularFile).isPresent();
    }

    /**
     * Opens the file of that name beside the first one, or in the folder. This is the only way in which a format comes to
     * a file that the user did not name. A dump that somebody hands out may have links beside it, which would show any file
     * of the user as part of the guest; so the file must lie there when all links are followed.
     *
     * @param name of the file alone; where the dump says it, it is checked here
     * @return empty if there is no file of that name; stays open until the set is closed
     * @throws SourceException if it is no regular file, lies elsewhere, or cannot be read
     */
    public Optional<FileBytes> beside(String name) {
        Optional<Path> place = placeBeside(name).filter(Files::exists);
        place.ifPresent(path -> {
            if (folder.isPresent()) {
                FilesBeside.requireWithin(folder.get(), path);
            } else {
                FilesBeside.require(first().path().orElseThrow(), path);
            }
        });
        return place.map(FileBytes::open).map(file -> {
            opened.add(file);
            return file;
        });
    }

    private Stream<FileBytes> files() {
        return Stream.concat(parts.stream().map(Part::file), opened.stream());
    }

    /** What is noteworthy about the files themselves, of each in turn; see {@link FileBytes#findings}. */
    public List<Finding> findings() {
        return files().flatMap(file -> file.findings().stream()).toList();
    }

    /** What of the files could not be read up to now, if anything. */
    public List<Finding> readFailures() {
        return files().flatMap(file -> file.readFailures().stream()).toList();
    }

    /**
     * The same files once more, to be closed for themselves.
     *
     * @throws SourceException as {@link FileBytes#open} does
     */
    public FileSet reopen() {
        List<Part> again = new ArrayList<>();
        try {
            parts.forEach(part -> again.add(new Part(part.name(), part.file().reopen())));
            return new FileSet(again, folder);
        } catch (RuntimeException | Error e) {
            again.forEach(part -> part.file().close());
            throw e;
        }
    }

    /** Closes all files. */
    @Override
    public void close() {
        files().forEach(FileBytes::close);
    }

    /**
     * Opens parts that the user named.
     *
     * @param parts name and place of each
     * @param progress told of what is decompressed
     * @throws SourceException if one cannot be opened
     */
    public static FileSet open(List<NamedFile> parts, Progress progress) {
        List<Part> files = new ArrayList<>();
        try {
            parts.forEach(part -> files.add(new Part(part.part(), FileBytes.open(part.location(), progress))));
            return of(files);
        } catch (RuntimeException | Error e) {
            files.forEach(part -> part.file().close());
            throw e;
        }
    }

    /**
     * Where a part of a dump lies.
     *
     * @param part what part it is, see {@link Part#name}
     * @param location path of a file, or the address of one elsewhere
     */
    public record NamedFile(String part, String location) {}
}
