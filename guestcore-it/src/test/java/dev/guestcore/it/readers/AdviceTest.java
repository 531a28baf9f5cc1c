package dev.guestcore.it.readers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.it.Tools;
import dev.guestcore.it.readers.WrittenCore.Origin;
import dev.guestcore.kernel.DebuggerAdvice;
import dev.guestcore.kernel.KernelFacts;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The commands that {@code info} advises for a Linux guest, typed on the very kinds of files that they are for. Each kind
 * of advice is typed once: debuggers take long to read the kernel's symbols.
 */
@Timeout(300)
class AdviceTest {

    /** What all cases need. */
    private static final Set<String> KEPT =
            Set.of("vmlinux", "guestcore", "crash.commands", "gdb.commands", "tasks.py");

    @TempDir
    private static Path folder;

    /** A folder with the program under test and the kernel under the names that stand in the commands. */
    @BeforeAll
    static void prepare() throws IOException {
        Files.createSymbolicLink(folder.resolve("vmlinux"), Tools.requireKernelWithDebugInformation());
        List<String> words = List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx128m",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-cp",
                "'" + System.getProperty("java.class.path") + "'",
                "dev.guestcore.cli.Main");
        Path program = Files.writeString(
                folder.resolve("guestcore"), "#!/bin/sh\nexec " + String.join(" ", words) + " \"$@\"\n");
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwx------"));
        Files.writeString(folder.resolve("crash.commands"), "sys\nps 1\nquit\n");
        Files.writeString(folder.resolve("gdb.commands"), "print init_task.comm\ninfo threads\n");
        Files.writeString(
                folder.resolve("tasks.py"),
                "from drgn.helpers.linux.pid import for_each_task\n"
                        + "print([task.comm.string_().decode() for task in for_each_task(prog)])\n");
    }

    /** A file of that kind, or several, as it is typed in the folder. */
    private static String source(String kind) throws IOException {
        String core = switch (kind) {
            case "elf", "kdump-zlib", "kdump-flattened", "vmcore", "vmcore-analyst", "hvm" -> kind;
            case "split" -> "kdump-zlib";
            default -> "raw";
        };
        Path file = WrittenCore.of(Origin.LINUX, core).file();
        switch (kind) {
            case "lime", "avml" -> {
                try (Guest guest = Guests.open(file)) {
                    Guests.format(kind).writer(Map.of()).write(guest, folder.resolve(kind), Progress.none());
                }
            }
            case "split" -> {
                Program split = shell("makedumpfile --split -c -d 0 " + file + " part1 part2");
                assertEquals(0, split.status(), split::all);
                return "split:part1,part2";
            }
            case "raw" -> {
                // Its map is beside it.
                return file.toString();
            }
            default -> Files.createSymbolicLink(folder.resolve(kind), file);
        }
        return kind;
    }

    private static Program shell(String command) {
        return Program.run("sh", "-c", "cd '" + folder + "' && PATH=\"$PWD:$PATH\" && " + command);
    }

    /** The location as the library takes it, which does not know the folder. */
    private static String absolute(String source) {
        return source.startsWith("split:")
                ? "split:" + folder.resolve("part1") + "," + folder.resolve("part2")
                : folder.resolve(source).toString();
    }

    private static DebuggerAdvice advice(String source, String tool) {
        String location = absolute(source);
        try (Guest guest = Guests.open(location)) {
            KernelFacts facts = KernelFacts.search(guest, Progress.none());
            return DebuggerAdvice.of(guest, location, facts, Guests.debuggers(guest)).stream()
                    .filter(one -> one.tool().equals(tool))
                    .findFirst()
                    .orElseThrow();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "split, crash",
        "hvm, crash",
        "vmcore, crash",
        "lime, crash",
        "kdump-flattened, crash",
        "elf, drgn",
        "kdump-zlib, drgn",
        "vmcore-analyst, drgn",
        "avml, drgn",
        "elf, gdb",
        "kdump-flattened, gdb",
        "raw, gdb",
    })
    void whatInfoAdvisesShowsTheKernel(String kind, String tool) throws IOException {
        Tools.require(tool);
        if (kind.equals("split")) {
            Tools.require("makedumpfile");
        }
        deleteLeftovers();
        DebuggerAdvice advice = advice(source(kind), tool);
        if (advice.conversion().isPresent()) {
            Program conversion = shell(advice.conversion().get());
            assertEquals(0, conversion.status(), conversion::all);
        }
        String command = advice.command();
        List<String> expected = new ArrayList<>();
        switch (tool) {
            case "crash" -> {
                command = command.replaceFirst("crash ", "crash -s ") + " < crash.commands";
                expected.addAll(List.of("RELEASE: " + LinuxRelease.ofTestKernel(), "init\n"));
            }
            case "drgn" -> {
                command += " tasks.py";
                expected.addAll(List.of("'init'", "'kthreadd'"));
            }
            case "gdb" -> {
                command = command.replaceFirst("gdb ", "gdb -nx -q ") + " < gdb.commands";
                expected.add("= \"swapper/0");
                expected.add(kind.equals("raw") ? "(the source has no registers, " : "(vCPU 1: ");
            }
            default -> throw new IllegalArgumentException(tool);
        }
        Program program = shell(command);
        for (String text : expected) {
            assertTrue(program.output().contains(text), () -> advice + "\n" + program.all());
        }
    }

    /** Of the case before, which may have failed. */
    private static void deleteLeftovers() throws IOException {
        List<Path> files;
        try (Stream<Path> all = Files.list(folder)) {
            files = all.toList();
        }
        for (Path file : files) {
            if (!KEPT.contains(file.getFileName().toString())) {
                Files.delete(file);
            }
        }
    }
}
