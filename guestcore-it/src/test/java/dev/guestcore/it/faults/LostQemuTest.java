package dev.guestcore.it.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.FreezeMethod;
import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.it.QemuGuest;
import dev.guestcore.it.Undisturbed;
import dev.guestcore.open.Guests;
import dev.guestcore.source.FreezeRequest;
import dev.guestcore.source.GuestSource;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** QEMU ends in the middle of a capture. */
@Undisturbed
@Timeout(value = 3, unit = TimeUnit.MINUTES)
class LostQemuTest {

    @TempDir
    private Path folder;

    /** Kills at the first step. */
    private record Killer(QemuGuest qemu) implements Progress {

        @Override
        public void begin(String phase, long total) {
            // Nothing is done yet.
        }

        @Override
        public void advance(long amount) {
            qemu.process().destroyForcibly();
            try {
                qemu.process().waitFor();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    @ParameterizedTest
    @EnumSource(FreezeMethod.class)
    void itIsSaidAndNothingIsLeft(FreezeMethod method) throws Exception {
        Path socket;
        try (QemuGuest qemu = QemuGuest.bootSector("generations", "qemu64", "-smp", "2")) {
            socket = qemu.socket();
            Killer killer = new Killer(qemu);
            GuestcoreException error = assertThrows(GuestcoreException.class, () -> {
                try (GuestSource source = Guests.source(qemu.location());
                        Guest guest = source.freeze(FreezeRequest.only(method)
                                .withFolder(folder)
                                .withProgress(killer))) {
                    WriterProcess.writer("elf").write(guest, folder.resolve("core"), killer);
                }
            });
            assertEquals(1, error.getMessage().lines().count(), error.getMessage());
            assertTrue(
                    error.getMessage().matches(".*(ended while|QEMU closed the connection|was lost).*"),
                    error.getMessage());
            assertEquals(List.of(), CommandLine.names(folder));
        }
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(15);
        while (!CaptureProcess.watchdogsOf(socket).isEmpty()) {
            assertTrue(System.nanoTime() < end, "its watchdog gives up");
            TimeUnit.MILLISECONDS.sleep(50);
        }
    }

    /** As the command line says it; nobody reads the pipe, so the capture is in the middle of the frozen guest. */
    @Test
    void asTheCommandSaysIt() throws Exception {
        try (QemuGuest qemu = QemuGuest.bootSector("generations", "qemu64", "-smp", "2");
                CommandLine command = CommandLine.start(
                        folder, "capture", qemu.location(), "-o", "-", "--to", "vbox", "--freeze", "direct")) {
            assertEquals(0x7f, command.process().getInputStream().read());
            assertFalse(qemu.isRunning());
            qemu.process().destroyForcibly();
            qemu.process().waitFor();
            String line = command.endUnseen().oneLine(1);
            assertTrue(line.contains("ended while"), line);
        }
        assertEquals(List.of(), CommandLine.names(folder));
    }
}
