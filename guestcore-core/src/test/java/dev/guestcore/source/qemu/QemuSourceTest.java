package dev.guestcore.source.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.error.SourceException;
import dev.guestcore.open.Guests;
import dev.guestcore.source.FreezeRequest;
import dev.guestcore.source.GuestSource;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** What QEMU may do to us, played by a fake; what it does in truth is tested with a real one in guestcore-it. */
class QemuSourceTest {

    private static final Duration SHORT = Duration.ofMillis(300);
    private static final String STOP_EVENT =
            "{\"timestamp\": {\"seconds\": 1700000000, \"microseconds\": 250000}, \"event\": \"STOP\"}\r\n";
    private static final String RESUME_EVENT =
            "{\"timestamp\": {\"seconds\": 1700000000, \"microseconds\": 260000}, \"event\": \"RESUME\"}\r\n";
    private static final String GREETING_OF_15_MIB =
            FakeQemu.GREETING.replace("test", "x".repeat(15 << 20));
    private static final String LAYOUT =
            """
            FlatView #0
             AS "memory", root: system
              00000000fee00000-00000000feefffff (prio 0, i/o): apic-msi
            """;
    private static final String REGISTERS = "CPU#0\r\nEIP=00000001 EFL=00000002 [-------]\r\n"
            + "CR0=00000010 CR3=00000000\r\n";

    @TempDir
    private Path folder;

    private final AtomicBoolean running = new AtomicBoolean(true);

    private Path socket() {
        return folder.resolve("qmp");
    }

    private String location() {
        return "qemu:" + socket();
    }

    /** A guest without memory and with one vCPU. */
    private @Nullable String behave(String command, JsonNode message) {
        return switch (command) {
            case "query-target" -> FakeQemu.reply("{\"arch\": \"x86_64\"}");
            case "query-cpus-fast" -> FakeQemu.reply("[{\"cpu-index\": 0, \"thread-id\": 0}]");
            case "query-name" -> FakeQemu.reply("{\"name\": \"fake\"}");
            case "query-status" -> FakeQemu.reply("{\"status\": \"" + (running.get() ? "running" : "paused")
                    + "\", \"running\": " + running.get() + "}");
            case "stop" -> {
                running.set(false);
                yield STOP_EVENT + FakeQemu.reply("{}");
            }
            case "cont" -> {
                running.set(true);
                yield RESUME_EVENT + FakeQemu.reply("{}");
            }
            case "human-monitor-command" -> FakeQemu.text(
                    message.path("arguments").path("command-line").asString().equals("info registers -a")
                            ? REGISTERS
                            : LAYOUT);
            default -> "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command " + command
                    + " has not been found\"}, \"id\": %s}\r\n";
        };
    }

    @Test
    void freezesAndThawsOnce() throws IOException {
        try (FakeQemu qemu = new FakeQemu(socket(), FakeQemu.GREETING, this::behave)) {
            try (GuestSource source = Guests.source(location())) {
                assertEquals("QEMU 9.1.2 (test), guest fake, 1 vCPU, running", source.description());
                Guest guest = source.freeze();
                assertFalse(running.get());
                assertEquals("2023-11-14T22:13:20.250Z", guest.provenance().takenAt().orElseThrow().toString());
                guest.close();
                guest.close();
                assertTrue(running.get());
                assertEquals(Duration.ofMillis(10), guest.freeze().orElseThrow().elapsed(), "from QEMU's own stamps");
            }
            assertEquals(1, Collections.frequency(qemu.commands(), "stop"));
            assertEquals(1, Collections.frequency(qemu.commands(), "cont"));
        }
    }

