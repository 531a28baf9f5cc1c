package dev.guestcore.it.readers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.it.QemuGuest;
import dev.guestcore.it.Tools;
import dev.guestcore.kernel.KernelFacts;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What debuggers make of a stock kernel in our files when they have its debug information, beside what they make of
 * QEMU's own dump of the same stopped guest.
 */
@Timeout(300)
class KernelSymbolsTest {

    @TempDir
    private static Path folder;

    private static Path vmlinux;
    private static QemuGuest qemu;

    @BeforeAll
    static void writeCores() {
        vmlinux = Tools.requireKernelWithDebugInformation();
        Tools.require("crash");
        qemu = QemuGuest.linux("GUESTCORE-WITH-SYMBOLS");
        qemu.qmp("stop", Map.of());
        qemu.qmp("dump-guest-memory", Map.of("paging", false, "protocol", "file:" + folder.resolve("qemu")));
        try (Guest guest = Guests.open(qemu.location())) {
            write(guest, "elf", "elf");
            write(guest, "kdump", "kdump");
            write(guest, "vbox", "vbox");
            write(guest, "xen", "xen");
        }
        convert("vbox", "elf-of-vbox", "elf");
        convert("vbox", "kdump-of-vbox", "kdump");
        convert("xen", "elf-of-xen", "elf");
    }

    @AfterAll
    static void stop() {
        if (qemu != null) {
            qemu.close();
        }
    }

    private static void write(Guest guest, String name, String format) {
        Guests.format(format).writer(Map.of()).write(guest, folder.resolve(name), Progress.none());
    }

    private static void convert(String source, String name, String format) {
        try (Guest guest = Guests.open(folder.resolve(source))) {
            write(guest, name, format);
        }
    }

    private static List<String> tasks(String core) {
        return Program.python("drgn_tasks.py", "drgn", "python3-drgn", "", folder.resolve(core), vmlinux)
                .content()
                .output()
                .lines()
                .toList();
    }

    /** QEMU's ELF core without paging shows it no kernel address, so a kdump, which does, tells what is right. */
    @ParameterizedTest
    @ValueSource(strings = {"elf", "elf-of-vbox", "elf-of-xen", "kdump-of-vbox"})
    void drgnListsTheTasks(String core) {
        List<String> tasks = tasks(core);
        assertTrue(tasks.contains("1 init") && tasks.contains("2 kthreadd"), tasks::toString);
        assertEquals(tasks("kdump"), tasks);
    }

    private static String crash(String core, List<String> commands) {
        Path input = folder.resolve("commands-for-" + core);
        try {
            Files.write(input, commands);
            Files.writeString(input, "quit\n", StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Program program = Program.runWithInput(input, "crash", "-s", vmlinux, folder.resolve(core));
        assertEquals(0, program.status(), program::all);
        return program.output();
    }

    @Test
    void crashSeesWhatItSeesInQemusDump() {
        List<String> questions = List.of("ps", "runq", "bt 2", "mount", "log", "kmem -i", "mach", "bt -a");
        // crash takes long to read the kernel's symbols, on one processor.
        List<String> answers = Stream.of("qemu", "elf", "kdump")
                .parallel()
                .map(core -> crash(core, questions))
                .toList();
        String theirs = answers.getFirst();
        assertTrue(theirs.contains("  init\n") && theirs.contains("Linux version " + LinuxRelease.ofTestKernel()),
                theirs);
        assertEquals(theirs, answers.get(1));
        assertEquals(theirs, answers.get(2));
    }

    @ParameterizedTest
    @ValueSource(strings = {"elf", "elf-of-vbox"})
    void gdbReadsTheKernelsVariablesOutOfTheFile(String core) {
        List<Object> arguments = new ArrayList<>(List.of("-nx", "-q", "-batch"));
        for (String command : List.of(
                "core-file " + folder.resolve(core),
                "add-symbol-file " + vmlinux + " -o " + kaslrOffset(core) + " -s .data..percpu 0",
                "x/s linux_banner",
                "print init_task.comm")) {
            arguments.addAll(List.of("-ex", command));
        }
        Program program = Program.run("gdb", arguments.toArray());
        String banner = "<linux_banner>:\t\"Linux version " + LinuxRelease.ofTestKernel();
        assertTrue(program.output().contains(banner), program::all);
        assertTrue(program.output().contains("\"swapper/0\\000"), program::all);
    }

    private static String kaslrOffset(String core) {
        try (Guest guest = Guests.open(folder.resolve(core))) {
            return "0x" + Long.toHexString(KernelFacts.glance(guest).kaslrOffset().orElseThrow().value());
        }
    }
}
