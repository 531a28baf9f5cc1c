package dev.guestcore.it.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.it.Tools;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files and folders that others change while they are read or written. */
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class ChangingFilesTest {

    @TempDir
    private Path folder;

    private Path core(String format) {
        byte[] bytes = new byte[16 << 20];
        new Random(3).nextBytes(bytes);
        Path file = folder.resolve("source");
        try (Guest guest = Guest.builder()
                .ram(0, MemorySegment.ofArray(bytes))
                .vcpu(RegisterState.builder().set(X86.RIP, 0x1000).build())
                .build()) {
            WriterProcess.writer(format).write(guest, file, Progress.none());
        }
        return file;
    }

    /** Nobody reads the pipe, so the conversion stands still while its source shrinks. */
    @ParameterizedTest
    @ValueSource(strings = {"vbox", "xen", "elf", "lime", "avml"})
    void aSourceThatIsCutWhileItIsRead(String format) throws Exception {
        Path source = core(format);
        try (CommandLine command = CommandLine.start(folder, "convert", "source", "-o", "-", "--to", "elf")) {
            assertEquals(0x7f, command.process().getInputStream().read());
            try (FileChannel channel = FileChannel.open(source, StandardOpenOption.WRITE)) {
                channel.truncate(1 << 20);
            }
            String line = command.endUnseen().oneLine(1);
            assertTrue(line.contains("became shorter"), line);
        }
        assertEquals(List.of("source"), CommandLine.names(folder));
    }

    /** Each page of a kdump stands for itself, so one that is gone is an unreadable page. */
    @Test
    void aKdumpThatIsCutWhileItIsRead() throws Exception {
        Path source = core("kdump");
        try (CommandLine command = CommandLine.start(folder, "convert", "source", "-o", "-", "--to", "elf")) {
            assertEquals(0x7f, command.process().getInputStream().read());
            try (FileChannel channel = FileChannel.open(source, StandardOpenOption.WRITE)) {
                channel.truncate(1 << 20);
            }
            CommandLine.Ended ended = command.endUnseen().expect(3);
            assertTrue(ended.err().contains("of memory could not be read"), ended.err());
        }
    }

    @Test
    void aSourceThatIsCutWhileItIsShown() throws Exception {
        Path source = core("vbox");
        try (CommandLine command = CommandLine.start(folder, "read", "source", "0", "16M")) {
            assertEquals('0', command.process().getInputStream().read());
            try (FileChannel channel = FileChannel.open(source, StandardOpenOption.WRITE)) {
                channel.truncate(0);
            }
            String line = command.endUnseen().oneLine(1);
            assertTrue(line.contains("became shorter"), line);
        }
    }

    private CommandLine capture(Path target) throws Exception {
        return CommandLine.start(folder, "capture", "slow:" + folder, "-o", target.toString(), "--to", "elf");
    }

    @Test
    void aFolderThatVanishes() throws Exception {
        Path target = Files.createDirectory(folder.resolve("target"));
        try (CommandLine command = capture(target.resolve("core"))) {
            SlowProvider.awaitReached(folder, command);
            for (String name : CommandLine.names(target)) {
                Files.delete(target.resolve(name));
            }
            Files.delete(target);
            Files.createFile(folder.resolve(SlowProvider.GO));
            String line = command.end().oneLine(1);
            assertTrue(line.contains(target.resolve("core").toString()), line);
            assertTrue(line.contains("the folder no longer exists"), line);
        }
        assertEquals(List.of(SlowProvider.GO, SlowProvider.REACHED), CommandLine.names(folder));
    }

    @Test
    void aFolderThatIsReplacedByAnother() throws Exception {
        Path target = Files.createDirectory(folder.resolve("target"));
        try (CommandLine command = capture(target.resolve("core"))) {
            SlowProvider.awaitReached(folder, command);
            for (String name : CommandLine.names(target)) {
                Files.delete(target.resolve(name));
            }
            Files.delete(target);
            Files.createDirectory(target);
            Files.createFile(folder.resolve(SlowProvider.GO));
            String line = command.end().oneLine(1);
            assertTrue(line.contains("no longer exists"), line);
        }
        assertEquals(List.of(), CommandLine.names(target));
    }

    /** Rights that are taken away stop everybody but root, so a user without rights writes here. */
    @Test
    void aFolderThatMayNotBeWrittenAnyMore() throws Exception {
        Path target = Files.createDirectory(folder.resolve("target"));
        List<String> prefix = List.of();
        if (Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0)) {
            prefix = List.of(
                    Tools.require("setpriv").toString(),
                    "--bounding-set=-dac_override,-dac_read_search",
                    "--inh-caps=-dac_override,-dac_read_search");
        }
        List<String> words = CommandLine.words(
                prefix,
                List.of(),
                Stream.of("capture", "slow:" + folder, "-o", target + "/core", "--to", "elf").toArray(String[]::new));
        try (CommandLine command = CommandLine.start(folder, Map.of(), words)) {
            SlowProvider.awaitReached(folder, command);
            assertTrue(target.toFile().setWritable(false, false));
            Files.createFile(folder.resolve(SlowProvider.GO));
            CommandLine.Ended ended = command.end();
            String line = ended.oneLine(1);
            assertTrue(line.contains("permission denied"), line);
            assertTrue(line.contains("cannot delete the unfinished " + target), line);
        } finally {
            assertTrue(target.toFile().setWritable(true, true));
        }
        assertEquals(
                0, CommandLine.names(target).stream().filter(name -> !name.endsWith(".partial")).count());
    }
}