    /** The rest is asked before, while the guest runs. */
    @Test
    void littleIsAskedWhileItStandsStill() throws IOException {
        try (FakeQemu qemu = new FakeQemu(socket(), FakeQemu.GREETING, this::behave)) {
            try (Guest guest = Guests.open(location())) {
                assertEquals(1, guest.vcpus().size());
            }
            List<String> commands = qemu.commands();
            assertEquals(
                    List.of("stop", "query-status", "human-monitor-command", "human-monitor-command", "query-status",
                            "cont"),
                    commands.subList(commands.indexOf("stop"), commands.indexOf("cont") + 1),
                    "layout, registers");
        }
    }

    @Test
    void forRegistersItStandsStillNoLongerThanTheyTake() throws IOException {
        try (FakeQemu qemu = new FakeQemu(socket(), FakeQemu.GREETING, this::behave)) {
            try (Guest guest = Guests.open(location(), FreezeRequest.forRegisters())) {
                assertTrue(running.get(), "while the guest is looked at");
                assertEquals(1, guest.vcpus().getFirst().registers().get(X86.RIP));
                assertEquals(Duration.ofMillis(10), guest.freeze().orElseThrow().elapsed());
                assertEquals(1, guest.memory().regions().size());
            }
            assertEquals(1, Collections.frequency(qemu.commands(), "stop"));
            assertEquals(1, Collections.frequency(qemu.commands(), "cont"));
        }
    }

    @Test
    void neitherStopsNorResumesWhatDoesNotRun() throws IOException {
        running.set(false);
        try (FakeQemu qemu = new FakeQemu(socket(), FakeQemu.GREETING, this::behave)) {
            Guests.open(location()).close();
            assertEquals(0, Collections.frequency(qemu.commands(), "stop"));
            assertEquals(0, Collections.frequency(qemu.commands(), "cont"));
        }
    }

    @Test
    void thawsWhenTheMonitorTalksNonsense() throws IOException {
        try (FakeQemu qemu = new FakeQemu(
                socket(),
                FakeQemu.GREETING,
                (command, message) -> message.toString().contains("info registers")
                        ? FakeQemu.text("no such thing")
                        : behave(command, message))) {
            refused("printed no vCPU");
            assertTrue(running.get());
            assertEquals(1, Collections.frequency(qemu.commands(), "cont"));
        }
    }

    @Test
    void thawsByAnotherConnectionWhenTheFirstIsLost() throws IOException {
        AtomicBoolean first = new AtomicBoolean(true);
        try (FakeQemu qemu = new FakeQemu(
                socket(),
                FakeQemu.GREETING,
                (command, message) -> command.equals("cont") && first.getAndSet(false)
                        ? null
                        : behave(command, message))) {
            Guests.open(location()).close();
            assertTrue(running.get());
            assertEquals(2, Collections.frequency(qemu.commands(), "qmp_capabilities"));
        }
    }

    @Test
    void thawsAfterAFailedStop() throws IOException {
        try (FakeQemu qemu = new FakeQemu(
                socket(),
                FakeQemu.GREETING,
                (command, message) -> {
                    if (command.equals("stop")) {
                        running.set(false);
                        return null;
                    }
                    return behave(command, message);
                })) {
            refused("QEMU closed the connection");
            assertTrue(running.get());
            assertEquals(1, Collections.frequency(qemu.commands(), "cont"));
        }
    }

    @Test
    void saysWhenAGuestCannotBeThawed() throws IOException {
        Guest guest;
        try (FakeQemu qemu = new FakeQemu(
                socket(),
                FakeQemu.GREETING,
                (command, message) -> command.equals("cont") ? null : behave(command, message))) {
            guest = Guests.open(location());
            Files.delete(socket());
            SourceException error = assertThrows(SourceException.class, guest::close);
            assertTrue(error.getMessage().contains("type `cont` at its monitor"), error.getMessage());
            assertEquals(1, Collections.frequency(qemu.commands(), "cont"));
        }
    }

