package dev.guestcore.source.qemu;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * Finds QEMU's process: who made the socket listen, as the kernel tells (SO_PEERCRED), or who else holds the listening
 * socket. What the monitor says of itself is not asked: it could name anybody's process, and we may be allowed to read them
 * all. So a candidate runs as the user who made the socket listen. Only where that was root, who has given the socket away
 * then (libvirt, systemd, QEMU's -runas), another user's process may be the one that holds it.
 *
 * <p>Candidates only: their memory must be compared with the guest's.
 */
final class HostProcess {

    private static final Path PROC = Path.of("/proc");
    private static final int ROOT = 0;

    /** Flag of a socket that listens, in /proc/net/unix (__SO_ACCEPTCON). */
    private static final int LISTENS = 1 << 16;

    private HostProcess() {}

    /** The process that made the socket listen, if it still runs as the same user; a process id may be somebody else's now. */
    static Optional<Integer> listener(Descriptors.Peer peer) {
        return Optional.of(peer.pid()).filter(pid -> pid > 0 && isOf(pid, peer.uid()));
    }

    /** Processes that hold the listening socket open; looks at every process that we may trace, which takes a while. */
    static List<Integer> holders(Descriptors.Peer peer, Path socket) {
        return holdersOf(socket).stream()
                .filter(pid -> peer.uid() == ROOT || isOf(pid, peer.uid()))
                .toList();
    }

    /** The first of all these that is called like QEMU. */
    static Optional<Integer> qemu(Descriptors.Peer peer, Path socket) {
        Optional<Integer> listener = listener(peer).filter(HostProcess::isCalledLikeQemu);
        return listener.isPresent()
                ? listener
                : holders(peer, socket).stream().filter(HostProcess::isCalledLikeQemu).findFirst();
    }

    private static boolean isCalledLikeQemu(int process) {
        String name = statusText(process, "Name");
        return name.contains("qemu") || name.contains("kvm");
    }

    /** Real, effective, saved and file system user: a program that was given another user's rights is not this user's. */
    private static boolean isOf(int process, int user) {
        String[] users = statusText(process, "Uid").split("\\s+");
        return Arrays.stream(users).allMatch(Integer.toUnsignedString(user)::equals);
    }

    /** The words behind a name in the process's status; empty if there is no such process. */
    private static String statusText(int process, String name) {
        for (String line : lines(PROC.resolve(Integer.toString(process)).resolve("status"))) {
            if (line.startsWith(name + ":")) {
                return line.substring(name.length() + 1).strip();
            }
        }
        return "";
    }

    private static List<Integer> holdersOf(Path socket) {
        Set<String> targets = new HashSet<>();
        for (String line : lines(PROC.resolve("net/unix"))) {
            // Num RefCount Protocol Flags Type St Inode Path
            String[] words = line.strip().split("\\s+", 8);
            if (words.length == 8 && listens(words[3]) && isSame(words[7], socket)) {
                targets.add("socket:[" + words[6] + "]");
            }
        }
        List<Integer> holders = new ArrayList<>();
        if (!targets.isEmpty()) {
            for (Path process : entries(PROC)) {
                String name = process.getFileName().toString();
                if (name.chars().allMatch(Character::isDigit) && holdsAny(process, targets)) {
                    holders.add(Integer.parseInt(name));
                }
            }
        }
        return holders;
    }

    private static boolean listens(String flags) {
        try {
            return (Integer.parseUnsignedInt(flags, 16) & LISTENS) != 0;
        } catch (NumberFormatException e) {
            // the heading
            return false;
        }
    }

    /** The path that QEMU was given may be relative to a folder that we do not know. */
    private static boolean isSame(String bound, Path socket) {
        try {
            Path path = Path.of(bound);
            return path.isAbsolute()
                    ? Files.exists(path) && Files.isSameFile(path, socket)
                    : Objects.equals(path.getFileName(), socket.getFileName());
        } catch (IOException | InvalidPathException e) {
            // Another one's socket, of which we may know nothing more.
            return false;
        }
    }

    private static boolean holdsAny(Path process, Set<String> targets) {
        for (Path descriptor : entries(process.resolve("fd"))) {
            try {
                if (targets.contains(Files.readSymbolicLink(descriptor).toString())) {
                    return true;
                }
            } catch (IOException e) {
                // closed in the meantime: not the monitor
                continue;
            }
        }
        return false;
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException e) {
            return List.of();
        }
    }

    private static List<Path> entries(Path folder) {
        List<Path> entries = new ArrayList<>();
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(folder)) {
            stream.forEach(entries::add);
        } catch (AccessDeniedException e) {
            return List.of();
        } catch (IOException | DirectoryIteratorException e) {
            // a process that ended while we looked
            return entries;
        }
        return entries;
    }
}
