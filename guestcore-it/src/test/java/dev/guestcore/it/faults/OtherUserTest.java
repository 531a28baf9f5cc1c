package dev.guestcore.it.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.it.Tools;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Another user of this machine attacks root, who runs the program. */
@Tag("foreign")
@Tag("slow")
@Timeout(240)
class OtherUserTest {

    private static final String SECRET = "TOP-SECRET";

    /** A QMP server: a guest of 64 KiB that lies, so it says, at an address and in a thread of another process. */
    private static final String DEPUTY = """
            import json, socket, sys
            path, thread, address = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path)
            listener.listen(8)
            print("ready", flush=True)
            running = True
            def human(line):
                if line.startswith("gpa2hva"):
                    return "Host virtual address for 0x0 (ram) is 0x%x" % address
                if line.startswith("xp"):
                    return "0000000000000000: 0x0000000000000000 0x0000000000000000\\r\\n" * 32
                if line.startswith("info registers"):
                    return "CPU#0\\r\\nEIP=00000001 EFL=00000002 [-------]\\r\\nCR0=00000010 CR3=00000000\\r\\n"
                return ("FlatView #0\\r\\n AS \\"memory\\", root: system\\r\\n"
                        "  0000000000000000-000000000000ffff (prio 0, ram): ram\\r\\n")
            def serve(stream):
                global running
                def say(value):
                    stream.write(json.dumps(value).encode() + b"\\r\\n")
                    stream.flush()
                say({"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""},
                             "capabilities": []}})
                for line in stream:
                    message = json.loads(line)
                    command = message["execute"]
                    print(command, message.get("arguments", ""), flush=True)
                    answer = {}
                    if command == "query-target":
                        answer = {"arch": "x86_64"}
                    elif command == "query-cpus-fast":
                        answer = [{"cpu-index": 0, "thread-id": thread}]
                    elif command == "query-status":
                        answer = {"status": "running" if running else "paused", "running": running}
                    elif command == "human-monitor-command":
                        answer = human(message["arguments"]["command-line"])
                    elif command in ("stop", "cont"):
                        running = command == "cont"
                        say({"timestamp": {"seconds": 1700000000, "microseconds": 0},
                             "event": "RESUME" if running else "STOP"})
                    elif command not in ("qmp_capabilities", "query-name"):
                        say({"error": {"class": "CommandNotFound", "desc": "no"}, "id": message.get("id")})
                        continue
                    say({"return": answer, "id": message.get("id")})
            import threading
            while True:
                client = listener.accept()[0]
                threading.Thread(target=serve, args=(client.makefile("rwb"),), daemon=True).start()
            """;

    /** Tries to read and to write each file in a folder, as soon as it is there. */
    private static final String PRYING = """
            import os, sys
            folder = sys.argv[1]
            print("ready", flush=True)
            told = set()
            while True:
                for root, folders, names in os.walk(folder):
                    for name in names:
                        path = os.path.join(root, name)
                        for mode in ("rb", "r+b"):
                            try:
                                with open(path, mode) as file:
                                    file.read(1)
                                if (path, mode) not in told:
                                    told.add((path, mode))
                                    print(mode, path, flush=True)
                            except OSError:
                                pass
            """;

    private final List<Process> started = new ArrayList<>();
    private Path folder = Path.of("");

    @TempDir
    private Path outputs;

