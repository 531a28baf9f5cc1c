package dev.guestcore.testing;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.node.ObjectNode;

/** A paused QEMU of 64 MiB that runs our long mode boot sector, for its own dump commands. */
public final class QemuGuest implements AutoCloseable {

    private static final ObjectMapper JSON = new ObjectMapper();

    private final Process process;
    private final SocketChannel monitor;
    private final StringBuilder pending = new StringBuilder();

    private QemuGuest(Process process, SocketChannel monitor) {
        this.process = process;
        this.monitor = monitor;
    }

    /** Starts the guest, lets it reach its end and pauses it. */
    public static QemuGuest start(Path folder) {
        ForeignTools.require("qemu-system-x86_64", "nasm");
        try {
            Path source = folder.resolve("longmode.asm");
            try (var resource = QemuGuest.class.getResourceAsStream("/guests/longmode.asm")) {
                Files.write(source, resource.readAllBytes());
            }
            Path sector = folder.resolve("longmode.bin");
            ForeignTools.output("nasm", "-f", "bin", "-o", sector.toString(), source.toString());
            Path socket = folder.resolve("qmp");
            Process process = new ProcessBuilder("qemu-system-x86_64", "-display", "none", "-nodefaults",
                    "-accel", "tcg", "-m", "64M", "-smp", "2", "-qmp",
                    "unix:" + socket + ",server=on,wait=off",
                    "-drive", "format=raw,file=" + sector)
                    .redirectErrorStream(true)
                    .redirectOutput(folder.resolve("qemu.log").toFile())
                    .start();
            QemuGuest guest = null;
            try {
                guest = new QemuGuest(process, connect(socket, process));
                guest.readLine();
                guest.execute("qmp_capabilities");
                guest.waitForHalt();
                guest.execute("stop");
                return guest;
            } catch (RuntimeException | Error | IOException e) {
                process.destroyForcibly();
                throw e;
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static SocketChannel connect(Path socket, Process process) throws IOException {
        for (int attempt = 0;; attempt++) {
            SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
            try {
                channel.connect(UnixDomainSocketAddress.of(socket));
                return channel;
            } catch (IOException e) {
                channel.close();
                if (attempt == 300 || !process.isAlive()) {
                    throw e;
                }
                pause(100);
            }
        }
    }

    private static void pause(long milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private void waitForHalt() {
        for (int attempt = 0; attempt < 600; attempt++) {
            if (monitor("xp/1wx 0x8000").contains("0x600d600d")) {
                return;
            }
            pause(100);
        }
        throw new IllegalStateException("the guest did not reach its end");
    }

    private String readLine() {
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        try {
            int end;
            while ((end = pending.indexOf("\n")) < 0) {
                buffer.clear();
                if (monitor.read(buffer) < 0) {
                    throw new IllegalStateException("QEMU has left");
                }
                pending.append(new String(buffer.array(), 0, buffer.position(), StandardCharsets.UTF_8));
            }
            String line = pending.substring(0, end);
            pending.delete(0, end + 1);
            return line;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Executes a command with pairs of names and values; gives its result. */
    public JsonNode execute(String command, Object... arguments) {
        ObjectNode request = JSON.createObjectNode();
        request.put("execute", command);
        ObjectNode values = request.putObject("arguments");
        for (int i = 0; i < arguments.length; i += 2) {
            values.set((String) arguments[i], JSON.valueToTree(arguments[i + 1]));
        }
        try {
            monitor.write(ByteBuffer.wrap((request + "\n").getBytes(StandardCharsets.UTF_8)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        while (true) {
            JsonNode answer = JSON.readTree(readLine());
            if (answer.has("return") || answer.has("error")) {
                assertTrue(answer.has("return"), answer::toString);
                return answer.get("return");
            }
        }
    }

    /** What a command of the human monitor prints. */
    public String monitor(String command) {
        return execute("human-monitor-command", "command-line", command).asString();
    }

    /** QEMU's own dump. */
    public Path dump(Path target, boolean paging, String format) {
        execute("dump-guest-memory", "paging", paging, "protocol", "file:" + target, "format", format);
        return target;
    }

    /** QEMU's copy of its RAM. */
    public Path memory(Path folder) {
        Path target = folder.resolve("memory.raw");
        execute("pmemsave", "val", 0, "size", 64 << 20, "filename", target.toString());
        return target;
    }

    /** What the monitor says of each vCPU. */
    public List<String> registers() {
        return List.of(
                execute("human-monitor-command", "command-line", "info registers", "cpu-index", 0).asString(),
                execute("human-monitor-command", "command-line", "info registers", "cpu-index", 1).asString());
    }

    @Override
    public void close() {
        try {
            monitor.close();
            process.destroy();
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