    /** QEMU sends no event for a stop that finds the guest stopped. */
    @Test
    void leavesWhatSomebodyElseStoppedAtTheLastMoment() throws IOException {
        try (FakeQemu qemu = new FakeQemu(
                socket(),
                FakeQemu.GREETING,
                (command, message) -> {
                    if (command.equals("stop")) {
                        running.set(false);
                        return FakeQemu.reply("{}");
                    }
                    return behave(command, message);
                })) {
            leftStopped(qemu, "the guest is paused (paused)");
        }
    }

    @Test
    void leavesWhatWasStoppedBeforeItsOwnStop() throws IOException {
        String earlier = STOP_EVENT.replace("1700000000", Long.toString(Instant.now().getEpochSecond() - 1));
        try (FakeQemu qemu = new FakeQemu(
                socket(),
                FakeQemu.GREETING,
                (command, message) -> {
                    if (command.equals("stop")) {
                        running.set(false);
                        return earlier + FakeQemu.reply("{}");
                    }
                    return behave(command, message);
                })) {
            leftStopped(qemu, "the guest is paused (paused)");
        }
    }

    @Test
    void leavesWhatPanickedAtTheLastMoment() throws IOException {
        String panic = "{\"timestamp\": {\"seconds\": 1700000000, \"microseconds\": 1}, \"event\":"
                + " \"GUEST_PANICKED\", \"data\": {\"action\": \"pause\"}}\r\n";
        try (FakeQemu qemu = new FakeQemu(
                socket(),
                FakeQemu.GREETING,
                (command, message) -> {
                    if (command.equals("stop")) {
                        running.set(false);
                        return panic + STOP_EVENT + FakeQemu.reply("{}");
                    }
                    return command.equals("query-status") && !running.get()
                            ? FakeQemu.reply("{\"status\": \"guest-panicked\", \"running\": false}")
                            : behave(command, message);
                })) {
            leftStopped(qemu, "the guest's kernel has panicked");
        }
    }

    private void leftStopped(FakeQemu qemu, String finding) {
        try (Guest guest = Guests.open(location())) {
            assertFalse(guest.freeze().orElseThrow().wasRunning());
            String message = guest.findings().getFirst().message();
            assertTrue(message.contains(finding), message);
        }
        assertFalse(running.get());
        assertEquals(0, Collections.frequency(qemu.commands(), "cont"));
    }

    @Test
    void leavesWhatOthersResumedAndStoppedAgain() throws IOException {
        try (FakeQemu qemu = new FakeQemu(
                socket(),
                FakeQemu.GREETING,
                (command, message) -> message.toString().contains("info registers")
                        ? RESUME_EVENT + STOP_EVENT + FakeQemu.text(REGISTERS)
                        : behave(command, message))) {
            Guest guest = Guests.open(location());
            SourceException error = assertThrows(SourceException.class, guest::close);
            assertTrue(error.getMessage().contains("stopped it again, so it is left stopped"), error.getMessage());
            assertEquals(0, Collections.frequency(qemu.commands(), "cont"));
        }
    }

    /** To resume it after that would be to run it in two places. */
    @Test
    void leavesWhatOthersMigratedAway() throws IOException {
        AtomicBoolean migrated = new AtomicBoolean();
        try (FakeQemu qemu = new FakeQemu(
                socket(),
                FakeQemu.GREETING,
                (command, message) -> command.equals("query-status") && migrated.get()
                        ? FakeQemu.reply("{\"status\": \"postmigrate\", \"running\": false}")
                        : behave(command, message))) {
            Guest guest = Guests.open(location());
            migrated.set(true);
            guest.close();
            String finding = guest.freeze().orElseThrow().findings().getFirst().message();
            assertTrue(finding.contains("'postmigrate'"), finding);
            assertEquals(0, Collections.frequency(qemu.commands(), "cont"));
        }
    }

