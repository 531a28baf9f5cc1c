package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.PageState;
import dev.guestcore.it.faults.CommandLine;
import dev.guestcore.linux.AddressMaps;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.MemoryArea;
import dev.guestcore.linux.Task;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.JsonSchema;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The memory of processes by their own page tables, beside the program that they run and what that wrote. */
@Tag("slow")
@Tag("foreign")
class ProcessMemoryTest {

    private static final int PAGE = 4096;
    private static final int TOUCHED = 4 << 20;
    private static final long UNTOUCHED = 64 << 20;

    @TempDir
    Path folder;

    @ParameterizedTest
    @EnumSource
    void memoryIsWhatTheProgramPutThere(KnownLinux known) throws Exception {
        byte[] program = KnownLinux.compiledInit();
        try (Guest guest = Guests.open(known.kdump())) {
            List<Task> tasks = Linux.of(guest).tasks().processes().toList();
            int pages = 0;
            for (Task task : tasks) {
                if (task.memory().isPresent()) {
                    pages += checkProgram(task, program);
                }
            }
            assertTrue(pages > 500, pages + " pages of the program");
            checkMaps(tasks.stream().filter(task -> task.name().startsWith("maps")).findFirst().orElseThrow());
            assertTrue(tasks.stream().filter(Task::kernelThread).allMatch(task -> task.addressSpace().isEmpty()));
        }
    }

    /** Compares what nobody writes with the file; gives how many pages there were. */
    private static int checkProgram(Task task, byte[] program) {
        GuestMemory memory = task.memory().orElseThrow();
        int pages = 0;
        for (MemoryArea area : AddressMaps.of(task.object())) {
            if (!area.name().equals("/init") || area.writable()) {
                continue;
            }
            for (long at = area.start(); at < area.end(); at += PAGE) {
                int from = (int) (area.offset() + at - area.start());
                // The area in which addresses were relocated is made read-only behind that.
                boolean relocated = area.object().getLong("anon_vma") != 0;
                if (!relocated && from + PAGE <= program.length && memory.runAt(at).state() == PageState.PRESENT) {
                    byte[] page = new byte[PAGE];
                    memory.read(at, page);
                    assertArrayEquals(Arrays.copyOfRange(program, from, from + PAGE), page, task.name());
                    pages++;
                }
            }
        }
        return pages;
    }

    private static void checkMaps(Task task) {
        GuestMemory memory = task.memory().orElseThrow();
        boolean touched = false;
        boolean untouched = false;
        boolean shared = false;
        for (MemoryArea area : AddressMaps.of(task.object())) {
            if (area.name().equals("/tmp/mapped")) {
                byte[] half = new byte[1 << 19];
                memory.read(area.start(), half);
                assertArrayEquals(filled(half.length, 1), half);
                shared = true;
            } else if (area.name().isEmpty() && area.size() >= UNTOUCHED) {
                // The kernel may have joined the two.
                assertEquals(PageState.ABSENT, memory.runAt(area.start()).state());
                untouched = true;
            }
            if (area.name().isEmpty() && (area.size() == TOUCHED || area.size() == TOUCHED + UNTOUCHED)) {
                byte[] all = new byte[TOUCHED];
                memory.read(area.end() - TOUCHED, all);
                assertArrayEquals(filled(TOUCHED, 0x5a), all);
                touched = true;
            }
        }
        assertTrue(touched && untouched && shared, touched + " " + untouched + " " + shared);
    }

    private static byte[] filled(int length, int value) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    private CommandLine.Ended run(String verb, String... rest) throws Exception {
        List<String> words = new ArrayList<>(List.of(verb, KnownLinux.STOCK.kdump().toString()));
        words.addAll(List.of(rest));
        return CommandLine.run(folder, words.toArray(String[]::new));
    }

    @Test
    void commandsSeeTheAddressesOfTheProcess() throws Exception {
        String shown = run("read", "--pid", "1", "0x400000", "16").expect(0).out();
        assertTrue(shown.contains("7f 45 4c 46 02 01 01 00"), shown);
        byte[] json =
                run("read", "--pid", "1", "0x400000", "16", "--json").expect(0).out().getBytes(StandardCharsets.UTF_8);
        assertEquals(1, ((Number) JsonSchema.check(json).get("pid")).intValue());
        String found = run("search", "--pid", "1", "GUESTCORE=a value", "--json").expect(0).out();
        List<? extends Map<?, ?>> lines = found.lines()
                .map(line -> JsonSchema.check(line.getBytes(StandardCharsets.UTF_8)))
                .toList();
        assertEquals(2, lines.size(), found);
        assertEquals("GUESTCORE=a value", lines.getFirst().get("text"));
        String nothing = run("read", "--pid", "1", "0").expect(1).err();
        assertTrue(nothing.contains(" 1 shows the addresses that the process has"), nothing);
        String thread = run("search", "--pid", "2", "x").expect(1).err();
        assertTrue(thread.contains("process 2 has no memory of its own: it is a kernel thread, or has ended"), thread);
        String both = run("read", "--pid", "1", "--cpu", "0", "0").expect(2).err();
        assertTrue(both.contains("--pid names the page tables"), both);
    }

    /** Each process that was started with it has the text on its stack; all have the page of the program that holds it. */
    @Test
    void aTextIsFoundInEachProcessThatHasIt() throws Exception {
        LinuxTruth truth = KnownLinux.STOCK.truth();
        String text = "GUESTCORE=a value, with = and spaces";
        Set<Integer> expected = truth.processes().stream()
                .filter(pid -> truth.text("proc/" + pid + "/environ").contains(text))
                .collect(Collectors.toSet());
        assertTrue(expected.size() > 10, expected::toString);
        String dump = KnownLinux.STOCK.kdump().toString();
        List<Map<?, ?>> lines = new ArrayList<>();
        for (String line : CommandLine.run(folder, "search", dump, "--all-processes", text, "--json").expect(0).out()
                .split("\n")) {
            lines.add(JsonSchema.check(line.getBytes(StandardCharsets.UTF_8)));
        }
        Set<Integer> stacks = new HashSet<>();
        for (Map<?, ?> hit : lines.subList(0, lines.size() - 1)) {
            int pid = ((Number) hit.get("pid")).intValue();
            assertEquals(truth.text("proc/" + pid + "/comm").strip(), hit.get("name"));
            if ("[stack]".equals(hit.get("area"))) {
                stacks.add(pid);
            }
        }
        // One of the two that share their memory after vfork, which is searched once.
        Set<Integer> vfork = truth.processes().stream()
                .filter(pid -> truth.text("proc/" + pid + "/comm").equals("vfork parent\n"))
                .collect(Collectors.toSet());
        assertEquals(2, vfork.size());
        assertTrue(vfork.stream().filter(stacks::remove).count() == 1, stacks::toString);
        expected.removeAll(vfork);
        assertEquals(expected, stacks);
        Map<?, ?> summary = (Map<?, ?>) lines.getLast().get("summary");
        assertEquals(lines.size() - 1L, ((Number) summary.get("hits")).longValue());
        String few = CommandLine.run(folder, "search", dump, "--all-processes", text, "--limit", "3").expect(0).out();
        assertTrue(few.contains("\n3 found; ") && few.contains("  [stack]  36 bytes\n"), few);
        assertEquals(2, CommandLine.run(folder, "search", dump, "--all-processes", text, "--pid", "1").code());
    }
}
