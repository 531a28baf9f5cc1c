package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.it.QemuGuest;
import dev.guestcore.it.faults.CommandLine;
import java.io.BufferedReader;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a live guest is doing. */
@Tag("slow")
@Tag("foreign")
@Timeout(400)
class LiveLinuxTest {

    private static final int INTERRUPTED = 130;

    @Test
    void itIsShownWhileItRuns(@TempDir Path folder) throws Exception {
        try (QemuGuest guest = KnownLinux.STOCK.start()) {
            String processes = CommandLine.run(folder, "ps", guest.location()).expect(0).out();
            assertTrue(processes.contains("  sleeper --option two words\n"), processes);
            assertTrue(processes.contains("  [kthreadd]\n"), processes);
            assertTrue(guest.isRunning());
            followItsLog(folder, guest);
            assertTrue(guest.isRunning());
        }
    }

    private static void followItsLog(Path folder, QemuGuest guest) throws Exception {
        try (CommandLine follow = CommandLine.start(folder, "log", guest.location(), "--follow", "--every", "200")) {
            BufferedReader lines = follow.process().inputReader();
            awaitLine(lines, "guestcore: the last facility, debugging");
            // Linux tells of a non-maskable interrupt that it knows no reason for.
            guest.qmp("inject-nmi", Map.of());
            String told = awaitLine(lines, "NMI received for unknown reason");
            assertTrue(told.startsWith("["), told);
            follow.signal("INT");
            assertEquals(INTERRUPTED, follow.process().waitFor());
        }
    }

    private static String awaitLine(BufferedReader lines, String text) throws Exception {
        StringBuilder seen = new StringBuilder();
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (line.contains(text)) {
                return line;
            }
            seen.append(line).append('\n');
        }
        throw new AssertionError("no line with '" + text + "': " + seen);
    }
}
