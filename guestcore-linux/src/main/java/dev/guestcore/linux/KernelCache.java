package dev.guestcore.linux;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Remembers where the kernel was found in a dump, so that memory need not be searched again. An entry is one number, which only
 * says where to look first: what is there must pass the same checks as what a search finds, so a wrong entry costs time, and no
 * more.
 *
 * <p>Entries are small files, one for each dump, in a folder that nobody else may write to; otherwise nothing is read or written.
 * Which dump it is, is told by size, time of change, inode and the first 64 KiB of its files. The oldest entries are deleted
 * when there are more than {@value #MOST_ENTRIES}. Whatever fails here is as if there were no cache. Safe for use by several
 * threads and processes at once.
 */
public final class KernelCache {

    private static final int MOST_ENTRIES = 256;
    private static final int HEAD = 1 << 16;
    private static final int LONGEST_ENTRY = 64;
    private static final Pattern ENTRY = Pattern.compile("guestcore kernel 1\n0x([0-9a-f]{1,14})\n");
    private static final String RAW = "raw:";

    private static final FileAttribute<Set<PosixFilePermission>> FOLDER =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
    private static final FileAttribute<Set<PosixFilePermission>> FILE =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

    private static final KernelCache NONE = new KernelCache(Optional.empty());

    private final Optional<Path> entry;

    private KernelCache(Optional<Path> entry) {
        this.entry = entry;
    }

    /** One that remembers nothing. */
    public static KernelCache none() {
        return NONE;
    }

    /** The folder of this user: in {@code XDG_CACHE_HOME}, or else {@code ~/.cache}. */
    public static Optional<Path> folder(Map<String, String> environment) {
        String base = environment.getOrDefault("XDG_CACHE_HOME", "");
        String home = environment.getOrDefault("HOME", "");
        try {
            if (!base.isEmpty() && Path.of(base).isAbsolute()) {
                return Optional.of(Path.of(base, "guestcore", "kernels"));
            }
            return home.isEmpty() ? Optional.empty() : Optional.of(Path.of(home, ".cache", "guestcore", "kernels"));
        } catch (InvalidPathException e) {
            return Optional.empty();
        }
    }

    /**
     * What is remembered of a dump.
     *
     * @param folder with the entries; is made when there is something to remember
     * @param source what is opened: a file, or {@code raw:} with files; of anything else nothing is remembered
     */
    public static KernelCache of(Path folder, String source) {
        try {
            return new KernelCache(key(source).map(folder::resolve));
        } catch (IOException | InvalidPathException | UnsupportedOperationException | SecurityException e) {
            return NONE;
        }
    }

    private static Optional<String> key(String source) throws IOException {
        List<Path> files = new ArrayList<>();
        String names = source.startsWith(RAW) ? source.substring(RAW.length()) : source;
        for (String name : source.startsWith(RAW) ? names.split(",") : new String[] {source}) {
            int at = source.startsWith(RAW) ? name.lastIndexOf('@') : -1;
            files.add(Path.of(at < 0 ? name : name.substring(0, at)));
        }
        MessageDigest digest = sha256();
        digest.update(source.getBytes(StandardCharsets.UTF_8));
        for (Path file : files) {
            BasicFileAttributes facts = Files.readAttributes(file, BasicFileAttributes.class);
            if (!facts.isRegularFile()) {
                return Optional.empty();
            }
            String identity =
                    "\n" + facts.size() + " " + facts.lastModifiedTime().toInstant() + " " + facts.fileKey() + "\n";
            digest.update(identity.getBytes(StandardCharsets.UTF_8));
            try (InputStream head = Files.newInputStream(file)) {
                digest.update(head.readNBytes(HEAD));
            }
        }
        return Optional.of(HexFormat.of().formatHex(digest.digest()));
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Where the table of symbols was found; guest-physical. */
    OptionalLong place() {
        try {
            if (entry.isEmpty() || !isPrivate(parent()) || !isOwn(entry.get())) {
                return OptionalLong.empty();
            }
            try (InputStream content = Files.newInputStream(entry.get(), LinkOption.NOFOLLOW_LINKS)) {
                String text = new String(content.readNBytes(LONGEST_ENTRY), StandardCharsets.US_ASCII);
                Matcher matcher = ENTRY.matcher(text);
                return matcher.matches()
                        ? OptionalLong.of(Long.parseLong(matcher.group(1), 16))
                        : OptionalLong.empty();
            }
        } catch (IOException | UnsupportedOperationException | SecurityException e) {
            return OptionalLong.empty();
        }
    }

    /** Notes where the table of symbols was found. */
    void remember(long place) {
        try {
            if (entry.isPresent()) {
                Files.createDirectories(parent(), FOLDER);
                if (isPrivate(parent())) {
                    write(entry.get(), "guestcore kernel 1\n0x" + Long.toHexString(place) + "\n");
                    tidy();
                }
            }
        } catch (IOException | UnsupportedOperationException | SecurityException e) {
            // As if there were no cache: a full disk or a folder that is not ours keeps nobody from looking at a dump.
            assert !e.toString().isEmpty();
        }
    }

    private Path parent() {
        return entry.map(Path::getParent).orElseThrow();
    }

    private static void write(Path target, String text) throws IOException {
        Path partial = target.resolveSibling(".partial-" + UUID.randomUUID());
        Files.createFile(partial, FILE);
        try {
            Files.writeString(partial, text, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
            Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            Files.deleteIfExists(partial);
            throw e;
        }
    }

    /** Whether it is a folder of this user that nobody else may write to. */
    private static boolean isPrivate(Path folder) throws IOException {
        if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
            return false;
        }
        Set<PosixFilePermission> rights = Files.getPosixFilePermissions(folder, LinkOption.NOFOLLOW_LINKS);
        return isOwn(folder)
                && !rights.contains(PosixFilePermission.GROUP_WRITE)
                && !rights.contains(PosixFilePermission.OTHERS_WRITE);
    }

    /** Whether it belongs to the user of this process, whom a Linux system shows as the owner of /proc/self. */
    private static boolean isOwn(Path path) throws IOException {
        try {
            Object owner = Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS);
            return owner.equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    /** Deletes the oldest entries if there are too many. */
    private void tidy() throws IOException {
        List<Map.Entry<FileTime, Path>> entries = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(parent())) {
            for (Path file : files) {
                entries.add(Map.entry(Files.getLastModifiedTime(file, LinkOption.NOFOLLOW_LINKS), file));
            }
        }
        if (entries.size() > MOST_ENTRIES) {
            entries.sort(Comparator.comparing(Map.Entry::getKey));
            for (Map.Entry<FileTime, Path> old : entries.subList(0, entries.size() - MOST_ENTRIES)) {
                Files.deleteIfExists(old.getValue());
            }
        }
    }
}
