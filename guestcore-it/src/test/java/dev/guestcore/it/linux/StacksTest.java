package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.it.faults.CommandLine;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.Stacks;
import dev.guestcore.linux.TaskStack;
import dev.guestcore.linux.stacks.StackFrame;
import dev.guestcore.linux.stacks.StackTrace;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.JsonSchema;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Kernel stacks, beside what the guest itself said of them in /proc/PID/stack. */
@Tag("slow")
@Tag("foreign")
class StacksTest {

    /** Functions and distances, the innermost first; /proc leaves those of the scheduler out. */
    private static List<String> expected(LinuxTruth truth, int pid) {
        return truth.lines("proc/" + pid + "/stack").stream()
                .filter(line -> line.startsWith("[<0>] "))
                .map(line -> line.substring("[<0>] ".length()).replaceFirst("/0x[0-9a-f]+", ""))
                .toList();
    }

    private static List<String> found(StackTrace trace) {
        return trace.frames().stream().map(StackFrame::toString).toList();
    }

    @ParameterizedTest
    @EnumSource
    void stacksAreThoseThatTheGuestSaw(KnownLinux known) {
        LinuxTruth truth = known.truth();
        try (Guest guest = Guests.open(known.kdump())) {
            Stacks.Listing listing = Linux.of(guest).stacks().all();
            assertEquals(List.of(), listing.problems());
            Map<Integer, TaskStack> stacks = new TreeMap<>();
            listing.stacks().forEach(stack -> stacks.putIfAbsent(stack.pid(), stack));
            List<String> different = new ArrayList<>();
            int same = 0;
            for (int pid : truth.processes()) {
                List<String> expected = expected(truth, pid);
                TaskStack stack = stacks.get(pid);
                List<String> found = stack == null ? List.of() : found(stack.trace());
                int skipped = Math.max(0, found.size() - expected.size());
                if (!expected.isEmpty() && found.subList(skipped, found.size()).equals(expected)) {
                    same++;
                } else if (!expected.isEmpty()) {
                    different.add(pid + ": " + expected + " " + found);
                }
            }
            // What has run since the guest wrote its stacks down may stand elsewhere: the writer, workers, RCU.
            assertTrue(different.size() <= 5, different::toString);
            assertTrue(same > 50, () -> "too few: " + different);
        }
    }

    @ParameterizedTest
    @EnumSource
    void noStackBreaks(KnownLinux known) {
        try (Guest guest = Guests.open(known.kdump())) {
            for (TaskStack stack : Linux.of(guest).stacks().all().stacks()) {
                if (stack.name().equals("zombie")) {
                    assertEquals("the task has ended, and its stack is freed", stack.trace().reason());
                } else {
                    assertTrue(stack.trace().isComplete(), stack::toString);
                }
            }
        }
    }

    @Test
    void theCommandShowsThem(@TempDir Path folder) throws Exception {
        String stock = KnownLinux.STOCK.kdump().toString();
        String all = CommandLine.run(folder, "bt", stock, "--all").expect(0).out();
        assertTrue(all.contains(" tasks\n"), all);
        assertTrue(all.contains(" do_nanosleep+0x"), all);
        String init = CommandLine.run(folder, "bt", stock, "1").expect(0).out();
        assertTrue(init.startsWith("task 1 init"), init);
        assertTrue(init.contains("\n  user mode: rip 0x"), init);
        String text = CommandLine.run(folder, "bt", stock, "--all", "--json").expect(0).out();
        Map<?, ?> document = JsonSchema.check(text.getBytes(StandardCharsets.UTF_8));
        assertTrue(((List<?>) document.get("stacks")).size() > 50, document::toString);
        String panicked = CommandLine.run(folder, "bt", KnownLinux.PANICKED.kdump().toString()).expect(0).out();
        assertTrue(panicked.contains(" panic+0x"), panicked);
        assertTrue(panicked.contains(" sysrq_handle_crash+0x"), panicked);
        String none = CommandLine.run(folder, "bt", stock, "999999").expect(1).err();
        assertTrue(none.contains(": no task has the number 999999; "), none);
    }
}
