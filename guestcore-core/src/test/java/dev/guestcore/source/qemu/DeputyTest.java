package dev.guestcore.source.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.error.SourceException;
import dev.guestcore.open.Guests;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** A monitor that wants us to read for it what it may not read itself: another process's memory, another user's file. */
@EnabledOnOs(OS.LINUX)
class DeputyTest {

    private static final int SIZE = 1 << 16;
    private static final byte[] SECRET = "TOP-SECRET".getBytes(StandardCharsets.US_ASCII);

    @TempDir
    private Path folder;

    @AfterEach
    void clear() {
        System.clearProperty(QemuSourceProvider.MEMORY_PROPERTY);
    }

    /** The monitor of a guest with one vCPU, and one region of memory that is zero at both ends. */
    static final class Monitor {

        private final AtomicBoolean running = new AtomicBoolean(true);
        private final long thread;
        private final long address;

        Monitor(long thread, long address) {
            this.thread = thread;
            this.address = address;
        }

        @Nullable
        String behave(String command, JsonNode message) {
            return switch (command) {
                case "query-target" -> FakeQemu.reply("{\"arch\": \"x86_64\"}");
                case "query-cpus-fast" -> FakeQemu.reply("[{\"cpu-index\": 0, \"thread-id\": " + thread + "}]");
                case "query-name" -> FakeQemu.reply("{}");
                case "query-status" -> FakeQemu.reply("{\"status\": \"" + (running.get() ? "running" : "paused")
                        + "\", \"running\": " + running.get() + "}");
                case "stop", "cont" -> {
                    running.set(command.equals("cont"));
                    String event = running.get() ? "RESUME" : "STOP";
                    yield "{\"timestamp\": {\"seconds\": 1700000000, \"microseconds\": 0}, \"event\": \"" + event
                            + "\"}\r\n" + FakeQemu.reply("{}");
                }
                case "human-monitor-command" -> FakeQemu.text(
                        monitor(message.path("arguments").path("command-line").asString()));
                default -> "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no\"}, \"id\": %s}\r\n";
            };
        }

        private String monitor(String line) {
            if (line.startsWith("gpa2hva")) {
                return "Host virtual address for 0x0 (ram) is 0x" + Long.toHexString(address);
            }
            if (line.startsWith("xp")) {
                return "0000000000000000: 0x0000000000000000 0x0000000000000000\r\n".repeat(32);
            }
            return line.startsWith("info registers")
                    ? "CPU#0\r\nEIP=00000001 EFL=00000002 [-------]\r\nCR0=00000010 CR3=00000000\r\n"
                    : "FlatView #0\r\n AS \"memory\", root: system\r\n"
                            + "  0000000000000000-000000000000ffff (prio 0, ram): ram\r\n";
        }

        /** Listens at a socket, and names a thread and an address of another process. */
        public static void main(String[] arguments) throws IOException {
            Monitor monitor = new Monitor(Long.parseLong(arguments[1]), Long.parseLong(arguments[2]));
            try (FakeQemu qemu = new FakeQemu(Path.of(arguments[0]), FakeQemu.GREETING, monitor::behave)) {
                System.out.write('R');
                System.out.flush();
                System.in.read();
                qemu.commands().clear();
            }
        }
    }

    private static MemorySegment secret(Arena arena) {
        MemorySegment memory = arena.allocate(SIZE, 4096);
        MemorySegment.copy(MemorySegment.ofArray(SECRET), 0, memory, SIZE / 2, SECRET.length);
        return memory;
    }

    /** Where these tests run with modules, the class path lacks most. */
    private static String classPath() {
        return Stream
                .of("target/test-classes", System.getProperty("jdk.module.path"), System.getProperty("java.class.path"))
                .filter(Objects::nonNull)
                .collect(Collectors.joining(File.pathSeparator));
    }

