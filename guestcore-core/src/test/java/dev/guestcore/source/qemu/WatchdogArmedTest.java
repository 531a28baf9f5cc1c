package dev.guestcore.source.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Whether a guest would be thawed by the watchdog if this process were killed at the worst moment. */
class WatchdogArmedTest {

    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @TempDir
    private Path folder;

    private final AtomicReference<@Nullable Watchdog> watchdog = new AtomicReference<>();
    private final Map<String, Watchdog.Undo> undoAt = new ConcurrentHashMap<>();
    private volatile boolean running = true;

    private @Nullable String behave(String command, JsonNode message) {
        Watchdog armed = watchdog.get();
        if (armed != null) {
            undoAt.put(command, armed.undo());
        }
        return switch (command) {
            case "query-status" -> FakeQemu.reply("{\"status\": \"" + (running ? "running" : "paused")
                    + "\", \"running\": " + running + "}");
            case "stop", "cont" -> {
                running = command.equals("cont");
                yield "{\"timestamp\": {\"seconds\": 1700000000, \"microseconds\": " + (running ? 20 : 10)
                        + "}, \"event\": \"" + (running ? "RESUME" : "STOP") + "\"}\r\n" + FakeQemu.reply("{}");
            }
            default -> FakeQemu.reply("{}");
        };
    }

    @Test
    void itIsArmedBeforeTheGuestStopsAndUntilItRunsAgain() throws IOException {
        Path socket = folder.resolve("qmp");
        try (FakeQemu qemu = new FakeQemu(socket, FakeQemu.GREETING, this::behave);
                QmpClient client = QmpClient.connect(socket, PATIENCE);
                Watchdog guardian = new Watchdog(socket)) {
            watchdog.set(guardian);
            QemuFreeze freeze = QemuFreeze.begin(client, guardian);
            assertEquals(Watchdog.Undo.RESUME, undoAt.get("stop"), "before it is stopped");
            assertEquals(Watchdog.Undo.RESUME, guardian.undo(), "while it stands still");
            freeze.thaw();
            assertEquals(Watchdog.Undo.RESUME, undoAt.get("cont"), "until it runs");
            assertEquals(Watchdog.Undo.NOTHING, guardian.undo(), "afterwards");
            assertEquals(List.of("stop", "cont"), qemu.commands().stream()
                    .filter(undoAt::containsKey)
                    .filter(command -> !command.startsWith("q"))
                    .toList());
        }
    }
}
