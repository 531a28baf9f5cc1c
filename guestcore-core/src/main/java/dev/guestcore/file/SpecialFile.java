package dev.guestcore.file;

import dev.guestcore.error.SourceException;
import dev.guestcore.internal.text.ShellWords;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Names that are no regular files: what can be read as a stream, and what to do with the others. */
final class SpecialFile {

    private static final String STANDARD_INPUT = "-";

    /** S_IFMT and its values, see inode(7) of Linux. */
    private static final int TYPE = 0xf000;

    private static final int PIPE = 0x1000;
    private static final int CHARACTER_DEVICE = 0x2000;
    private static final int BLOCK_DEVICE = 0x6000;
    private static final int SOCKET = 0xc000;

    private SpecialFile() {}

    /** Whether a name stands for standard input, or for a pipe that a shell has opened for this process. */
    static boolean isStream(Path path) {
        String name = path.toString();
        boolean open = name.startsWith("/dev/fd/") || name.startsWith("/proc/self/fd/") || name.equals("/dev/stdin");
        return name.equals(STANDARD_INPUT) || open && type(path) == PIPE;
    }

    /** What a stream is called in messages. */
    static String nameOf(Path path) {
        return path.toString().equals(STANDARD_INPUT) ? "standard input" : path.toString();
    }

    /** The stream. */
    static InputStream stream(Path path) {
        if (path.toString().equals(STANDARD_INPUT)) {
            return System.in;
        }
        try {
            return Files.newInputStream(path);
        } catch (IOException e) {
            throw new SourceException(path + ": cannot be opened for reading: " + e.getMessage(), e);
        }
    }

    /** The error for a file that is there, but no regular one. */
    static SourceException refusal(Path path) {
        String name = ShellWords.quoted(path.toString());
        return new SourceException(path + ": " + switch (type(path)) {
            case PIPE -> "is a named pipe; read it from standard input: write - instead of its name, and < " + name;
            case SOCKET -> "is a socket; if it is the monitor of a running QEMU, open "
                    + ShellWords.quoted("qemu:" + path);
            case BLOCK_DEVICE -> "is a block device; copy it to a file first (dd if=" + name + " of=vm.dump bs=1M)";
            case CHARACTER_DEVICE -> "is a character device, which holds no dump; name the dump file";
            default -> "is not a regular file, and random access is needed; copy its content to a file first";
        });
    }

    /** What may be the reason that there is no file of that name; empty if nothing is known. */
    static String whyMissing(Path path) {
        if (Files.isSymbolicLink(path)) {
            return "; it is a link to something that does not exist";
        }
        return path.toString().indexOf('\ufffd') >= 0
                ? "; its name is not valid text in this locale: set LC_ALL=C.UTF-8, rename it, or read it from"
                        + " standard input (write - instead of its name, and < its name)"
                : "";
    }

    private static int type(Path path) {
        try {
            return Files.getAttribute(path, "unix:mode") instanceof Integer mode ? mode & TYPE : 0;
        } catch (IOException | UnsupportedOperationException | IllegalArgumentException e) {
            return 0;
        }
    }
}
