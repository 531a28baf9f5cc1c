package dev.guestcore.manifest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.format.WritePlan;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a living writer has not named yet stays locked, so that no other writer takes it for abandoned. */
@EnabledIf("hasLocks")
class LivingWriterTest {

    private static final Path LOCKS = Path.of("/proc/locks");

    @TempDir
    Path folder;

    static boolean hasLocks() {
        return Files.isReadable(LOCKS);
    }

    /** A kdump is written over, so it is read back for its digest; of an ELF core only the manifest is. */
    @ParameterizedTest
    @ValueSource(strings = {"kdump", "elf"})
    void holdsItsLocksUntilAllIsNamed(String format) throws IOException {
        Path core = folder.resolve("core");
        byte[] bytes = new byte[1 << 20];
        new Random(1).nextBytes(bytes);
        try (Guest guest = Guest.builder().ram(0, MemorySegment.ofArray(bytes)).build();
                OutputFile output = OutputFile.create(core, OutputFile.IfExists.FAIL);
                ManifestFiles manifest =
                        ManifestFiles.create(core, Optional.empty(), OutputFile.IfExists.FAIL, "test")) {
            WritePlan plan = Guests.format(format).writer(Map.of()).plan(guest);
            WriteReport report = plan.write(manifest.digesting(output.sink(), guest), Progress.none());
            manifest.written(guest, report, Progress.none());
            manifest.finish(Optional.of(output), List.of(), Optional.empty(), Progress.none());
            output.finish();
            assertEquals(3, hiddenAndLocked());
        }
    }

    private long hiddenAndLocked() throws IOException {
        List<String> locks = Files.readAllLines(LOCKS);
        try (Stream<Path> files = Files.list(folder)) {
            List<Path> hidden = files.toList();
            for (Path file : hidden) {
                String lock = " " + ProcessHandle.current().pid() + " [0-9a-f]+:[0-9a-f]+:"
                        + Files.getAttribute(file, "unix:ino") + " 0 EOF";
                assertTrue(locks.stream().anyMatch(line -> line.matches(".*POSIX.*" + lock)), file + " is not locked");
            }
            return hidden.size();
        }
    }
}
