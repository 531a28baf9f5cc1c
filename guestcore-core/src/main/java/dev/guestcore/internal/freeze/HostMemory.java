package dev.guestcore.internal.freeze;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * How much memory a process can still take without driving out anybody: what Linux says is available
 * ({@code /proc/meminfo}), and what the control groups of the process leave of their limits (version 2, and version 1's
 * memory controller).
 */
final class HostMemory {

    private static final String UNLIMITED = "max";

    private final Path root;

    /** Looks below that folder; "/" is the truth. */
    HostMemory(Path root) {
        this.root = root;
    }

    /**
     * Bytes; empty where the system does not tell.
     *
     * @param process whose control groups count: its number, or "self"
     */
    OptionalLong available(String process) {
        OptionalLong system = field(root.resolve("proc/meminfo"), "MemAvailable:");
        if (system.isEmpty()) {
            return system;
        }
        long least = system.getAsLong() * 1024;
        for (String line : lines(root.resolve("proc").resolve(process).resolve("cgroup"))) {
            // number:controllers:path
            String[] parts = line.split(":", 3);
            if (parts.length < 3) {
                continue;
            }
            if (parts[1].isEmpty()) {
                least = Math.min(least, leftInGroups("sys/fs/cgroup", parts[2], "memory.max", "memory.current"));
            } else if (List.of(parts[1].split(",")).contains("memory")) {
                least = Math.min(
                        least,
                        leftInGroups(
                                "sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes", "memory.usage_in_bytes"));
            }
        }
        return OptionalLong.of(Math.max(0, least));
    }

    /** A group is bound by every group above it. */
    private long leftInGroups(String mount, String path, String limitName, String usageName) {
        long least = Long.MAX_VALUE;
        Path top = root.resolve(mount);
        @Nullable Path group = top.resolve(path.replaceFirst("^/+", "")).normalize();
        while (group != null && group.startsWith(top)) {
            OptionalLong limit = number(group.resolve(limitName));
            OptionalLong usage = number(group.resolve(usageName));
            if (limit.isPresent() && usage.isPresent()) {
                // Files that were read lately count as used, but make way.
                long evictable = field(group.resolve("memory.stat"), "inactive_file").orElse(0);
                least = Math.min(least, limit.getAsLong() - usage.getAsLong() + evictable);
            }
            group = group.getParent();
        }
        return least;
    }

    private static OptionalLong number(Path file) {
        List<String> lines = lines(file);
        if (lines.isEmpty() || lines.getFirst().strip().equals(UNLIMITED)) {
            return OptionalLong.empty();
        }
        return parse(lines.getFirst().strip());
    }

    private static OptionalLong field(Path file, String name) {
        for (String line : lines(file)) {
            String[] words = line.strip().split("\\s+");
            if (words.length >= 2 && words[0].equals(name)) {
                return parse(words[1]);
            }
        }
        return OptionalLong.empty();
    }

    private static OptionalLong parse(String digits) {
        try {
            return OptionalLong.of(Long.parseLong(digits));
        } catch (NumberFormatException e) {
            return OptionalLong.empty();
        }
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException e) {
            // Not there: another system, or a group without that controller.
            return List.of();
        }
    }
}