    /** A folder like /tmp. */
    @BeforeEach
    void begin() throws IOException {
        assumeTrue(
                Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0),
                "skipped: only root can start a program as another user");
        folder = Files.createTempDirectory("guestcore-users");
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
    }

    @AfterEach
    void end() throws IOException {
        started.forEach(Process::destroyForcibly);
        if (!folder.toString().isEmpty()) {
            try (Stream<Path> tree = Files.walk(folder)) {
                for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(path);
                }
            }
        }
    }

    /** Starts a Python program as nobody, and waits until it says that it is ready; gives the file of its output. */
    private Path asNobody(String program, String... arguments) throws IOException, InterruptedException {
        Path script = Files.writeString(folder.resolve("program.py"), program);
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rw-r--r--"));
        Path output = outputs.resolve("said");
        Path python = Path.of("/usr/bin/python3");
        List<String> words = new ArrayList<>(List.of(
                Tools.require("setpriv").toString(),
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                (Files.exists(python) ? python : Tools.require("python3")).toString(),
                script.toString()));
        words.addAll(List.of(arguments));
        started.add(new ProcessBuilder(words)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start());
        waitFor(output, "ready");
        Files.delete(script);
        return output;
    }

    private void waitFor(Path output, String text) throws IOException, InterruptedException {
        while (!Files.readString(output).contains(text)) {
            assertTrue(started.getLast().isAlive(), () -> "ended: " + text(output));
            Thread.sleep(20);
        }
    }

    private static String text(Path output) {
        try {
            return Files.readString(output);
        } catch (IOException e) {
            return e.toString();
        }
    }

    @Test
    void aMonitorOfAnotherUserGetsNoMemoryOfRootsProcesses() throws Exception {
        Path socket = folder.resolve("qmp");
        Path core = folder.resolve("deputy.core");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(1 << 16, 4096);
            memory.setString(1 << 15, SECRET);
            Path asked = asNobody(
                    DEPUTY,
                    socket.toString(),
                    Long.toString(ProcessHandle.current().pid()),
                    Long.toString(memory.address()));
            CommandLine.Ended ended =
                    CommandLine.run(folder, "capture", "qemu:" + socket, "-o", core.toString(), "--to", "elf");
            assertTrue(ended.code() != 0, ended::toString);
            ended.assertNoTrace();
            assertTrue(text(asked).contains("gpa2hva"), () -> "the attack was not tried: " + text(asked));
            assertFalse(Files.exists(core), ended::toString);
            assertEquals(SECRET, memory.getString(1 << 15));
        }
    }

    private Path core(String format, Map<String, String> options) {
        Path core = folder.resolve("vm." + format + options.values());
        try (Guest guest = WriterProcess.guest(0)) {
            Guests.format(format).writer(options).write(guest, core, Progress.none());
        }
        return core;
    }

    /** With a loose umask a library that was unpacked into such a folder could be replaced before it was loaded. */
    @Test
    void nothingInTheTemporaryFolderCanBeReadOrReplacedWhateverTheUmask() throws Exception {
        Path temporary = Files.createDirectory(folder.resolve("tmp"));
        Files.setPosixFilePermissions(temporary, PosixFilePermissions.fromString("rwxrwxrwx"));
        List<Path> cores = new ArrayList<>(List.of(
                core("avml", Map.of()),
                core("kdump", Map.of("compression", "snappy")),
                core("kdump", Map.of("compression", "zstd"))));
        Path zipped = folder.resolve("vm.elf.gz");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(zipped))) {
            Files.copy(core("elf", Map.of()), out);
        }
        cores.add(zipped);
        Path opened = asNobody(PRYING, temporary.toString());
        for (Path core : cores) {
            List<String> words = CommandLine.words(
                    List.of("sh", "-c", "umask 000; exec \"$@\"", "sh"),
                    List.of("-Djava.io.tmpdir=" + temporary),
                    "info",
                    "--scan",
                    core.toString());
            try (CommandLine command = CommandLine.start(folder, Map.of(), words)) {
                command.end().expect(0);
            }
            assertEquals(List.of(), CommandLine.names(temporary), "left behind");
        }
        Path bait = temporary.resolve("bait");
        Files.write(bait, SECRET.getBytes(StandardCharsets.US_ASCII));
        Files.setPosixFilePermissions(bait, PosixFilePermissions.fromString("rw-rw-rw-"));
        waitFor(opened, "r+b " + bait);
        assertEquals(List.of("ready", "rb " + bait, "r+b " + bait), Files.readAllLines(opened));
    }
}
