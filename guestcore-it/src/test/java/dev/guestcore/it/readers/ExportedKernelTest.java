package dev.guestcore.it.readers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.it.Tools;
import dev.guestcore.it.faults.CommandLine;
import dev.guestcore.it.linux.KnownLinux;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The vmlinux that is made from memory, in the hands of debuggers: it must do what the file with debug information
 * does.
 */
@Tag("slow")
@Tag("foreign")
class ExportedKernelTest {

    /** Commands of crash that need symbols, types and stacks. */
    private static final List<String> CRASH = List.of(
            "sys", "ps", "bt -a", "foreach bt", "mod", "mount", "net", "files", "log", "kmem -i", "vm", "irq", "timer",
            "dev", "runq", "struct task_struct", "whatis schedule_timeout", "p init_task.comm", "rd jiffies_64",
            "quit");

    @TempDir
    private static Path folder;

    private static Path vmlinux;

    @BeforeAll
    static void export() throws Exception {
        vmlinux = folder.resolve("vmlinux");
        CommandLine.run(
                folder,
                "symbols",
                KnownLinux.STOCK.kdump().toString(),
                "--to",
                "vmlinux",
                "-o",
                vmlinux.toString())
                .expect(0);
    }

    @Test
    void readelfFindsNothingOdd() {
        Program program = Program.run("readelf", "-hSlWn", vmlinux);
        assertEquals("", program.errors());
        assertTrue(program.output().contains("Build ID: "), program.output());
        // Symbols, types and rules are more text than a test should hold.
        Program rest = Program.run(
                "sh", "-c", "readelf -sW --debug-dump=info,abbrev,frames-interp \"$0\" > /dev/null", vmlinux);
        assertEquals("", rest.errors());
        assertEquals(0, rest.status());
    }

    private static List<String> crash(Path kernel) throws Exception {
        Path commands = Files.writeString(folder.resolve("commands"), String.join("\n", CRASH) + "\n");
        return Program.runWithInput(commands, "crash", "-s", kernel, KnownLinux.STOCK.kdump()).output().lines()
                .filter(line -> !line.startsWith("      KERNEL: "))
                .toList();
    }

    @Test
    void crashPrintsTheSame() throws Exception {
        List<String> expected = crash(Tools.requireKernelWithDebugInformation());
        assertTrue(expected.stream().anyMatch(line -> line.contains("Linux version 6.")), expected::toString);
        List<String> found = crash(vmlinux);
        assertEquals(String.join("\n", expected), String.join("\n", found));
    }

    @Test
    void drgnUnwindsTheSame() throws Exception {
        // drgn reads no flattened kdump.
        Path core = folder.resolve("core");
        CommandLine.run(folder, "convert", KnownLinux.STOCK.kdump().toString(), "--to", "elf", "-o", core.toString())
                .expect(0);
        Map<String, List<String>> expected = stacks(core, Tools.requireKernelWithDebugInformation());
        assertTrue(expected.size() > 50, expected::toString);
        assertEquals(expected, stacks(core, vmlinux));
    }

    /** Of each task the addresses, once each, because drgn shows functions inside functions too. */
    private static Map<String, List<String>> stacks(Path core, Path kernel) {
        Program program = Program.python(
                "stacks.py", "drgn", "python3-drgn", "", core, kernel);
        assertEquals("", program.errors());
        Map<String, List<String>> stacks = new TreeMap<>();
        program.output().lines().forEach(line -> {
            List<String> words = List.of(line.split(" "));
            stacks.put(words.getFirst(), words.subList(1, words.size()));
        });
        return stacks;
    }

    @Test
    void gdbKnowsTypesAndVariables() {
        Program program = Program.run(
                "gdb", "-nx", "-batch", "-ex", "whatis init_task", "-ex", "ptype struct list_head", "-ex",
                "print init_task.comm", "-ex", "whatis schedule_timeout", "-ex", "info symbol schedule_timeout",
                vmlinux);
        assertEquals("", program.errors());
        assertTrue(program.output().contains("type = struct task_struct\n"), program.output());
        assertTrue(program.output().contains("struct list_head *next;"), program.output());
        assertTrue(program.output().contains("\"swapper/0\\000"), program.output());
        assertTrue(program.output().contains("type = long (long)"), program.output());
        assertTrue(program.output().contains("schedule_timeout in section .text"), program.output());
    }
}
