package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.it.faults.CommandLine;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.Task;
import dev.guestcore.linux.Tasks;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.JsonSchema;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Tasks in memory, beside what /proc told the guest. */
@Tag("slow")
@Tag("foreign")
class TasksTest {

    /** Nanoseconds of the unit in which /proc/PID/stat counts. */
    private static final long TICK = 10_000_000;

    /** PF_WQ_WORKER. */
    private static final long WORKER = 0x20;

    private static final int PPID = 1;
    private static final int FLAGS = 6;
    private static final int START_TIME = 19;
    private static final int PROCESSOR = 36;

    @ParameterizedTest
    @EnumSource
    void everyTaskIsAsTheGuestSawIt(KnownLinux known) {
        LinuxTruth truth = known.truth();
        try (Guest guest = Guests.open(known.kdump())) {
            Tasks tasks = Linux.of(guest).tasks();
            assertEquals(List.of(), tasks.problems());
            assertEquals(List.of(), tasks.stream().filter(Task::isHidden).toList());
            assertEquals(
                    truth.processes().stream().filter(pid -> !isWorker(truth, pid)).toList(),
                    tasks.processes().filter(task -> !task.name().startsWith("kworker/")).map(Task::pid).toList());
            for (int pid : truth.processes()) {
                Optional<Task> process = tasks.find(pid);
                if (isWorker(truth, pid) && process.isEmpty()) {
                    // Workers come and go.
                    continue;
                }
                assertProcess(truth, pid, process.orElseThrow());
                for (int tid : truth.threads(pid)) {
                    Task thread = tasks.find(tid).orElseThrow();
                    assertEquals(pid, thread.tgid());
                    assertThread(truth, "proc/" + pid + "/task/" + tid, thread);
                }
            }
            assertEquals(
                    List.of("swapper/0", "swapper/1"),
                    tasks.stream().filter(Task::isIdle).map(Task::name).toList());
        }
    }

    private static boolean isWorker(LinuxTruth truth, int pid) {
        return truth.text("proc/" + pid + "/comm").startsWith("kworker/");
    }

    private static void assertProcess(LinuxTruth truth, int pid, Task process) {
        String folder = "proc/" + pid;
        boolean records = process.name().equals("recorder");
        assertTrue(process.isLeader());
        assertEquals(truth.status(folder, "Uid").split("\t")[0], Integer.toString(process.uid().orElseThrow()), folder);
        assertEquals(truth.status(folder, "Gid").split("\t")[0], Integer.toString(process.gid().orElseThrow()), folder);
        String arguments = truth.text(folder + "/cmdline");
        assertEquals(arguments, process.arguments().map(words -> String.join("\0", words) + "\0").orElse(""), folder);
        String environment = truth.text(folder + "/environ");
        assertEquals(environment, process.environment().map(words -> String.join("\0", words) + "\0").orElse(""),
                folder);
        assertEquals(arguments.isEmpty() && process.state() != 'Z', process.kernelThread(), folder);
        if (!records && !process.kernelThread() && process.state() != 'Z') {
            long kibibytes = truth.lines(folder + "/smaps_rollup").stream()
                    .filter(line -> line.startsWith("Rss:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                    .sum();
            assertEquals(kibibytes, process.residentBytes().orElseThrow() / 1024, folder + " " + process.name());
        }
    }

    private static void assertThread(LinuxTruth truth, String folder, Task thread) {
        List<String> stat = truth.stat(folder);
        String name = truth.text(folder + "/comm").replaceFirst("\n$", "");
        if ((Long.parseLong(stat.get(FLAGS)) & WORKER) != 0) {
            // The guest names the queue, too, that is only known while it works; but it cuts long names that are in memory whole.
            assertTrue(name.startsWith(thread.name()) || thread.name().startsWith(name),
                    () -> name + ", " + thread.name());
        } else {
            assertEquals(name, thread.name());
        }
        assertEquals(Integer.parseInt(stat.get(PPID)), thread.parent(), folder);
        assertEquals(Long.parseLong(stat.get(START_TIME)), thread.started().orElseThrow() / TICK, folder);
        if (!thread.name().equals("recorder") && !thread.kernelThread()) {
            assertEquals(stat.getFirst(), String.valueOf(thread.state()), folder);
            assertEquals(stat.get(PROCESSOR), Integer.toString(thread.cpu()), folder);
        }
    }

    @Test
    void theCommandShowsThem(@TempDir Path folder) throws Exception {
        String stock = KnownLinux.STOCK.kdump().toString();
        String plain = CommandLine.run(folder, "ps", stock).expect(0).out();
        assertTrue(plain.contains("  sleeper --option two words\n"), plain);
        assertTrue(plain.contains("  [kthreadd]\n") && plain.contains("  [zombie] defunct\n"), plain);
        String tree = CommandLine.run(folder, "ps", stock, "--tree", "--threads").expect(0).out();
        assertTrue(tree.matches("(?s).*  ├─ zombie parent\n[^\n]*  │  └─ \\[zombie] defunct\n.*"), tree);
        assertTrue(tree.contains("├─ worker-1\n") && tree.contains("  [swapper/1]\n"), tree);
        Map<?, ?> document = JsonSchema.check(CommandLine.run(folder, "ps", stock, "--json", "--threads")
                .expect(0)
                .out()
                .getBytes(StandardCharsets.UTF_8));
        assertTrue(((List<?>) document.get("tasks")).size() > 60);
        CommandLine.Ended none = CommandLine.run(folder, "ps", "demo:").expect(1);
        assertTrue(none.toString().contains("no Linux kernel found"), none::toString);
    }
}
