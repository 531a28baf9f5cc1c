package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.it.faults.CommandLine;
import dev.guestcore.it.linux.KnownLinux;
import dev.guestcore.kernel.AddressSpaceChoice;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.TaskStack;
import dev.guestcore.linux.TaskThreads;
import dev.guestcore.open.Guests;
import dev.guestcore.serve.gdb.GdbServer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** gdb sees each task of a Linux guest as a thread, and unwinds it by the kernel that was made from memory. */
@Tag("slow")
@Tag("foreign")
class TaskDebuggerTest {

    private static final Pattern THREAD = Pattern.compile("Thread .*, task (\\d+): .*");
    private static final Pattern FRAME = Pattern.compile("#\\d+ +0x([0-9a-f]+) in .*");

    @TempDir
    private Path folder;

    @Test
    void everyTaskUnwindsAsItDoesHere() throws Exception {
        Path vmlinux = folder.resolve("vmlinux");
        String source = KnownLinux.STOCK.kdump().toString();
        CommandLine.run(folder, "symbols", source, "--to", "vmlinux", "-o", vmlinux.toString()).expect(0);
        try (Guest guest = Guests.open(source)) {
            Linux linux = Linux.of(guest);
            TaskThreads threads = TaskThreads.ofTasks(linux);
            assertEquals(List.of(), threads.problems());
            Optional<AddressSpaceChoice> space = Optional.of(AddressSpaceChoice.glance(
                    guest, guest.vcpus().stream().findFirst(), TranslationOptions.defaults()));
            GdbServer server =
                    new GdbServer(threads.guest(), TranslationOptions.defaults(), space, threads::nameOf);
            String shown = Debuggers.serve(server, port -> Debuggers.gdb(
                    folder,
                    ":" + port,
                    "set pagination off",
                    "set width 0",
                    "add-symbol-file '" + vmlinux + "' -o 0x" + Long.toHexString(linux.image().slide()),
                    "info threads",
                    "thread apply all -s bt"));
            Map<Integer, List<String>> expected = new TreeMap<>();
            for (TaskStack stack : linux.stacks().all().stacks()) {
                if (stack.cpu().isEmpty() && stack.pid() != 0 && !stack.trace().frames().isEmpty()) {
                    expected.put(stack.pid(), stack.trace().frames().stream()
                            .map(frame -> Long.toHexString(frame.address()))
                            .toList());
                }
            }
            assertTrue(expected.size() > 50, expected::toString);
            Map<Integer, List<String>> found = stacks(shown);
            found.keySet().retainAll(expected.keySet());
            assertEquals(text(expected), text(found));
            assertTrue(shown.contains("(sleeper, task "), shown);
            assertTrue(shown.contains(" in schedule ()"), shown);
        }
    }

    private static Map<Integer, List<String>> stacks(String shown) {
        Map<Integer, List<String>> stacks = new TreeMap<>();
        List<String> current = new ArrayList<>();
        for (String line : shown.lines().toList()) {
            Matcher thread = THREAD.matcher(line);
            if (line.startsWith("Thread ") && thread.matches()) {
                current = new ArrayList<>();
                stacks.put(Integer.parseInt(thread.group(1)), current);
            }
            Matcher frame = FRAME.matcher(line);
            if (frame.matches()) {
                current.add(frame.group(1));
            }
        }
        return stacks;
    }

    private static String text(Map<Integer, List<String>> stacks) {
        StringBuilder text = new StringBuilder();
        stacks.forEach((pid, frames) -> text.append(pid).append(' ').append(frames).append('\n'));
        return text.toString();
    }
}
