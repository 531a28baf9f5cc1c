package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.testing.ElfFiles;
import dev.guestcore.testing.Samples;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the program does when something is wrong: one line, the right exit code, nothing half-written. */
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class FailuresTest {

    @TempDir
    Path folder;

    private String file(String name) {
        return folder.resolve(name).toString();
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> list = Files.list(folder)) {
            return list.sorted().toList();
        }
    }

    private Path truncated(long bytes) throws IOException {
        byte[] whole = Files.readAllBytes(Samples.core("vbox/7.0.10-A"));
        return Files.write(folder.resolve("cut.core"), Arrays.copyOf(whole, (int) bytes));
    }

    @Test
    void wrongCommandLines() {
        Run.of().refuses("no command given");
        Run.of("captur").refuses("captur", "did you mean 'capture'?");
        Run.of("info").refuses("<source>");
        Run.of("info", "a", "b").refuses("b");
        Run.of("info", "--nonsense", "demo:").refuses("--nonsense");
        Run.of("read", "demo:", "zero").refuses("'zero' is not an address");
        Run.of("read", "demo:", "0xffffffffffffffff", "2").refuses("end of the address space");
        Run.of("read", "demo:", "0", "-o", file("a")).refuses("--raw");
        Run.of("regs", "demo:", "--cpu", "x").refuses("--cpu");
        Run.of("map", "demo:", "--force").refuses("--svg");
        Run.of("info", "demo:", "--progress", "loud").refuses("--progress", "auto, bar, json, none");
    }

    @Test
    void aMistypedCommandLineIsAnsweredInPlainWords() {
        Run.of("inf", "vm.core")
                .refuses("guestcore: unknown command 'inf'; did you mean 'info'?" + System.lineSeparator());
        Run.of("vm.core")
                .refuses("unknown command 'vm.core'; to see what a file or a guest is: guestcore info vm.core");
        Run.of("qemu:/run/a b").refuses("guestcore info 'qemu:/run/a b'");
        Run.of("help", "foo").refuses("guestcore: unknown command 'foo'" + System.lineSeparator());
        Run.of("info", "--scna", "vm.core").refuses("guestcore: unknown option '--scna'; did you mean '--scan'?");
        Run.of("info", "vm.core", "more").refuses("guestcore: unexpected argument 'more'" + System.lineSeparator());
        Run.of("info").refuses("guestcore: missing '<source>'");
        Run.of("convert", "vm.core", "-o", "a").refuses("guestcore: missing '--to=<format>'");
        Run.of("read", "vm.core", "ffff").refuses("guestcore: <address>: 'ffff' is not an address");
        Run.of("read", "vm.core", "0", "--root", "zz").refuses("guestcore: --root: 'zz' is not an address");
        Run.of("read", "vm.core", "0", "--cpu", "1.5").refuses("guestcore: --cpu: '1.5' is not a whole number");
        Run.of("search", "vm.core", "a", "--hex", "--regex").refuses("guestcore: choose one of --hex, --regex");
    }

    /** The library calls them options of a writer. */
    @Test
    void optionsOfWritersAreNamedAsTheyAreTyped() {
        Path core = ElfFiles.write(
                folder.resolve("arm.core"),
                new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 183, 1 << 14).load(0x1000, new byte[4096]).build());
        Run.of("convert", core.toString(), "--to", "elf", "--machine", "x86-64", "-o", file("out.core"))
                .failsWith(ExitCode.FAILED, "write without the option --machine");
    }

    @Test
    void anEmptyNameIsNoFolder() {
        Run.of("info", "").failsWith(ExitCode.FAILED, "the name of the file is empty");
    }

    @Test
    void writeOptionsThatMakeNoSenseAreRefusedBeforeAnythingHappens() throws IOException {
        Run.of("capture", "demo:", "--to", "vbox").refuses("--output");
        Run.of("capture", "demo:", "-o", file("a")).refuses("--to");
        Run.of("capture", "demo:", "-o", file("a"), "--to", "floppy").refuses("floppy", "vbox");
        Run.of("capture", "demo:", "-o", file("a"), "--to", "vbox", "--layout", "9.9").refuses("9.9");
        Run.of("capture", "demo:", "-o", "-", "--force", "--to", "vbox").refuses("--force");
        Console.Terminal terminal = new Console.Terminal(true, true, false, 80);
        assertEquals(2, Run.of(terminal, "capture", "demo:", "-o", "-", "--to", "vbox").code());
        assertEquals(2, Run.of(terminal, "read", "demo:", "0", "--raw").code());
        assertEquals(List.of(), files());
    }

    @Test
    void inputsThatAreNoCore() throws IOException {
        Run.of("info", file("missing")).failsWith(ExitCode.FAILED, "missing", "no such file");
        Run.of("info", folder.toString()).failsWith(ExitCode.FAILED, "is a directory");
        Path empty = Files.createFile(folder.resolve("empty"));
        Run.of("info", empty.toString()).failsWith(ExitCode.FAILED, "is empty; ");
        Path text = Files.writeString(folder.resolve("text"), "guest\u001b[2J\n".repeat(1000));
        Run.of("verify", text.toString()).failsWith(ExitCode.FAILED, "a text file, not a dump");
        Path java = Path.of(ProcessHandle.current().info().command().orElseThrow());
        Run.of("info", java.toString()).failsWith(ExitCode.FAILED, "an ELF file, but not a core");
        Run.of("info", "demo:ram=3").failsWith(ExitCode.FAILED, "ram=3");
        Run.of("info", "a\0b").failsWith(ExitCode.FAILED, "not a path");
    }

    @Test
    void aDamagedFileIsReadAsFarAsItGoes() throws IOException {
        long size = Files.size(Samples.core("vbox/7.0.10-A"));
        String cut = truncated(size - 10_000).toString();
        Run info = Run.of("info", cut).expect(ExitCode.DAMAGED);
        assertTrue(info.out().contains("damage "), info.out());
        assertTrue(info.err().contains("is damaged in "), info.err());
        Run regs = Run.of("regs", "--json", cut).expect(ExitCode.DAMAGED);
        assertFalse(((List<?>) regs.json().get("vcpus")).isEmpty());
        assertTrue(regs.err().startsWith("{\"schema\":\"remark\",\"version\":1,\"message\":\"damaged: "), regs.err());
        Run.of("map", cut).expect(ExitCode.DAMAGED);
        Run.of("verify", cut).expect(ExitCode.DAMAGED);
        Run.of("convert", cut, "-o", file("whole.core"), "--to", "vbox").expect(ExitCode.DAMAGED);
        assertTrue(Files.exists(folder.resolve("whole.core")), "what could be read was written");
    }

    @Test
    void aFileDamagedBeyondUse() throws IOException {
        byte[] bytes = Files.readAllBytes(Samples.core("vbox/7.0.10-A"));
        int magic = 0;
        while (ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt(magic) != 0xc01ac0de) {
            magic++;
        }
        bytes[magic] ^= 1;
        Path file = Files.write(folder.resolve("bent.core"), bytes);
        Run.of("info", file.toString()).failsWith(ExitCode.DAMAGED, "bent.core", "offset", "expected", "found");
    }

    @Test
    void theStackTraceIsForThoseWhoAsk() {
        Run run = Run.of("info", "--debug", file("missing")).expect(ExitCode.FAILED);
        assertTrue(run.err().contains("SourceException") && run.err().contains("\tat "), run.err());
    }

    @Test
    void faultsOfTheMachineAreOneLineToo() {
        List<Throwable> faults = List.of(
                new InternalError("a fault occurred in an unsafe memory access operation"),
                new OutOfMemoryError("Java heap space"),
                new StackOverflowError(),
                new IllegalStateException("never"));
        for (Throwable fault : faults) {
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            Console console = new Console(new ByteArrayOutputStream(), err, Console.Terminal.none());
            assertEquals(ExitCode.FAILED, new Failures(console, false).report(fault, false, Optional.empty()));
            String line = err.toString(StandardCharsets.UTF_8);
            assertEquals(1, line.lines().count(), line);
            new Failures(console, true).report(fault, false, Optional.empty());
            assertTrue(err.toString(StandardCharsets.UTF_8).contains("\tat "), "traces for those who set the variable");
        }
    }

    @Test
    void outputsThatCannotBe() throws IOException {
        Path there = Files.writeString(folder.resolve("there"), "precious");
        Run.of("capture", "demo:", "-o", there.toString(), "--to", "vbox")
                .expect(ExitCode.FAILED);
        assertEquals("precious", Files.readString(there));
        String missing = folder.resolve("no/such").toString();
        Run.of("capture", "demo:", "-o", missing, "--to", "vbox").expect(ExitCode.FAILED);
        Run.of("capture", "demo:", "-o", folder.toString(), "--to", "vbox").expect(ExitCode.FAILED);
        String newFolder = file("new") + "/";
        for (String[] command : new String[][] {
            {"capture", "demo:", "-o", newFolder, "--to", "vbox"}, {"map", "demo:", "--svg", newFolder},
            {"read", "--raw", "demo:", "0", "16", "-o", newFolder}
        }) {
            Run run = Run.of(command).expect(ExitCode.FAILED);
            assertTrue(run.err().contains(newFolder + ": is the name of a folder; name a file in it"), run.err());
        }
        assertEquals(List.of(there), files());
        Run.of("capture", "demo:", "-o", there.toString(), "--to", "vbox", "--force").expect(0);
        Run.of("verify", there.toString()).expect(0);
        assertEquals(List.of(there), files());
    }

    /** As root, a device that is replaced by a file is a broken machine. */
    @Test
    void noCommandReplacesADeviceOrAPipeEvenIfForced() throws Exception {
        Path pipe = folder.resolve("pipe");
        assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
        Path device = Files.createSymbolicLink(folder.resolve("device"), Path.of("/dev/null"));
        String core = Samples.core("vbox/7.0.10-A").toString();
        for (Path special : List.of(pipe, device)) {
            for (List<String> command : List.of(
                    List.of("convert", core, "-o", special.toString(), "--to", "elf", "--force"),
                    List.of("capture", "demo:ram=4M", "-o", special.toString(), "--to", "elf", "--force"),
                    List.of("map", core, "--svg", special.toString(), "--force"),
                    List.of("read", "--raw", core, "0", "16", "-o", special.toString(), "--force"))) {
                Run run = Run.of(command.toArray(String[]::new));
                assertTrue(run.code() == ExitCode.FAILED && run.err().contains("is a device, a pipe or a socket"),
                        () -> command + ": " + run);
            }
        }
        assertTrue(Files.isSymbolicLink(device));
        assertTrue(Files.readAttributes(pipe, BasicFileAttributes.class).isOther());
        assertEquals(List.of(device, pipe), files());
    }

    /** A few pages far up are zeros without end of a flat image. */
    @Test
    void aPipeIsNotFloodedWithZeros() throws IOException {
        Path guest = Files.writeString(
                folder.resolve("guest.json"),
                """
                {"regions": [{"kind": "ram", "address": 0, "size": "64K", "contents": [{"text": "low"}]},
                             {"kind": "ram", "address": "0x10000000000000", "size": "4K", "contents": [{"text": "high"}]}]}
                """);
        Run flat = Run.of("convert", "file:" + guest, "-o", "-", "--to", "raw").expect(ExitCode.FAILED);
        assertEquals(0, flat.bytes().length);
        assertTrue(flat.err().contains("--layout"), flat.err());
        Run packed = Run.of("convert", "file:" + guest, "-o", "-", "--to", "raw", "--layout", "packed").expect(0);
        assertEquals("lowhigh", packed.out(), "all that the source has");
    }

    @Test
    void aDiskTooSmallIsNoticedBeforeAnythingIsWritten() throws IOException {
        Path guest = folder.resolve("guest.json");
        Files.writeString(
                guest,
                """
                {"regions": [{"kind": "ram", "address": 0, "size": "1048576T", "contents": [{"zero": true}]}]}
                """);
        Run.of("capture", "file:" + guest, "-o", file("a"), "--to", "vbox", "--json")
                .failsWith(ExitCode.FAILED, "needs 1152921504606", "that disk allows no file that large");
        assertEquals(List.of(guest), files());
    }

    @Test
    void manyPagesOnADiskThatHasRoomForThem() throws IOException {
        Path guest = folder.resolve("guest.json");
        Files.writeString(
                guest,
                """
                {"regions": [{"kind": "ram", "name": "\\u001b]0;owned\\u0007", "address": 0, "size": "1G"},
                             {"kind": "rom", "address": "1G", "size": "4K", "contents": [{"text": "here"}]}],
                 "vcpus": [{"registers": {"rip": 4096}}]}
                """);
        assertTrue(Run.of("info", "file:" + guest).expect(0).out().contains("\\u001b]0;owned\\u0007"));
        Run.of("capture", "file:" + guest, "-o", file("a"), "--to", "vbox").expect(0);
        assertTrue(Run.of("read", file("a"), "1G", "4").expect(0).out().contains("|here"));
        Run run = Run.of("verify", file("a"), "--against", "file:" + guest).expect(0);
        assertTrue(run.out().contains("rax: 0x0 here, unknown there"), run.out());
    }

    @Test
    void theReasonIsNamed() {
        Run.of("capture", "demo:", "-o", file("no/such"), "--to", "vbox", "--force", "--json")
                .failsWith(ExitCode.FAILED, "does not exist");
        Run.of("capture", "demo:", "-o", folder.toString(), "--to", "vbox", "--json")
                .failsWith(ExitCode.FAILED, "is a directory");
        Path unwritable = Path.of("/proc/self/guestcore.core");
        if (Files.isDirectory(unwritable.getParent())) {
            Run refused = Run.of("capture", "demo:", "-o", unwritable.toString(), "--to", "vbox");
            assertEquals(ExitCode.FAILED, refused.code());
            assertTrue(refused.err().contains("cannot create a file in"), refused.err());
        }
    }

    @Test
    void aFullDiskUnderStandardOutputIsAnError() {
        OutputStream full = new OutputStream() {
            @Override
            public void write(int value) throws IOException {
                throw new IOException("No space left on device");
            }
        };
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        assertEquals(1, Main.run(new Console(full, err, Console.Terminal.none()), "info", "demo:"));
        assertTrue(err.toString(StandardCharsets.UTF_8).contains("No space left on device"), err.toString());
    }

    /** Also of a command that has another reason not to end with 0: one line, and the exit code of the failure. */
    @Test
    void whatCannotBeWrittenIsSaidByEveryCommand() {
        OutputStream full = new OutputStream() {
            @Override
            public void write(int value) throws IOException {
                throw new IOException("No space left on device");
            }
        };
        for (String[] command : new String[][] {
            {"translate", "demo:ram=4M", "0xfffff000"}, {"translate", "demo:ram=4M", "0x8000"}, {"regs", "demo:"},
            {"map", "demo:"}, {"map", "--virtual", "demo:ram=4M"}, {"read", "demo:", "0"},
            {"read", "demo:", "0", "--raw"},
            {"search", "demo:ram=4M", "needle"}, {"search", "demo:ram=4M", "no such text"}, {"formats"}, {"man"},
            {"completion"}, {"--help"}, {"--version"}, {"info", "--json", "demo:"}, {"map", "--svg", "-", "demo:"},
            {"diff", "demo:ram=4M", "demo:ram=4M"}
        }) {
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            int code = Main.run(new Console(full, err, Console.Terminal.none()), command);
            String said = withoutFreezes(err.toString(StandardCharsets.UTF_8));
            assertEquals(ExitCode.FAILED, code, String.join(" ", command));
            assertEquals(1, said.lines().count(), String.join(" ", command) + ": " + said);
            assertTrue(said.contains("No space left on device"), said);
        }
    }

    /** What a look at a live guest cost it is said however the command ends. */
    private static String withoutFreezes(String said) {
        return said.replaceAll("(?m)^.*the guest stood still for .*\\R", "");
    }

    @Test
    void aReaderThatHasSeenEnoughIsNoReasonToComplain() {
        OutputStream closed = new OutputStream() {
            @Override
            public void write(int value) throws IOException {
                throw new IOException("Broken pipe");
            }
        };
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        Main.run(new Console(closed, err, Console.Terminal.none()), "info", "demo:");
        assertEquals("", withoutFreezes(err.toString(StandardCharsets.UTF_8)));
        Main.run(new Console(closed, err, Console.Terminal.none()), "capture", "demo:", "-o", "-", "--to", "vbox");
        assertTrue(err.toString(StandardCharsets.UTF_8).contains("Broken pipe"), "a core that is cut short is one");
    }

    @Test
    void cancelledInTheMiddleNothingIsLeft() throws IOException {
        Run run = Run.watched(
                Cancellation::request,
                "capture", "demo:", "-o", file("a"), "--to", "vbox", "--json", "--progress", "json");
        assertEquals(ExitCode.CANCELLED, run.code());
        assertTrue(run.err().strip().endsWith("\"message\":\"cancelled\",\"exitCode\":130}"), run.err());
        assertEquals("", run.out());
        assertEquals(List.of(), files());
    }

    private static void signal(Process process, String name) throws IOException, InterruptedException {
        Process kill = new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).inheritIO().start();
        assertEquals(0, kill.waitFor());
    }

    private static String readLine(InputStream stream) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int value = stream.read(); value >= 0 && value != '\n'; value = stream.read()) {
            line.write(value);
        }
        return line.toString(StandardCharsets.UTF_8);
    }

    /** The pipe is full and nobody reads: the program hangs in a write when the signal comes. */
    private void cancelledByWhileThePipeIsFull(String signal, int expected) throws IOException, InterruptedException {
        Process child = Child.start("capture", "demo:ram=64M", "-o", "-", "--to", "vbox", "--json");
        try {
            assertEquals(0x7f, child.getInputStream().read(), "the core has begun");
            signal(child, signal);
            assertTrue(child.waitFor(60, TimeUnit.SECONDS), "ends though nobody reads");
            String err = new String(child.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
            assertEquals(expected, child.exitValue(), err);
            assertTrue(err.contains(
                    "{\"schema\":\"error\",\"version\":1,\"message\":\"cancelled\",\"exitCode\":" + expected + "}"),
                    err);
            assertFalse(err.contains("\tat "), err);
        } finally {
            child.destroyForcibly();
        }
    }

    @Test
    void interruptEndsAStream() throws IOException, InterruptedException {
        cancelledByWhileThePipeIsFull("INT", 130);
    }

    @Test
    void terminateEndsAStream() throws IOException, InterruptedException {
        cancelledByWhileThePipeIsFull("TERM", 143);
    }

    @Test
    void hangingUpEndsAStream() throws IOException, InterruptedException {
        cancelledByWhileThePipeIsFull("HUP", 129);
    }

    @Test
    @Tag("slow")
    void interruptLeavesNoFile() throws IOException, InterruptedException {
        Process child = Child.start("capture", "demo:ram=1G", "-o", file("a"), "--to", "vbox", "--progress", "json");
        try {
            String line = readLine(child.getErrorStream());
            assertTrue(line.contains("\"phase\""), line);
            // Stopped, it cannot finish before both signals are there.
            signal(child, "STOP");
            signal(child, "INT");
            signal(child, "INT");
            signal(child, "CONT");
            assertTrue(child.waitFor(60, TimeUnit.SECONDS));
            String err = new String(child.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
            assertEquals(ExitCode.CANCELLED, child.exitValue(), err);
            assertTrue(err.contains("guestcore: cancelled"), err);
            assertEquals(List.of(), files());
        } finally {
            child.destroyForcibly();
        }
    }
}
