package dev.guestcore.live.qemu;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Finds QEMU's process. Two ways, since each fails somewhere: the thread ids that QMP gives of the vCPUs mean nothing
 * in another PID namespace; the open socket of a process can only be seen with the right to trace it. The credentials
 * that the socket has (SO_PEERCRED) are no third one: they are those of whoever made the socket listen, which is
 * libvirt's daemon for its guests. Candidates only: their memory must be compared with the guest's.
 */
final class HostProcess {

    private static final Path PROC = Path.of("/proc");

    private HostProcess() {}

    /**
     * The process that has those threads.
     *
     * @param threads thread ids of the vCPUs as QEMU knows them
     */
    static List<Integer> ofThreads(List<Long> threads) {
        Set<Integer> found = new LinkedHashSet<>();
        for (long thread : threads) {
            statusField(thread, "Tgid").ifPresent(found::add);
        }
        return found.size() == 1 ? List.copyOf(found) : List.of();
    }

    /**
     * The process that has those threads, if its name is one of QEMU's. The numbers may be those of another PID namespace.
     *
     * @param threads thread ids of the vCPUs as QEMU knows them
     */
    static Optional<Integer> qemuOfThreads(List<Long> threads) {
        return ofThreads(threads).stream()
                .filter(process -> statusText(process, "Name")
                        .filter(name -> name.contains("qemu") || name.contains("kvm"))
                        .isPresent())
                .findFirst();
    }

    private static Optional<Integer> statusField(long process, String name) {
        try {
            return statusText(process, name).map(Integer::parseInt);
        } catch (NumberFormatException e) {
            return Optional.empty();
        }
    }

    private static Optional<String> statusText(long process, String name) {
        try {
            for (String line : Files.readAllLines(PROC.resolve(Long.toString(process)).resolve("status"))) {
                if (line.startsWith(name + ":")) {
                    return Optional.of(line.substring(name.length() + 1).strip().split("\\s+")[0]);
                }
            }
        } catch (IOException e) {
            return Optional.empty();
        }
        return Optional.empty();
    }

    /** Processes that hold a UNIX socket of that name open; looks at every process that we may trace. */
    static List<Integer> holdersOf(Path socket) {
        Set<String> targets = new HashSet<>();
        for (String line : lines(PROC.resolve("net/unix"))) {
            // Num RefCount Protocol Flags Type St Inode Path
            String[] words = line.strip().split("\\s+", 8);
            if (words.length == 8 && isSame(words[7], socket)) {
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

    /** The path that QEMU was given may be relative to a folder that we do not know. */
    private static boolean isSame(String bound, Path socket) {
        return Path.of(bound).getFileName() != null && Path.of(bound).getFileName().equals(socket.getFileName());
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
