package dev.guestcore.it.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.format.CoreFormat;
import dev.guestcore.it.Tools;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A disk that is full, at every stage, in every format: one line, what was there stays, nothing is left. */
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class FullDiskTest {

    private static final String PRECIOUS = "precious";

    private static List<String> namespace = List.of();

    @TempDir
    private Path folder;

    @BeforeAll
    static void aNamespaceForTheDisk() throws IOException, InterruptedException {
        String unshare = Tools.require("unshare").toString();
        for (List<String> way : List.of(List.of(unshare, "-rm"), List.of(unshare, "-m"))) {
            List<String> trial =
                    Stream.concat(way.stream(), Stream.of("mount", "-t", "tmpfs", "none", "/mnt")).toList();
            if (new ProcessBuilder(trial).start().waitFor() == 0) {
                namespace = way;
                return;
            }
        }
        Tools.missing("a disk of our own takes a mount namespace, by root or by an unprivileged user");
    }

    /** Runs a command on a disk of 32 MiB that holds a file; its output ends with what is on the disk then. */
    private CommandLine.Ended onSmallDisk(int mebibytes, String... arguments) throws IOException, InterruptedException {
        Path disk = Files.createDirectories(folder.resolve("disk"));
        String script = "mount -t tmpfs -o size=" + mebibytes + "m none disk && printf " + PRECIOUS + " > disk/core"
                + " && \"$@\"; code=$?; echo; ls -A disk; head -c 8 disk/core; exit $code";
        List<String> prefix = Stream.concat(namespace.stream(), Stream.of("sh", "-c", script, "sh")).toList();
        try (CommandLine command =
                CommandLine.start(disk.getParent(), Map.of(), CommandLine.words(prefix, List.of(), arguments))) {
            return command.end();
        }
    }

    private static void checkUntouched(CommandLine.Ended ended, String... besides) {
        List<String> lines = ended.out().lines().toList();
        List<String> last = lines.subList(lines.size() - besides.length - 2, lines.size());
        List<String> expected = Stream.of(Stream.of("core"), Stream.of(besides), Stream.of(PRECIOUS))
                .flatMap(names -> names)
                .toList();
        assertEquals(expected, last, ended::toString);
        assertEquals("", lines.get(lines.size() - besides.length - 3), ended::toString);
    }

    static Stream<String> formats() {
        return Guests.formats().stream().filter(CoreFormat::canWrite).map(CoreFormat::name);
    }

    private void fails(String format, String when, String left, String... expected) throws Exception {
        String source = "filling:" + when + "," + left + "," + folder.resolve("disk");
        CommandLine.Ended ended = onSmallDisk(32, "capture", source, "-o", "disk/core", "--to", format, "--force");
        String line = ended.lastLine(1);
        assertTrue(line.startsWith("guestcore: disk/core"), line);
        assertTrue(Stream.of(expected).anyMatch(line::contains), line);
        assertTrue(line.contains("free some") && line.contains("choose another disk"), line);
        checkUntouched(ended, "filler");
    }

    @ParameterizedTest
    @ValueSource(strings = {"elf", "kdump", "xen"})
    void beforeTheFirstByte(String format) throws Exception {
        // The first bytes that are written are memory where what stands before it is not known yet.
        String first = switch (format) {
            case "kdump" -> "98304";
            case "elf" -> "12288";
            default -> "0";
        };
        fails(format, "0", "-1", "writing failed at byte " + first + ":", "finishing the file failed", "needs ");
    }

    @ParameterizedTest
    @MethodSource("formats")
    void inTheMiddle(String format) throws Exception {
        fails(format, "3000000", "-1", "writing failed at byte ");
    }

    @ParameterizedTest
    @MethodSource("formats")
    void atTheLastPage(String format) throws Exception {
        fails(format, "-1", "-1", "writing failed at byte ");
    }

    @Test
    void atTheCompanion() throws Exception {
        String source = "filling:-1,0," + folder.resolve("disk");
        CommandLine.Ended ended = onSmallDisk(32, "capture", source, "-o", "disk/core", "--to", "raw", "--force");
        String line = ended.oneLine(1);
        assertTrue(line.startsWith("guestcore: disk/core.map.json: writing failed at byte 0:"), line);
        checkUntouched(ended, "filler");
    }

    /** How much room a core takes is known only when it is written: there may be too little, and there is. */
    @ParameterizedTest
    @ValueSource(strings = {"elf", "kdump"})
    void fromTheStart(String format) throws Exception {
        String source = "filling:99999999,-1," + folder.resolve("disk");
        CommandLine.Ended ended = onSmallDisk(8, "capture", source, "-o", "disk/core", "--to", format, "--force");
        String line = ended.lastLine(1);
        assertTrue(ended.err().startsWith("guestcore: disk/core: may need up to "), ended::toString);
        assertTrue(line.contains("disk/core: writing failed at byte ") && line.contains("free some"), line);
        checkUntouched(ended);
    }

    /** There may be too little room, and there is enough: pages can be compressed, or are zero without anybody knowing. */
    @Test
    void aCoreThatIsSmallerThanItMayBe() throws Exception {
        byte[] image = new byte[24 << 20];
        Files.write(folder.resolve("zeros"), image);
        Arrays.fill(image, (byte) 'a');
        Files.write(folder.resolve("letters"), image);
        for (List<String> one : List.of(List.of("letters", "kdump"), List.of("zeros", "elf"))) {
            CommandLine.Ended ended = onSmallDisk(
                    8, "convert", "raw:" + one.get(0), "-o", "disk/vm", "--to", one.get(1));
            assertEquals(0, ended.code(), ended::toString);
            assertTrue(ended.err().startsWith("guestcore: disk/vm: may need up to "), ended::toString);
            checkUntouched(ended, "vm");
        }
    }

    /** A guest that lives is not frozen in vain, unless somebody knows better. */
    @Test
    void aLiveGuestIsFrozenForAFileThatMayNotFitOnlyOnRequest() throws Exception {
        CommandLine.Ended refused =
                onSmallDisk(8, "capture", "demo:ram=64M", "-o", "disk/vm", "--to", "kdump");
        String line = refused.oneLine(1);
        assertTrue(line.contains("may need up to ") && line.contains("an estimate"), line);
        checkUntouched(refused);
        String[] command = {"capture", "demo:ram=64M", "-o", "disk/vm", "--to", "kdump", "--no-space-check"};
        assertTrue(line.endsWith(command[command.length - 1]), line);
        CommandLine.Ended ended = onSmallDisk(8, command);
        assertEquals(0, ended.code(), ended::toString);
        checkUntouched(ended, "vm");
    }

    /** What a quota or a file system with small files does. */
    @Test
    void aLimitOnTheSizeOfFiles() throws Exception {
        Files.writeString(folder.resolve("core"), PRECIOUS);
        String prlimit = Tools.require("prlimit").toString();
        for (int limit : new int[] {0, 5_000_000, FillingProvider.MEMORY}) {
            List<String> words = CommandLine.words(
                    List.of(prlimit, "--fsize=" + limit),
                    // The JVM itself writes nothing to files then.
                    List.of("-XX:+PerfDisableSharedMem"),
                    "capture",
                    "filling:99999999,-1," + folder,
                    "-o",
                    "core",
                    "--to",
                    "elf",
                    "--force");
            // Standard error is a file too, so it must come by a pipe.
            ProcessBuilder builder = new ProcessBuilder(words).directory(folder.toFile()).redirectErrorStream(true);
            Process process = builder.start();
            String text = new String(process.getInputStream().readAllBytes());
            assertEquals(1, process.waitFor(), text);
            assertTrue(text.contains("guestcore: core: writing failed at byte "), text);
            assertTrue(text.contains("File too large") && text.contains("choose another disk or lift the limit"), text);
            assertEquals(List.of("core"), CommandLine.names(folder));
            assertEquals(PRECIOUS, Files.readString(folder.resolve("core")));
        }
    }
}
