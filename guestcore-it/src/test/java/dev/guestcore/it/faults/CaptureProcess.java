package dev.guestcore.it.faults;

import dev.guestcore.FreezeMethod;
import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.open.Guests;
import dev.guestcore.source.FreezeRequest;
import dev.guestcore.source.GuestSource;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Another JVM with a live guest in its hands. Closing kills it. */
final class CaptureProcess implements AutoCloseable {

    private static final String WATCHDOG = "dev.guestcore.source.qemu.WatchdogProcess";

    private final Process process;

    private CaptureProcess(Process process) {
        this.process = process;
    }

    /**
     * Starts one, and returns when it has begun with its task.
     *
     * @param prefix a program that starts it, with its options
     * @param options of the virtual machine
     * @param task "hold" the guest frozen, "close" it and stay, or capture it to a file again and again by the way of that
     *     name
     */
    static CaptureProcess start(List<String> prefix, List<String> options, String task, String location, Path file)
            throws IOException {
        List<String> command = new ArrayList<>(prefix);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"));
        command.addAll(options);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), CaptureProcess.class.getName()));
        command.addAll(List.of(task, location, file.toString()));
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        InputStream output = process.getInputStream();
        if (output.read() != 'F') {
            process.destroyForcibly();
            throw new IOException("the process did not begin");
        }
        return new CaptureProcess(process);
    }

    /** The process. */
    Process process() {
        return process;
    }

    /** Kills it as the kernel does when memory is short, and returns when it is gone. */
    void kill() throws InterruptedException {
        process.destroyForcibly();
        process.waitFor();
    }

    /** Its watchdogs. */
    List<ProcessHandle> watchdogs() {
        return process.descendants().filter(CaptureProcess::isWatchdog).toList();
    }

    private static boolean isWatchdog(ProcessHandle handle) {
        try {
            return Files.readString(Path.of("/proc", Long.toString(handle.pid()), "cmdline")).contains(WATCHDOG);
        } catch (IOException e) {
            return false;
        }
    }

    /** All watchdogs that look after a socket, whoever started them. */
    static List<ProcessHandle> watchdogsOf(Path socket) {
        try (Stream<ProcessHandle> all = ProcessHandle.allProcesses()) {
            return all.filter(CaptureProcess::isWatchdog)
                    .filter(handle -> {
                        try {
                            return Files.readString(Path.of("/proc", Long.toString(handle.pid()), "cmdline"))
                                    .contains(socket.toString());
                        } catch (IOException e) {
                            return false;
                        }
                    })
                    .toList();
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }

    /** The other side. */
    public static void main(String[] arguments) throws Exception {
        Path file = Path.of(arguments[2]);
        try (GuestSource source = Guests.source(arguments[1])) {
            Optional<FreezeMethod> method = Stream.of(FreezeMethod.values())
                    .filter(one -> one.label().equals(arguments[0]))
                    .findFirst();
            if (method.isPresent()) {
                // Every step is told, so that the test can kill in the middle of one however slow the machine is.
                Progress steps = new Steps();
                FreezeRequest request = FreezeRequest.only(method.get())
                        .withFolder(file.getParent())
                        .withProgress(steps)
                        .withListener(choice -> step());
                step();
                while (true) {
                    try (Guest guest = source.freeze(request)) {
                        Guests.format("raw").writer(Map.of()).write(guest, file, steps);
                    }
                    Files.delete(file);
                    Files.delete(file.resolveSibling(file.getFileName() + ".map.json"));
                }
            }
            Guest guest = source.freeze();
            if (arguments[0].equals("close")) {
                for (AutoCloseable held : List.of(guest, source)) {
                    held.close();
                }
            }
            step();
            TimeUnit.MINUTES.sleep(1);
        }
    }

    private static void step() {
        System.out.write('F');
        System.out.flush();
    }

    private static final class Steps implements Progress {

        @Override
        public void begin(String phase, long total) {
            step();
        }

        @Override
        public void advance(long amount) {
            step();
        }
    }
}