    @Test
    void aGuestThatIsOnItsWayHereIsNotRead() throws IOException {
        try (FakeQemu qemu = new FakeQemu(
                socket(),
                FakeQemu.GREETING,
                (command, message) -> command.equals("query-status")
                        ? FakeQemu.reply("{\"status\": \"inmigrate\", \"running\": false}")
                        : behave(command, message))) {
            refused("the guest waits for its memory from an incoming migration (inmigrate)");
            assertEquals(0, Collections.frequency(qemu.commands(), "stop"));
        }
    }

    @Test
    void showsErrorsWhole() throws IOException {
        try (FakeQemu qemu = new FakeQemu(
                socket(),
                FakeQemu.GREETING,
                (command, message) -> command.equals("stop")
                        ? "{\"id\": %s, \"error\": {\"class\": \"GenericError\", \"desc\": \"Resetting the Virtual"
                                + " Machine is required\"}}\r\n"
                        : behave(command, message))) {
            refused("QMP command stop failed: GenericError: Resetting the Virtual Machine is required");
            assertFalse(qemu.commands().isEmpty());
        }
    }

    @Test
    void refusesOtherProcessors() throws IOException {
        try (FakeQemu qemu = new FakeQemu(
                socket(), FakeQemu.GREETING, (command, message) -> FakeQemu.reply("{\"arch\": \"ppc64\"}"))) {
            refused("ppc64");
            assertEquals(List.of("qmp_capabilities", "query-target"), qemu.commands());
        }
    }

    @Test
    void whatIsNoQmpSocket() throws IOException {
        refused("there is no such socket");
        Files.writeString(socket(), "a file");
        refused("cannot connect");
        Files.delete(socket());
        greeted("QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ", "a human monitor");
        greeted("SSH-2.0-OpenSSH_9.2\r\n", "expected a JSON object, found 'SSH-2.0-OpenSSH_9.2'");
        greeted("[1, 2]\n", "expected a JSON object");
        greeted("{\"hello\": 1}\n", "expected a greeting");
    }

    private void greeted(String greeting, String message) throws IOException {
        try (FakeQemu qemu = new FakeQemu(socket(), greeting, this::behave)) {
            refused(message);
            assertEquals(List.of(), qemu.commands());
        } finally {
            Files.delete(socket());
        }
    }

    /** Well-formed JSON, but more than anybody has to say. */
    @Test
    void anEndlessGreeting() throws IOException {
        greeted(GREETING_OF_15_MIB, "a QMP message is longer than " + QmpClient.LONGEST_MESSAGE + " bytes");
    }

    /** Nothing is read for them, and the guest does not stand still until somebody tires. */
    @Test
    void memoryThatNoMachineHasIsRefusedAndTheGuestRuns() throws IOException {
        String head = "FlatView #0\n AS \"memory\", root: system\n";
        StringBuilder many = new StringBuilder(head);
        for (int i = 0; i < 50_000; i++) {
            many.append("  %016x-%016x (prio 0, ram): r\n".formatted(i * 8192L, i * 8192L + 4095));
        }
        String whole = head + "  0000000000000000-ffffffffffffffff (prio 0, ram): pc.ram\n";
        for (String layout : List.of(whole, many.toString())) {
            try (FakeQemu qemu = new FakeQemu(socket(), FakeQemu.GREETING,
                    (command, message) -> message.toString().contains("info mtree") ? FakeQemu.text(layout)
                            : behave(command, message))) {
                refused(layout.equals(whole) ? "more than 52 bits" : "more than 4096 regions");
                assertTrue(running.get());
                assertFalse(qemu.commands().contains("gpa2hva"));
            } finally {
                Files.delete(socket());
            }
        }
    }

    @Test
    void aSilentSocket() throws IOException {
        try (FakeQemu qemu = new FakeQemu(socket(), "", this::behave)) {
            IOException error = assertThrows(IOException.class, () -> QmpClient.connect(socket(), SHORT));
            assertTrue(error.getMessage().contains("another client holds it"), error.getMessage());
            assertEquals(List.of(), qemu.commands());
        }
    }

