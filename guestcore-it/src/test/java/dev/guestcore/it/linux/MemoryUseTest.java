package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.it.faults.CommandLine;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.MemoryUse;
import dev.guestcore.linux.MemoryUse.Kind;
import dev.guestcore.linux.Task;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.JsonSchema;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Where memory went, beside /proc/meminfo. After the guest had written that down, its recorder read all of /proc, freed its buffer
 * and closed the disk, whose page cache then went.
 */
@Tag("slow")
@Tag("foreign")
class MemoryUseTest {

    private static final long KIB = 1024;
    private static final long LITTLE = 512 * KIB;
    private static final long MUCH = 6 << 20;

    @TempDir
    Path folder;

    private static long meminfo(LinuxTruth truth, String name) {
        return kib(truth.text("proc/meminfo"), name);
    }

    private static long kib(String text, String name) {
        String line = text.lines().filter(each -> each.startsWith(name + ":")).findFirst().orElseThrow();
        return Long.parseLong(line.replaceAll("[^0-9]", "")) * KIB;
    }

    private static void assertNear(long expected, MemoryUse use, Kind kind, long tolerance) {
        long found = use.bytes().get(kind);
        assertTrue(Math.abs(found - expected) <= tolerance, kind + ": " + expected + ", found " + found);
    }

    @ParameterizedTest
    @EnumSource
    void countersAreThoseOfTheGuest(KnownLinux known) {
        LinuxTruth truth = known.truth();
        try (Guest guest = Guests.open(known.kdump())) {
            Linux linux = Linux.of(guest);
            MemoryUse use = linux.memoryUse();
            Task recorder =
                    linux.tasks().processes().filter(task -> task.name().equals("recorder")).findFirst().orElseThrow();
            long buffer = kib(truth.text("proc/" + recorder.pid() + "/status"), "VmRSS")
                    - recorder.residentBytes().orElseThrow();
            assertEquals(List.of(), use.problems());
            assertEquals(meminfo(truth, "MemTotal"), use.total().orElseThrow());
            assertNear(meminfo(truth, "AnonPages") - buffer, use, Kind.ANONYMOUS, LITTLE);
            assertNear(meminfo(truth, "AnonHugePages"), use, Kind.ANONYMOUS_HUGE, 0);
            assertNear(meminfo(truth, "Cached"), use, Kind.PAGE_CACHE, LITTLE);
            assertNear(meminfo(truth, "Shmem"), use, Kind.SHARED, LITTLE);
            assertNear(meminfo(truth, "Dirty"), use, Kind.DIRTY, LITTLE);
            assertNear(meminfo(truth, "SReclaimable"), use, Kind.SLAB_RECLAIMABLE, MUCH);
            assertNear(meminfo(truth, "SUnreclaim"), use, Kind.SLAB_UNRECLAIMABLE, LITTLE);
            assertNear(meminfo(truth, "PageTables"), use, Kind.PAGE_TABLES, LITTLE / 4);
            assertNear(meminfo(truth, "KernelStack"), use, Kind.KERNEL_STACKS, LITTLE / 4);
            long freed = buffer + meminfo(truth, "Buffers");
            long free = use.bytes().get(Kind.FREE) + use.bytes().get(Kind.FREE_OF_CPUS);
            long expected = meminfo(truth, "MemFree") + freed;
            assertTrue(Math.abs(free - expected) < MUCH, expected + ", found " + free);
            assertTrue(use.other().orElseThrow() < use.total().orElseThrow() / 5, use::toString);
            assertEquals(List.of(), use.pools());
        }
    }

    @Test
    void largestProcessesComeFirst() throws Exception {
        String kdump = KnownLinux.STOCK.kdump().toString();
        byte[] json = CommandLine.run(folder, "memory", kdump, "--top", "2", "--json").expect(0).out()
                .getBytes(StandardCharsets.UTF_8);
        List<?> processes = (List<?>) JsonSchema.check(json).get("processes");
        assertEquals(2, processes.size());
        Map<?, ?> largest = (Map<?, ?>) processes.getFirst();
        String status = KnownLinux.STOCK.truth().text("proc/" + largest.get("pid") + "/status");
        assertTrue(status.startsWith("Name:\tmaps"), status);
        assertEquals(kib(status, "VmRSS"), ((Number) largest.get("residentBytes")).longValue(), LITTLE);
        String text = CommandLine.run(folder, "memory", kdump, "--top", "0").expect(0).out();
        assertTrue(text.contains("  of that, tmpfs and shared memory") && !text.contains("PID"), text);
    }
}
