package dev.guestcore.internal.output;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.util.HexFormat;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;

/**
 * The hidden files beside a target under which it is written. Each is locked by its writer, so that one that nobody locks
 * was abandoned: its writer was killed. Thread-safe.
 */
final class HiddenSiblings {

    private static final int ATTEMPTS = 10;

    /** A process loses all its locks on a file as soon as it closes any channel to it, so its own are never opened again. */
    private static final Set<Path> OWN = ConcurrentHashMap.newKeySet();

    private final Path folder;
    private final String name;

    /** A new file, locked where the file system can. */
    record Sibling(Path path, FileChannel channel) {}

    /**
     * The siblings of a file of that name.
     *
     * @param folder without links, so that one file has one path
     */
    HiddenSiblings(Path folder, String name) {
        this.folder = folder;
        this.name = name;
    }

    /** Creates one. */
    Sibling create(Set<OpenOption> options, FileAttribute<?>[] attributes) throws IOException {
        for (int attempt = 1;; attempt++) {
            String suffix = HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextInt());
            Path path = folder.resolve("." + name + "." + suffix + ".partial");
            OWN.add(path);
            FileChannel channel = null;
            try {
                channel = FileChannel.open(path, options, attributes);
                // Between the two calls another process may have taken it for abandoned.
                if (isLocked(channel) && Files.exists(path, LinkOption.NOFOLLOW_LINKS) || attempt == ATTEMPTS) {
                    return new Sibling(path, channel);
                }
                Files.deleteIfExists(path);
                OWN.remove(path);
                channel.close();
            } catch (IOException | RuntimeException | Error e) {
                OWN.remove(path);
                if (channel != null) {
                    channel.close();
                }
                throw e;
            }
        }
    }

    /** Locks a file; where the file system knows no locks that must do. */
    private static boolean isLocked(FileChannel channel) {
        try {
            return channel.tryLock() != null;
        } catch (IOException e) {
            return true;
        }
    }

    /** Notes that this process writes there no more. */
    static void forget(Path path) {
        OWN.remove(path);
    }

    /**
     * Deletes what writers that were killed left of this file.
     *
     * @return the file of a writer that lives, if there is one
     */
    Optional<Path> deleteAbandoned() {
        Pattern pattern = Pattern.compile(Pattern.quote("." + name + ".") + "[0-9a-f]{8}\\.partial");
        DirectoryStream.Filter<Path> ours = path -> pattern.matcher(path.getFileName().toString()).matches()
                && Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS);
        Optional<Path> living = Optional.empty();
        try (DirectoryStream<Path> siblings = Files.newDirectoryStream(folder, ours)) {
            for (Path sibling : siblings) {
                if (OWN.contains(sibling) || isLiving(sibling)) {
                    living = Optional.of(sibling);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            // A folder that may be written but not listed: then they stay.
            return living;
        }
        return living;
    }

    /** Whether another process writes there. If none does, the file is deleted. */
    private static boolean isLiving(Path sibling) {
        try (FileChannel channel =
                FileChannel.open(sibling, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS)) {
            try (FileLock lock = channel.tryLock()) {
                if (lock == null) {
                    return true;
                }
                Files.deleteIfExists(sibling);
            }
        } catch (OverlappingFileLockException e) {
            return true;
        } catch (IOException e) {
            // Somebody else's, on a disk without locks, or deleted by another writer this very moment.
            return false;
        }
        return false;
    }
}