    @Test
    void onlyTheProcessAtTheOtherEndIsRead() throws Exception {
        Path socket = folder.resolve("qmp");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = secret(arena);
            Process monitor = new ProcessBuilder(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "-XX:TieredStopAtLevel=1",
                    "-cp",
                    classPath(),
                    Monitor.class.getName(),
                    socket.toString(),
                    Long.toString(ProcessHandle.current().pid()),
                    Long.toString(memory.address()))
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            try {
                assertEquals('R', monitor.getInputStream().read());
                SourceException error =
                        assertThrows(SourceException.class, () -> Guests.open("qemu:" + socket).close());
                assertTrue(error.getMessage().contains("pmemsave"), error.getMessage());
            } finally {
                monitor.destroyForcibly();
                assertTrue(monitor.waitFor() != 0);
            }
            assertEquals(0, memory.get(ValueLayout.JAVA_BYTE, 0));
        }
    }

    @Test
    void whateverThreadItNames() throws IOException {
        Path socket = folder.resolve("qmp");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = secret(arena);
            Monitor monitor = new Monitor(1, memory.address());
            try (FakeQemu qemu = new FakeQemu(socket, FakeQemu.GREETING, monitor::behave);
                    Guest guest = Guests.open("qemu:" + socket)) {
                byte[] read = new byte[SECRET.length];
                guest.memory().read(SIZE / 2, MemorySegment.ofArray(read));
                assertEquals("TOP-SECRET", new String(read, StandardCharsets.US_ASCII));
                assertFalse(qemu.commands().contains("pmemsave"));
            }
        }
    }

    @Test
    void aFileThatItPutInPlaceOfItsOwnIsNotRead() throws IOException {
        System.setProperty(QemuSourceProvider.MEMORY_PROPERTY, "pmemsave");
        Path socket = folder.resolve("qmp");
        Path others = Files.write(folder.resolve("shadow"), new byte[] {'x'});
        Monitor monitor = new Monitor(1, 0);
        try (FakeQemu qemu = new FakeQemu(
                socket,
                FakeQemu.GREETING,
                (command, message) -> {
                    if (!command.equals("pmemsave")) {
                        return monitor.behave(command, message);
                    }
                    Path file = Path.of(message.path("arguments").path("filename").asString());
                    try {
                        Files.delete(file);
                        Files.createSymbolicLink(file, others);
                    } catch (IOException e) {
                        return null;
                    }
                    return FakeQemu.reply("{}");
                })) {
            SourceException error =
                    assertThrows(SourceException.class, () -> Guests.open("qemu:" + socket).close());
            assertTrue(error.getMessage().contains("of 1 bytes of memory at 0x0 QEMU saved 0"), error.getMessage());
            assertFalse(qemu.commands().isEmpty());
        }
    }

    @Test
    void aProcessOfAnotherUserIsNotTheListener() {
        int own = (int) ProcessHandle.current().pid();
        int user = ownUser();
        assertEquals(Optional.of(own), HostProcess.listener(new Descriptors.Peer(own, user)));
        assertEquals(Optional.empty(), HostProcess.listener(new Descriptors.Peer(own, user + 1)));
        assertEquals(Optional.empty(), HostProcess.listener(new Descriptors.Peer(0, user)));
        assertEquals(Optional.empty(), HostProcess.listener(new Descriptors.Peer(Integer.MAX_VALUE, user)));
    }

    @Test
    void whoHoldsTheListeningSocketIsFound() throws IOException {
        Path socket = folder.resolve("held");
        int own = (int) ProcessHandle.current().pid();
        try (FakeQemu qemu = new FakeQemu(socket, FakeQemu.GREETING, (command, message) -> null)) {
            assertEquals(List.of(own), HostProcess.holders(new Descriptors.Peer(1, ownUser()), socket));
            assertEquals(List.of(own), HostProcess.holders(new Descriptors.Peer(1, 0), socket), "root gave it away");
            assertEquals(List.of(), HostProcess.holders(new Descriptors.Peer(1, 4_000_000), socket));
            assertTrue(qemu.commands().isEmpty());
        }
        assertEquals(List.of(), HostProcess.holders(new Descriptors.Peer(1, 0), folder.resolve("nobody's")));
    }

    private static int ownUser() {
        try {
            return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