    @Test
    void aCommandWithoutAnAnswer() throws IOException {
        try (FakeQemu qemu = new FakeQemu(socket(), FakeQemu.GREETING, (command, message) -> STOP_EVENT)) {
            try (QmpClient client = QmpClient.connect(socket(), SHORT)) {
                IOException error = assertThrows(IOException.class, () -> client.execute("stop", Map.of(), SHORT));
                assertTrue(error.getMessage().contains("did not answer QMP command stop in time"), error.getMessage());
                assertEquals(1, client.eventsSince(0).size());
                assertTrue(client.isLost());
            }
            assertEquals(List.of("qmp_capabilities", "stop"), qemu.commands());
        }
    }

    /** Events of ever new names, without end: neither heap nor time. */
    @Test
    void aFloodOfEventsEndsWhenTimeIsOver() throws Exception {
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                .bind(UnixDomainSocketAddress.of(socket()))) {
            Thread.ofPlatform().daemon().start(() -> flood(server));
            IOException error = assertThrows(IOException.class, () -> QmpClient.connect(socket(), SHORT));
            assertTrue(error.getMessage().contains("did not answer QMP command qmp_capabilities in time"),
                    error.getMessage());
        }
    }

    /** From the stop on: no answer, a flood instead of one, a flood behind it. Another connection resumes the guest. */
    @Test
    void aStandstillEndsWhateverTheMonitorSaysAfterTheStop() throws IOException {
        QemuFreeze.Limits limits = new QemuFreeze.Limits(SHORT, Duration.ofSeconds(20));
        for (String afterStop : List.of("", FakeQemu.FLOOD)) {
            for (String afterLook : List.of(STOP_EVENT, STOP_EVENT + FakeQemu.FLOOD)) {
                running.set(true);
                Files.deleteIfExists(socket());
                try (FakeQemu qemu = new FakeQemu(socket(), FakeQemu.GREETING,
                        (command, message) -> command.equals("human-monitor-command") ? afterLook
                                : behave(command, message) + (command.equals("stop") ? afterStop : ""));
                        Watchdog watchdog = new Watchdog(socket());
                        QmpClient client = QmpClient.connect(socket(), Duration.ofSeconds(20))) {
                    assertThrows(IOException.class, () -> {
                        QemuFreeze freeze = QemuFreeze.begin(client, watchdog, limits);
                        try {
                            client.monitor("info registers -a", Duration.ofDays(1));
                        } finally {
                            freeze.thaw();
                        }
                    });
                    assertTrue(running.get(), afterStop + afterLook);
                    assertEquals(1, Collections.frequency(qemu.commands(), "cont"));
                }
            }
        }
    }

    /** It is said that the guest may be paused, and not only after hours. */
    @Test
    void aMonitorThatNeverAnswersAgainHoldsUsNoLonger() throws IOException {
        QemuFreeze.Limits limits = new QemuFreeze.Limits(SHORT, SHORT);
        try (FakeQemu qemu = new FakeQemu(socket(), FakeQemu.GREETING,
                (command, message) -> running.get() ? behave(command, message) : FakeQemu.FLOOD);
                Watchdog watchdog = new Watchdog(socket());
                QmpClient client = QmpClient.connect(socket(), Duration.ofSeconds(20))) {
            IOException error =
                    assertThrows(IOException.class, () -> QemuFreeze.begin(client, watchdog, limits));
            assertTrue(error.getSuppressed()[0].getMessage().contains("the guest is paused: type `cont`"),
                    error.getSuppressed()[0].getMessage());
            assertEquals(1, Collections.frequency(qemu.commands(), "stop"));
        }
    }

    private static void flood(ServerSocketChannel server) {
        try (SocketChannel client = server.accept()) {
            client.write(ByteBuffer.wrap(FakeQemu.GREETING.getBytes(StandardCharsets.UTF_8)));
            for (int i = 0;; i++) {
                String event = "{\"event\": \"E" + i + "x".repeat(1000) + "\"}\n";
                client.write(ByteBuffer.wrap(event.getBytes(StandardCharsets.UTF_8)));
            }
        } catch (IOException e) {
            // The client has hung up, which is what it should do.
            return;
        }
    }

    @Test
    void ofAFloodOfStopsTheLastAreRemembered() throws IOException {
        String many = (STOP_EVENT + RESUME_EVENT).repeat(1000);
        try (FakeQemu qemu = new FakeQemu(
                socket(), FakeQemu.GREETING, (command, message) -> many + FakeQemu.reply("{}"));
                QmpClient client = QmpClient.connect(socket(), Duration.ofSeconds(20))) {
            client.execute("query-status", Map.of(), Duration.ofSeconds(20));
            assertEquals(2000, client.eventCount());
            assertEquals(1000, client.eventsSince(0).size());
            assertEquals("RESUME", client.eventsSince(1999).getFirst().name());
            assertEquals(List.of(), client.eventsSince(2000));
            assertEquals(2, qemu.commands().size());
        }
    }

    @Test
    void aMessageOfTooManyValues() throws IOException {
        String cpus = "[" + "{\"a\":1},".repeat(100_000) + "{}]";
        try (FakeQemu qemu = new FakeQemu(
                socket(),
                FakeQemu.GREETING,
                (command, message) -> command.equals("query-cpus-fast") ? FakeQemu.reply(cpus)
                        : behave(command, message))) {
            refused("has more values, or deeper ones");
            assertEquals(3, qemu.commands().size());
        }
    }

    @Test
    void vcpusThatMakeNoSense() throws IOException {
        for (String cpus : List.of("[]", "[{\"cpu-index\": -1}]", "[{\"cpu-index\": 0}, {\"cpu-index\": 0}]", "5")) {
            try (FakeQemu qemu = new FakeQemu(
                    socket(),
                    FakeQemu.GREETING,
                    (command, message) -> command.equals("query-cpus-fast") ? FakeQemu.reply(cpus)
                            : behave(command, message))) {
                refused("QEMU's list of vCPUs");
                assertEquals(3, qemu.commands().size());
            } finally {
                Files.delete(socket());
            }
        }
    }

    @Test
    void saysWhenQemuDoesNotResume() throws IOException {
        try (FakeQemu qemu = new FakeQemu(
                socket(),
                FakeQemu.GREETING,
                (command, message) -> command.equals("cont")
                        ? "{\"id\": %s, \"error\": {\"class\": \"GenericError\", \"desc\": \"a\\nb\"}}\r\n"
                        : behave(command, message))) {
            Guest guest = Guests.open(location());
            SourceException error = assertThrows(SourceException.class, guest::close);
            assertTrue(error.getMessage().contains("still paused"), error.getMessage());
            assertTrue(error.getMessage().contains("a?b"), error.getMessage());
            assertEquals(1, Collections.frequency(qemu.commands(), "cont"));
        }
    }

    @Test
    @Tag("slow")
    void anEndlessMessage() throws IOException {
        String large = "x".repeat(1 << 20);
        try (FakeQemu qemu = new FakeQemu(
                socket(), FakeQemu.GREETING, (command, message) -> "{\"return\": \"" + large.repeat(17))) {
            try (QmpClient client = QmpClient.connect(socket(), Duration.ofSeconds(20))) {
                IOException error = assertThrows(
                        IOException.class, () -> client.execute("query-status", Map.of(), Duration.ofSeconds(20)));
                assertTrue(error.getMessage().contains("longer than"), error.getMessage());
            }
            assertEquals(2, qemu.commands().size());
        }
    }

    private void refused(String message) {
        SourceException error = assertThrows(SourceException.class, () -> Guests.open(location()));
        assertTrue(error.getMessage().contains(message), error.getMessage());
        assertEquals(1, error.getMessage().lines().count());
    }
}
