package dev.guestcore.source.qemu;

import dev.guestcore.Finding;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * A small process of ours that outlives this one however it ends (kill -9, the OOM killer), and then undoes at QEMU's
 * monitor what this one did not come to: it lets a guest run on that we stopped, it ends a snapshot. It costs some
 * twenty milliseconds of processor time and starts while the guest still runs.
 *
 * <p>Without it a capture works all the same, but a killed one leaves its guest as it is; {@link #findings()} say why it
 * is missing. Thread-safe.
 */
final class Watchdog implements AutoCloseable {

    private static final Duration STARTING = Duration.ofSeconds(10);

    /** Options for whole virtual machines may bind ports or write files, which only one process can. */
    private static final List<String> OPTIONS_OF_OTHERS =
            List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS");

    private static final JsonMapper JSON = new JsonMapper();

    private final Path socket;
    private final CompletableFuture<Boolean> ready = new CompletableFuture<>();
    private final Set<Path> files = new LinkedHashSet<>();
    private Undo undo = Undo.NOTHING;
    private @Nullable Process process;
    private @Nullable String refusal;
    private boolean closed;

    /**
     * What is to be undone, in this order.
     *
     * @param snapshot how a snapshot of ours that may be under way is brought to its end: the fields that say so
     * @param commands of QMP, as one line of JSON each; one that QEMU refuses is repeated for some seconds
     * @param resume whether the guest was running and may stand still because of us
     */
    record Undo(List<String> snapshot, List<String> commands, boolean resume) {

        /** Nothing was done. */
        static final Undo NOTHING = new Undo(List.of(), List.of(), false);

        /** The guest was running, and is about to be stopped. */
        static final Undo RESUME = new Undo(List.of(), List.of(), true);

        /** Settings were changed, and these commands change them back. */
        static Undo settings(List<String> commands) {
            return new Undo(List.of(), List.copyOf(commands), false);
        }

        /**
         * The same, where a snapshot of ours may be under way.
         *
         * @param canBeCancelled whether that is a way to end it; else it is waited for
         * @param mayHoldGuest whether the guest may stand still because of it
         */
        Undo withSnapshot(boolean canBeCancelled, boolean mayHoldGuest) {
            return new Undo(
                    canBeCancelled
                            ? List.of(WatchdogProcess.CANCEL, WatchdogProcess.SETTLE)
                            : List.of(WatchdogProcess.SETTLE),
                    commands,
                    mayHoldGuest);
        }

        /** One command of QMP. */
        static String command(String name, Map<String, ?> arguments) {
            return JSON.writeValueAsString(Map.of("execute", name, "arguments", arguments));
        }
    }

    /** A watchdog for the guest behind a QMP socket; nothing runs before {@link #start()}. */
    Watchdog(Path socket) {
        this.socket = socket.toAbsolutePath();
    }

    /** Starts the process if it does not run yet; does not wait for it. */
    synchronized void start() {
        if (process != null || refusal != null || closed) {
            return;
        }
        if (System.getProperty(QemuSourceProvider.WATCHDOG_PROPERTY, "").equals("off")) {
            refusal = "the system property " + QemuSourceProvider.WATCHDOG_PROPERTY + " says so";
            return;
        }
        try {
            ProcessBuilder builder = new ProcessBuilder(command(socket));
            OPTIONS_OF_OTHERS.forEach(builder.environment()::remove);
            Process started = builder.directory(javaHome().toFile())
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            process = started;
            Thread.ofPlatform().daemon().name("guestcore-watchdog").start(() -> listen(started.getInputStream()));
        } catch (IOException | URISyntaxException | SecurityException e) {
            refusal = String.valueOf(e.getMessage());
        }
    }

    private void listen(InputStream output) {
        try (output) {
            ready.complete(output.read() == WatchdogProcess.READY);
        } catch (IOException e) {
            ready.complete(false);
        }
    }

    private static Path javaHome() {
        return Path.of(System.getProperty("java.home"));
    }

    private static List<String> command(Path socket) throws IOException, URISyntaxException {
        Path java = javaHome().resolve("bin").resolve("java");
        if (!Files.isExecutable(java)) {
            throw new IOException("there is no " + java);
        }
        List<String> command = new ArrayList<>();
        // Out of the terminal's reach, and out of that of a shell that kills its whole job.
        for (String program : List.of("/usr/bin/setsid", "/bin/setsid")) {
            if (command.isEmpty() && Files.isExecutable(Path.of(program))) {
                command.add(program);
            }
        }
        command.add(java.toString());
        command.addAll(List.of("-Xmx16m", "-Xss512k", "-XX:+UseSerialGC", "-Xint", "-XX:-UsePerfData", "-Xshare:auto"));
        // Whatever happens to it, it leaves no files.
        command.addAll(List.of("-XX:ErrorFile=/dev/null", "-XX:-CreateCoredumpOnCrash"));
        command.addAll(whereTheClassIs());
        command.add(socket.toString());
        return command;
    }

    /** The process needs this class of ours and nothing else: no module path, no dependency. */
    private static List<String> whereTheClassIs() throws IOException, URISyntaxException {
        CodeSource source = WatchdogProcess.class.getProtectionDomain().getCodeSource();
        if (source == null || source.getLocation() == null) {
            throw new IOException("the library does not know where it was loaded from");
        }
        URI location = source.getLocation().toURI();
        String name = WatchdogProcess.class.getName();
        return switch (location.getScheme()) {
            case "file" -> List.of("-cp", Path.of(location).toString(), name);
            // A runtime image that holds the library.
            case "jrt" -> List.of("-m", WatchdogProcess.class.getModule().getName() + "/" + name);
            default ->
                    throw new IOException("the library was loaded from " + location + ", which no other process can");
        };
    }

    /**
     * Waits until the process is there. Call it while the guest still runs.
     *
     * @return whether it is
     */
    boolean awaitReady() {
        start();
        Process started;
        synchronized (this) {
            started = process;
            if (started == null || refusal != null) {
                return false;
            }
        }
        String reason;
        try {
            if (ready.get(STARTING.toSeconds(), TimeUnit.SECONDS)) {
                return true;
            }
            reason = "it ended at once (exit code " + started.waitFor() + ")";
        } catch (TimeoutException e) {
            reason = "it was not ready within " + STARTING.toSeconds() + " s";
        } catch (ExecutionException e) {
            reason = String.valueOf(e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            reason = "waiting for it was interrupted";
        }
        lose(reason);
        return false;
    }

    /** What the user should know: that there is no watchdog, if there is none. */
    synchronized List<Finding> findings() {
        return refusal == null
                ? List.of()
                : List.of(Finding.note("nothing watches over this capture (" + refusal + "); if it is killed while the"
                        + " guest is frozen, type `cont` at QEMU's monitor"));
    }

    /** Notes what is to be undone from now on, in place of what was noted before; call it before it is done. */
    synchronized void arm(Undo next) {
        undo = next;
        tell();
    }

    /** What would be undone now. */
    synchronized Undo undo() {
        return undo;
    }

    /** Notes that there is nothing to undo any more; call it when that is certain. */
    void disarm() {
        arm(Undo.NOTHING);
    }

    /** Notes a file or a folder that is to be deleted, after all that was noted before it. */
    synchronized void guard(Path file) {
        files.add(file.toAbsolutePath());
        tell();
    }

    /** Notes that a file is deleted already. */
    synchronized void release(Path file) {
        files.remove(file.toAbsolutePath());
        tell();
    }

    private void tell() {
        Process started = process;
        if (started == null || refusal != null || closed) {
            return;
        }
        List<String> fields = new ArrayList<>(undo.snapshot());
        fields.addAll(undo.commands());
        if (undo.resume()) {
            fields.add(WatchdogProcess.RESUME);
        }
        // The last one noted lies in one noted before.
        for (Path file : List.copyOf(files).reversed()) {
            if (file.toString().chars().noneMatch(Character::isISOControl)) {
                fields.add(WatchdogProcess.DELETE + file);
            }
        }
        try {
            started.getOutputStream().write((String.join("\t", fields) + "\n").getBytes(StandardCharsets.UTF_8));
            started.getOutputStream().flush();
        } catch (IOException e) {
            lose("it was lost (" + e.getMessage() + ")");
        }
    }

    private synchronized void lose(String reason) {
        refusal = reason;
        if (process != null) {
            process.destroyForcibly();
        }
    }

    /** Lets the process go. What is still noted it undoes now. */
    @Override
    public synchronized void close() {
        closed = true;
        if (process != null) {
            try {
                process.getOutputStream().close();
            } catch (IOException e) {
                refusal = String.valueOf(e.getMessage());
            }
        }
    }
}
