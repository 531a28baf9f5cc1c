package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.linux.AddressMaps;
import dev.guestcore.linux.KernelObject;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.MemoryArea;
import dev.guestcore.linux.Mount;
import dev.guestcore.linux.Mounts;
import dev.guestcore.linux.OpenFile;
import dev.guestcore.linux.OpenFiles;
import dev.guestcore.linux.Walk;
import dev.guestcore.open.Guests;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Open files, mounts and addresses of every process, beside what /proc told the guest. */
@Tag("slow")
@Tag("foreign")
class ProcessInsidesTest {

    /** A guest is opened once for all checks, which is what takes time. */
    @ParameterizedTest
    @EnumSource
    void processesHaveWhatTheGuestSaidTheyHave(KnownLinux known) {
        int files = 0;
        int areas = 0;
        Set<List<String>> namespaces = new HashSet<>();
        try (Guest guest = Guests.open(known.kdump())) {
            Linux linux = Linux.of(guest);
            Walk<KernelObject> tasks = linux.variable("init_task").get("tasks").list("struct task_struct", "tasks");
            assertTrue(tasks.complete(), tasks.problems()::toString);
            for (KernelObject task : tasks) {
                LinuxProcess process = new LinuxProcess(known.truth(), task.getInt("pid"));
                // The one wrote the truth and changed; the other has ended.
                if (process.isThere() && !process.name().equals("recorder") && !process.name().equals("zombie")) {
                    files += checkFiles(task, process);
                    areas += checkAddresses(task, process);
                    namespaces.add(checkMounts(task, process));
                }
            }
        }
        assertTrue(files > 40, files + " files");
        assertTrue(areas > 300, areas + " areas");
        // That of most, that of "namespaces", that of kdevtmpfs.
        assertEquals(3, namespaces.size(), namespaces::toString);
    }

    /** What the truth has of a process. */
    private record LinuxProcess(LinuxTruth truth, int id) {

        boolean isThere() {
            return truth.processes().contains(id);
        }

        String name() {
            return truth.text("proc/" + id + "/comm").strip();
        }

        List<String> lines(String file) {
            String text = truth.text("proc/" + id + "/" + file);
            return text.isEmpty() ? List.of() : List.of(text.split("\n"));
        }
    }

    private static int checkFiles(KernelObject task, LinuxProcess process) {
        Walk<OpenFile> open = OpenFiles.of(task);
        assertEquals(List.of(), open.problems());
        assertEquals(
                process.lines("fd"),
                open.stream().map(file -> file.descriptor() + "\t" + file.name()).toList(),
                process.name());
        return open.size();
    }

    private static int checkAddresses(KernelObject task, LinuxProcess process) {
        Walk<MemoryArea> areas = AddressMaps.of(task);
        assertEquals(List.of(), areas.problems());
        assertEquals(process.lines("maps"), areas.stream().map(ProcessInsidesTest::line).toList(), process.name());
        return areas.size();
    }

    /** As fs/proc/task_mmu.c writes it. */
    private static String line(MemoryArea area) {
        String line = "%08x-%08x %s %08x %02x:%02x %d ".formatted(area.start(), area.end(), area.rights(),
                area.offset(), area.major(), area.minor(), area.inode());
        return area.name().isEmpty() ? line : "%-73s%s".formatted(line, area.name());
    }

    private static List<String> checkMounts(KernelObject task, LinuxProcess process) {
        Walk<Mount> mounts = Mounts.of(task);
        assertEquals(List.of(), mounts.problems());
        List<String> expected = process.lines("mountinfo");
        List<String> found = mounts.stream().map(ProcessInsidesTest::line).toList();
        assertEquals(expected.size(), found.size(), process.name());
        for (int i = 0; i < found.size(); i++) {
            String line = found.get(i);
            String truth = expected.get(i).replace("\\040", " ");
            // Behind them come options that the file system alone knows.
            assertTrue(truth.equals(line) || truth.startsWith(line + ","), () -> line + " is not " + truth);
        }
        return found;
    }

    private static String line(Mount mount) {
        return "%d %d %d:%d %s %s %s - %s %s %s".formatted(mount.id(), mount.parent(), mount.major(), mount.minor(),
                mount.root(), mount.point(), String.join(",", mount.options()), mount.type(), mount.source(),
                String.join(",", mount.fileSystemOptions()));
    }
}
