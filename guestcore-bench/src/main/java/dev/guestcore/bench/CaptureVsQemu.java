package dev.guestcore.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Captures running QEMU guests by turns with Guestcore, in each of its ways, to a VMCore, and with QEMU's own {@code
 * dump-guest-memory}, to an ELF core, and {@code migrate} of a background snapshot, to a migration stream. For how long the guest stood still is told by QEMU itself in all cases: from its event
 * STOP to its event RESUME, heard on a third connection. The guests are boot sectors that fill a part of their memory with
 * random numbers, and then halt (idle) or go on writing to every page of it (busy).
 *
 * <p>Arguments: rounds, percent of the memory that is not zero, folder for the files, the program {@code guestcore}, the
 * boot sector's source, sizes of guests in MiB.
 */
public final class CaptureVsQemu {

    private static final List<String> WAYS = List.of("snapshot", "buffer", "direct");
    private static final String NATIVE = "`dump-guest-memory`";
    private static final String MIGRATE = "`migrate`, snapshot";

    private CaptureVsQemu() {}

    /** What one capture cost. */
    private record Cost(double frozenMilliseconds, double totalMilliseconds, long fileBytes) {}

    /** Runs the comparison. */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        int rounds = Integer.parseInt(arguments[0]);
        int filledPercent = Integer.parseInt(arguments[1]);
        Path folder = Files.createTempDirectory(Path.of(arguments[2]), "guestcore-bench");
        try {
            System.out.printf(
                    "%d %% of memory not zero; medians of %d rounds after one that does not count%n%n",
                    filledPercent, rounds);
            System.out
                    .println("| guest | way | frozen | range | times shorter than QEMU | done | QEMU : done | file |");
            System.out.println("|---|---|---:|---|---:|---:|---:|---:|");
            for (String size : List.of(arguments).subList(5, arguments.length)) {
                for (boolean busy : new boolean[] {false, true}) {
                    int mebibytes = Integer.parseInt(size);
                    Path image = assemble(folder, Path.of(arguments[4]), mebibytes, filledPercent, busy);
                    guest(folder, image, mebibytes, rounds, busy, arguments[3]);
                }
            }
        } finally {
            try (Stream<Path> tree = Files.walk(folder)) {
                for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(path);
                }
            }
        }
    }

    private static Path assemble(Path folder, Path source, int mebibytes, int filledPercent, boolean busy)
            throws IOException, InterruptedException {
        Path image = folder.resolve("guest.img");
        Process nasm = new ProcessBuilder(
                "nasm",
                "-f",
                "bin",
                "-DMEBIBYTES=" + mebibytes,
                "-DPERCENT=" + filledPercent,
                "-DBUSY=" + (busy ? 1 : 0),
                "-o",
                image.toString(),
                source.toString())
                .inheritIO()
                .start();
        if (nasm.waitFor() != 0) {
            throw new IOException("nasm failed");
        }
        return image;
    }

    private static void guest(Path folder, Path image, int mebibytes, int rounds, boolean busy, String program)
            throws IOException, InterruptedException {
        Process qemu = start(folder, image, mebibytes);
        try (Monitor monitor = Monitor.connect(folder.resolve("bench.qmp"))) {
            for (int i = 0; !monitor.text("xp /1wx 0x7000").contains("0x00000001"); i++) {
                if (i == 600) {
                    throw new IOException("the guest does not fill its memory");
                }
                TimeUnit.MILLISECONDS.sleep(100);
            }
            String title = (mebibytes % 1024 == 0 ? mebibytes / 1024 + " GiB" : mebibytes + " MiB")
                    + (busy ? ", busy" : ", idle");
            compare(folder, monitor, title, rounds, program);
        } finally {
            qemu.destroyForcibly().waitFor();
            Files.deleteIfExists(folder.resolve("bench.qmp"));
            Files.deleteIfExists(folder.resolve("guestcore.qmp"));
        }
    }

    private static Process start(Path folder, Path image, int mebibytes) throws IOException, InterruptedException {
        Process qemu = new ProcessBuilder(List.of(
                "qemu-system-x86_64",
                "-display",
                "none",
                "-nodefaults",
                "-accel",
                "tcg",
                "-smp",
                "2",
                "-m",
                mebibytes + "M",
                "-machine",
                "pc,max-ram-below-4g=2G",
                "-drive",
                "file=" + image + ",format=raw,if=ide,snapshot=on",
                "-qmp",
                "unix:" + folder.resolve("guestcore.qmp") + ",server,nowait",
                "-qmp",
                "unix:" + folder.resolve("bench.qmp") + ",server,nowait"))
                .inheritIO()
                .start();
        for (int i = 0; !Files.exists(folder.resolve("bench.qmp")); i++) {
            if (i == 200 || !qemu.isAlive()) {
                qemu.destroyForcibly();
                throw new IOException("QEMU did not start");
            }
            TimeUnit.MILLISECONDS.sleep(50);
        }
        return qemu;
    }

    private static void compare(Path folder, Monitor monitor, String title, int rounds, String program)
            throws IOException {
        Map<String, List<Cost>> costs = new LinkedHashMap<>();
        for (int round = 0; round <= rounds; round++) {
            for (String way : WAYS) {
                Cost cost = measure(
                        folder, monitor, file -> run(program, way, "qemu:" + folder.resolve("guestcore.qmp"), file));
                if (round > 0) {
                    costs.computeIfAbsent(way, key -> new ArrayList<>()).add(cost);
                }
            }
            Cost dumped = measure(
                    folder,
                    monitor,
                    file -> monitor.execute(
                            "dump-guest-memory", "{\"paging\": false, \"protocol\": \"file:" + file + "\"}"));
            Cost migrated = measure(folder, monitor, file -> migrate(monitor, file));
            if (round > 0) {
                costs.computeIfAbsent(NATIVE, key -> new ArrayList<>()).add(dumped);
                costs.computeIfAbsent(MIGRATE, key -> new ArrayList<>()).add(migrated);
            }
        }
        Cost natives = median(costs.getOrDefault(NATIVE, List.of()));
        costs.forEach((way, found) -> {
            Cost cost = median(found);
            System.out.printf(
                    "| %s | %s | %.1f ms | %.1f to %.1f | %s | %.0f ms | %s | %d MiB |%n",
                    title,
                    way,
                    cost.frozenMilliseconds(),
                    found.stream().mapToDouble(Cost::frozenMilliseconds).min().orElse(0),
                    found.stream().mapToDouble(Cost::frozenMilliseconds).max().orElse(0),
                    way.equals(NATIVE)
                            ? ""
                            : "%.1f".formatted(natives.frozenMilliseconds() / cost.frozenMilliseconds()),
                    cost.totalMilliseconds(),
                    way.equals(NATIVE) ? "" : "%.2f".formatted(natives.totalMilliseconds() / cost.totalMilliseconds()),
                    cost.fileBytes() >> 20);
        });
    }

    /** Of each figure by itself. */
    private static Cost median(List<Cost> costs) {
        return new Cost(
                costs.stream().mapToDouble(Cost::frozenMilliseconds).sorted().skip(costs.size() / 2).findFirst()
                        .orElse(0),
                costs.stream().mapToDouble(Cost::totalMilliseconds).sorted().skip(costs.size() / 2).findFirst()
                        .orElse(0),
                costs.getLast().fileBytes());
    }

    /** The whole command, with the start of its JVM, as a user types it. */
    private static void run(String program, String way, String source, Path file) throws IOException {
        Process command = new ProcessBuilder(
                program, "capture", source, "-o", file.toString(), "--to", "vbox", "--freeze", way)
                .redirectErrorStream(true)
                .start();
        String output = new String(command.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (command.waitFor() != 0) {
                throw new IOException(program + " capture failed: " + output);
            }
        } catch (InterruptedException e) {
            command.destroy();
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    /** What a snapshot of ours is made of, if QEMU writes it to a file itself. */
    private static void migrate(Monitor monitor, Path file) throws IOException {
        setSnapshot(monitor, true);
        monitor.execute("migrate-set-parameters", "{\"max-bandwidth\": " + (1L << 40) + "}");
        monitor.execute("migrate", "{\"uri\": \"exec:cat > " + file + "\"}");
        try {
            for (String state = ""; !state.contains("\"completed\""); state = monitor.execute("query-migrate", "{}")) {
                if (state.contains("\"failed\"") || state.contains("\"cancelled\"")) {
                    throw new IOException("migrate: " + state);
                }
                TimeUnit.MILLISECONDS.sleep(2);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
        setSnapshot(monitor, false);
    }

    private static void setSnapshot(Monitor monitor, boolean on) {
        monitor.execute(
                "migrate-set-capabilities",
                "{\"capabilities\": [{\"capability\": \"background-snapshot\", \"state\": " + on + "}]}");
    }

    private interface Capture {
        void to(Path file) throws IOException;
    }

    private static Cost measure(Path folder, Monitor monitor, Capture capture) throws IOException {
        Path file = folder.resolve("core");
        long begin = System.nanoTime();
        capture.to(file);
        double total = (System.nanoTime() - begin) / 1e6;
        // Any reply comes after the events that came before it.
        monitor.execute("query-status", "{}");
        long bytes = Files.size(file);
        Files.delete(file);
        return new Cost(monitor.frozenMilliseconds(), total, bytes);
    }

    /** A connection that sees QEMU's events. */
    private static final class Monitor implements AutoCloseable {

        private final SocketChannel channel;
        private final BufferedReader lines;
        private final Map<String, Long> microseconds = new HashMap<>();

        private Monitor(SocketChannel channel) {
            this.channel = channel;
            this.lines = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
        }

        static Monitor connect(Path socket) throws IOException {
            SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
            channel.connect(UnixDomainSocketAddress.of(socket));
            Monitor monitor = new Monitor(channel);
            monitor.lines.readLine();
            monitor.execute("qmp_capabilities", "{}");
            return monitor;
        }

        String text(String commandLine) {
            return execute("human-monitor-command", "{\"command-line\": \"" + commandLine + "\"}");
        }

        String execute(String command, String arguments) {
            try {
                channel.write(ByteBuffer.wrap(("{\"execute\": \"" + command + "\", \"arguments\": " + arguments + "}\n")
                        .getBytes(StandardCharsets.UTF_8)));
                while (true) {
                    String line = lines.readLine();
                    if (line == null || line.contains("\"error\"")) {
                        throw new IOException(command + ": " + line);
                    }
                    if (line.contains("\"return\"")) {
                        return line;
                    }
                    remember(line);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        private void remember(String event) {
            for (String name : List.of("STOP", "RESUME")) {
                if (event.contains("\"" + name + "\"")) {
                    microseconds.put(name, number(event, "seconds") * 1_000_000 + number(event, "microseconds"));
                }
            }
        }

        private static long number(String event, String field) {
            String rest = event.substring(event.indexOf("\"" + field + "\":") + field.length() + 3).strip();
            return Long.parseLong(rest.split("[^0-9]", 2)[0]);
        }

        double frozenMilliseconds() {
            return (microseconds.get("RESUME") - microseconds.get("STOP")) / 1e3;
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }
}
