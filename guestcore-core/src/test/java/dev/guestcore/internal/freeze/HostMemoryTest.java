package dev.guestcore.internal.freeze;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The least of what the system has and what any control group leaves. */
class HostMemoryTest {

    private static final long KIB = 1024;

    @TempDir
    private Path root;

    private void file(String name, String content) throws IOException {
        Path file = root.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, content);
    }

    private OptionalLong available() {
        return new HostMemory(root).available("self");
    }

    @Test
    void aSystemThatDoesNotTell() throws IOException {
        assertEquals(OptionalLong.empty(), available());
        file("proc/meminfo", "MemTotal:  1000 kB\nMemFree: 10 kB\n");
        assertEquals(OptionalLong.empty(), available());
    }

    @Test
    void withoutControlGroups() throws IOException {
        file("proc/meminfo", "MemTotal:  1000 kB\nMemAvailable:     500 kB\n");
        assertEquals(OptionalLong.of(500 * KIB), available());
    }

    @Test
    void version2CountsTheGroupsAbove() throws IOException {
        file("proc/meminfo", "MemAvailable:     500 kB\n");
        file("proc/self/cgroup", "0::/a/b\n");
        file("proc/77/cgroup", "0::/\n");
        file("sys/fs/cgroup/a/b/memory.max", "max\n");
        file("sys/fs/cgroup/a/b/memory.current", "1000\n");
        file("sys/fs/cgroup/a/memory.max", "300000\n");
        file("sys/fs/cgroup/a/memory.current", "250000\n");
        assertEquals(OptionalLong.of(50_000), available());
        file("sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 20000\n");
        assertEquals(OptionalLong.of(70_000), available());
        assertEquals(OptionalLong.of(500 * KIB), new HostMemory(root).available("77"));
        file("sys/fs/cgroup/a/memory.current", "900000\n");
        assertEquals(OptionalLong.of(0), available());
    }

    @Test
    void version1() throws IOException {
        file("proc/meminfo", "MemAvailable:     500 kB\n");
        file("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/vm\n0::/\n");
        file("sys/fs/cgroup/memory/vm/memory.limit_in_bytes", "4096\n");
        file("sys/fs/cgroup/memory/vm/memory.usage_in_bytes", "96\n");
        assertEquals(OptionalLong.of(4000), available());
    }
}
