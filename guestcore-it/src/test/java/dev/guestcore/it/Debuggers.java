package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.serve.gdb.GdbListener;
import dev.guestcore.serve.gdb.GdbServer;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;

/** Runs the debuggers that are installed. */
public final class Debuggers {

    private static final int PATIENCE_SECONDS = 90;

    private Debuggers() {}

    /** Serves a guest to one client, which {@code client} starts for a port; gives what that gives. */
    static String serve(Guest guest, IntFunction<String> client) {
        return serve(new GdbServer(guest), client);
    }

    /** The same of a server that may know more of the guest. */
    static String serve(GdbServer server, IntFunction<String> client) {
        GdbListener listener = GdbListener.onLoopback(0);
        try {
            CompletableFuture<Boolean> served =
                    CompletableFuture.supplyAsync(() -> listener.serveFirst(server));
            String shown = client.apply(((InetSocketAddress) listener.address()).getPort());
            assertTrue(served.orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).join(), "the client came and left");
            return shown;
        } finally {
            listener.close();
        }
    }

    /** What gdb prints for some commands. */
    static String gdb(Path folder, String target, String... lines) {
        String gdb = Tools.require("gdb").toString();
        List<String> command = new ArrayList<>(List.of(gdb, "-nx", "-q", "-batch", "-ex", "target remote " + target));
        for (String line : lines) {
            command.addAll(List.of("-ex", line));
        }
        return run(folder, command);
    }

    /** What the gdb of all processors prints, which is told the byte order first. */
    static String gdbMultiarch(Path folder, String order, String target, String... lines) {
        String gdb = Tools.require("gdb-multiarch").toString();
        List<String> command = new ArrayList<>(List.of(
                gdb, "-nx", "-q", "-batch", "-ex", "set endian " + order, "-ex", "target remote " + target));
        for (String line : lines) {
            command.addAll(List.of("-ex", line));
        }
        return run(folder, command);
    }

    /** What gdb prints for some commands about a core of a program. */
    public static String gdb(Path folder, Path program, Path core, String... lines) {
        String gdb = Tools.require("gdb").toString();
        List<String> command = new ArrayList<>(List.of(gdb, "-nx", "-q", "-batch", "-ex", "set style enabled off"));
        for (String line : lines) {
            command.addAll(List.of("-ex", line));
        }
        command.addAll(List.of(program.toString(), core.toString()));
        return run(folder, command);
    }

    /** What lldb prints for some commands; it ends at the first that fails. */
    static String lldb(Path folder, String target, String... lines) {
        String lldb = Tools.require("lldb").toString();
        List<String> command = new ArrayList<>(List.of(lldb, "--no-lldbinit", "-b", "-o", "gdb-remote " + target));
        for (String line : lines) {
            command.addAll(List.of("-o", line));
        }
        return run(folder, command);
    }

    private static String run(Path folder, List<String> command) {
        try {
            Path shown = folder.resolve("shown");
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(shown.toFile())
                    .redirectInput(new File("/dev/null"))
                    .start();
            boolean ended = process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS);
            process.destroyForcibly();
            String text = Files.readString(shown, StandardCharsets.ISO_8859_1);
            assertTrue(ended, () -> "the debugger hangs: " + text);
            return text;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError(e);
        }
    }
}
