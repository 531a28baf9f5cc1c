package dev.guestcore.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Captures one running QEMU guest by turns with Guestcore, to a VMCore, and with QEMU's own {@code dump-guest-memory},
 * to an ELF core. For how long the guest stood still is told by QEMU itself in both cases: from its event STOP to its
 * event RESUME, heard on a third connection. The guest's memory is a file, part random bytes, part zeros.
 *
 * <p>Arguments: MiB of guest memory, rounds, percent of the memory that is not zero, folder for the files, the program
 * {@code guestcore}.
 */
public final class CaptureVsQemu {

    private static final int MEBIBYTE = 1 << 20;

    private CaptureVsQemu() {}

    /** What one capture cost. */
    private record Cost(double frozenMilliseconds, double totalMilliseconds, long fileBytes) {}

    /** Runs the comparison. */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        int mebibytes = Integer.parseInt(arguments[0]);
        int rounds = Integer.parseInt(arguments[1]);
        int filledPercent = Integer.parseInt(arguments[2]);
        Path folder = Files.createTempDirectory(Path.of(arguments[3]), "guestcore-bench");
        Process qemu = null;
        try {
            Path memory = folder.resolve("memory");
            fill(memory, mebibytes, filledPercent);
            qemu = start(folder, memory, mebibytes);
            try (Monitor monitor = Monitor.connect(folder.resolve("bench.qmp"))) {
                // The BIOS takes a moment to look for something to boot; after that the guest waits.
                TimeUnit.SECONDS.sleep(3);
                compare(folder, monitor, mebibytes, rounds, filledPercent, arguments[4]);
            }
        } finally {
            if (qemu != null) {
                qemu.destroyForcibly().waitFor();
            }
            try (Stream<Path> tree = Files.walk(folder)) {
                for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(path);
                }
            }
        }
    }

    private static void fill(Path file, int mebibytes, int filledPercent) throws IOException {
        Random random = new Random(1);
        byte[] bytes = new byte[MEBIBYTE];
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            for (int i = 0; i < mebibytes; i++) {
                // Spread over the whole, as a guest would.
                boolean filled = (long) (i + 1) * filledPercent / 100 > (long) i * filledPercent / 100;
                if (filled) {
                    random.nextBytes(bytes);
                    channel.write(ByteBuffer.wrap(bytes), (long) i * MEBIBYTE);
                }
            }
            channel.write(ByteBuffer.allocate(1), (long) mebibytes * MEBIBYTE - 1);
        }
    }

    private static Process start(Path folder, Path memory, int mebibytes) throws IOException, InterruptedException {
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
                        "pc,memory-backend=guest",
                        "-object",
                        "memory-backend-file,id=guest,share=on,mem-path=" + memory + ",size=" + mebibytes + "M",
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

    private static void compare(
            Path folder, Monitor monitor, int mebibytes, int rounds, int filledPercent, String program)
            throws IOException {
        System.out.printf(
                "guest of %d MiB, %d %% not zero; %d rounds after one that does not count%n",
                mebibytes, filledPercent, rounds);
        System.out.printf("%-6s %16s %12s %16s %12s%n", "", "guestcore", "", "qemu", "");
        System.out.printf("%-6s %16s %12s %16s %12s%n", "round", "frozen", "total", "frozen", "total");
        List<Cost> ours = new ArrayList<>();
        List<Cost> theirs = new ArrayList<>();
        for (int round = 0; round <= rounds; round++) {
            Cost our = measure(folder, monitor, file -> run(program, "qemu:" + folder.resolve("guestcore.qmp"), file));
            Cost their = measure(
                    folder,
                    monitor,
                    file -> monitor.execute(
                            "dump-guest-memory", "{\"paging\": false, \"protocol\": \"file:" + file + "\"}"));
            System.out.printf(
                    "%-6s %13.1f ms %9.1f ms %13.1f ms %9.1f ms%n",
                    round == 0 ? "(0)" : Integer.toString(round),
                    our.frozenMilliseconds(),
                    our.totalMilliseconds(),
                    their.frozenMilliseconds(),
                    their.totalMilliseconds());
            if (round > 0) {
                ours.add(our);
                theirs.add(their);
            }
        }
        double ourFrozen = median(ours, Comparator.comparingDouble(Cost::frozenMilliseconds)).frozenMilliseconds();
        double ourTotal = median(ours, Comparator.comparingDouble(Cost::totalMilliseconds)).totalMilliseconds();
        double theirFrozen = median(theirs, Comparator.comparingDouble(Cost::frozenMilliseconds)).frozenMilliseconds();
        double theirTotal = median(theirs, Comparator.comparingDouble(Cost::totalMilliseconds)).totalMilliseconds();
        System.out.printf(
                "%-6s %13.1f ms %9.1f ms %13.1f ms %9.1f ms%n", "median", ourFrozen, ourTotal, theirFrozen, theirTotal);
        System.out.printf("file   %16s %12s %16s%n", ours.getFirst().fileBytes(), "", theirs.getFirst().fileBytes());
        System.out.printf(
                "ratio guestcore/qemu: frozen %.2f, total %.2f%n", ourFrozen / theirFrozen, ourTotal / theirTotal);
    }

    /** The whole command, with the start of its JVM, as a user types it. */
    private static void run(String program, String source, Path file) throws IOException {
        Process command = new ProcessBuilder(program, "capture", source, "-o", file.toString(), "--to", "vbox")
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

    private static Cost median(List<Cost> costs, Comparator<Cost> order) {
        return costs.stream().sorted(order).toList().get(costs.size() / 2);
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

        void execute(String command, String arguments) {
            try {
                channel.write(ByteBuffer.wrap(("{\"execute\": \"" + command + "\", \"arguments\": " + arguments + "}\n")
                        .getBytes(StandardCharsets.UTF_8)));
                while (true) {
                    String line = lines.readLine();
                    if (line == null || line.contains("\"error\"")) {
                        throw new IOException(command + ": " + line);
                    }
                    if (line.contains("\"return\"")) {
                        return;
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
