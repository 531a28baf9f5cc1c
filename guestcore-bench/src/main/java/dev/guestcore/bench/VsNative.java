package dev.guestcore.bench;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Whole commands of Guestcore beside the native tools, by turns: capture, convert, search, verify, open. The start of the
 * JVM counts, and so does the flush to the disk that Guestcore makes before a file gets its name; the table says which
 * native tool was given a flush of its own.
 *
 * <p>Arguments: rounds, folder for the files, Guestcore's program, {@code --made MiB} or a dump, "--", then the java
 * command for a worker up to its class path.
 */
public final class VsNative {

    private static final double NO_TARGET = 0;
    private static final double NOT_SLOWER_BY_A_QUARTER = 0.8;
    private static final String CP_AND_SYNC = "cp \"$1\" \"$2\" \"$3\" && sync \"$3\"";

    private final int rounds;
    private final Path folder;
    private final String guestcore;
    private final List<String> worker;
    private final Results results;

    private VsNative(int rounds, Path folder, String guestcore, List<String> worker, long memoryBytes) {
        this.rounds = rounds;
        this.folder = folder;
        this.guestcore = guestcore;
        this.worker = worker;
        this.results = new Results(memoryBytes);
    }

    /** Runs the comparison. */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        int rounds = Integer.parseInt(arguments[0]);
        Path folder = Files.createTempDirectory(Path.of(arguments[1]), "guestcore-bench");
        String guestcore = arguments[2];
        List<String> all = List.of(arguments);
        List<String> worker = new ArrayList<>(all.subList(all.indexOf("--") + 1, all.size()));
        worker.add(Worker.class.getName());
        try {
            System.out.printf(
                    "%d processors, load average %s, files in %s; medians of %d rounds after one that does not count%n",
                    Runtime.getRuntime().availableProcessors(),
                    Files.readString(Path.of("/proc/loadavg")).strip(),
                    Files.getFileStore(folder).type(),
                    rounds);
            if (arguments[3].equals("--made")) {
                int mebibytes = Integer.parseInt(arguments[4]);
                of(rounds, folder, guestcore, worker, made(folder, "half", mebibytes, TestGuest.HALF_ZERO),
                        "half zero");
                of(rounds, folder, guestcore, worker, made(folder, "mostly", mebibytes, TestGuest.MOSTLY_ZERO),
                        "mostly zero");
            } else {
                of(rounds, folder, guestcore, worker, arguments[3], arguments[3]);
            }
            System.out.println();
            System.out
                    .println("Beside QEMU's dump-guest-memory: guestcore-bench/capture-vs-qemu. Beside libkdumpfile and"
                            + " makedumpfile, codec by codec: guestcore-bench/read-vs-native.");
        } finally {
            try (Stream<Path> tree = Files.walk(folder)) {
                for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(path);
                }
            }
        }
    }

    private static String made(Path folder, String name, int mebibytes, int kinds) throws IOException {
        Path memory = folder.resolve(name + ".memory");
        TestGuest.writeMemory(memory, mebibytes, kinds);
        TestGuest.describe(folder.resolve(name + ".json"), memory, mebibytes);
        return "file:" + folder.resolve(name + ".json");
    }

    private static void of(
            int rounds, Path folder, String guestcore, List<String> worker, String source, String title)
            throws IOException, InterruptedException {
        long bytes = 0;
        try (Guest guest = Guests.open(source)) {
            for (MemoryRegion region : guest.memory().regions()) {
                bytes += region.hasContent() ? region.range().size() : 0;
            }
        }
        new VsNative(rounds, folder, guestcore, worker, bytes).all(source, title);
    }

    private void all(String source, String title) throws IOException, InterruptedException {
        results.heading("copying, " + title, "guestcore", "cp");
        Path vbox = stored(source, "vbox", Map.of("analyst-notes", "true"));
        copy("vbox to elf", vbox, "elf");
        copy("vbox to raw", vbox, "raw");
        Path elf = stored(source, "elf", Map.of());
        copy("capture to elf", elf, source, "capture", "elf");
        Path xen = stored(source, "xen", Map.of());
        copy("xen to vbox", xen, "vbox");
        Files.delete(xen);
        Files.delete(vbox);
        Path raw = stored(source, "raw", Map.of());

        results.heading("looking through, " + title, "guestcore", "native");
        String text = TestGuest.NEEDLE;
        pair("search : grep -c -F, raw", foundOrNot(program("search", "raw:" + raw, text)),
                foundOrNot(List.of("grep", "-c", "-F", text, raw + "")), NOT_SLOWER_BY_A_QUARTER);
        pair("verify : sha256sum, elf", program("verify", elf + ""), List.of("sha256sum", elf + ""), NO_TARGET);
        pair("info --scan : sha256sum, elf", program("info", "--scan", elf + ""), List.of("sha256sum", elf + ""),
                NO_TARGET);
        pair("diff : cmp, raw", program("diff", "raw:" + raw, "raw:" + raw + "@0"),
                List.of("cmp", raw + "", copyOf(raw)),
                NO_TARGET);

        results.heading("making smaller, " + title, "guestcore", "native");
        Path out = folder.resolve("out.kdump");
        for (String[] codec : new String[][] {{"lzo", "-l"}, {"zlib", "-c"}}) {
            pair("elf to kdump " + codec[0] + " : makedumpfile",
                    program("convert", elf + "", "-o", out + "", "--force", "--to", "kdump", "--compression", codec[0]),
                    List.of("makedumpfile", codec[1], "-d", "1", elf + "", out + ""), NO_TARGET);
        }
        pair("elf to kdump zstd : zstd -1 -T0",
                program("convert", elf + "", "-o", out + "", "--force", "--to", "kdump", "--compression", "zstd"),
                List.of("zstd", "-q", "-f", "-1", "-T0", elf + "", "-o", out + ""), NO_TARGET);

        results.heading("opening, " + title, "guestcore", "native");
        List<Pass> ours = new ArrayList<>();
        List<Pass> theirs = new ArrayList<>();
        byTurns(program("info", elf + ""), List.of("readelf", "-ln", elf + ""), out, ours, theirs);
        results.times("info : readelf -ln", clock(ours), clock(theirs), 150);
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.filter(file -> !file.toString().contains(".json")
                    && !file.toString().endsWith(".memory"))
                    .toList()) {
                Files.delete(file);
            }
        }
    }

    private static List<Long> clock(List<Pass> passes) {
        return passes.stream().map(Pass::nanoseconds).toList();
    }

    private String copyOf(Path raw) throws IOException, InterruptedException {
        Path copy = folder.resolve("copy.raw");
        Shell.run(List.of("cp", "--sparse=never", raw + "", copy + ""), null);
        return copy.toString();
    }

    /** A dump with its zeros written out, so that nobody can skip them. */
    private Path stored(String source, String format, Map<String, String> options)
            throws IOException, InterruptedException {
        Path sparse = folder.resolve("sparse." + format);
        Path file = folder.resolve("stored." + format);
        try (Guest guest = Guests.open(source)) {
            Guests.format(format).writer(options).write(guest, sparse, Progress.none());
        }
        Shell.run(List.of("cp", "--sparse=never", sparse + "", file + ""), null);
        Files.delete(sparse);
        Files.deleteIfExists(Path.of(sparse + ".map.json"));
        return file;
    }

    private void copy(String what, Path from, String format) throws IOException, InterruptedException {
        copy(what, from, from.toString(), "convert", format);
    }

    private void copy(String what, Path like, String source, String verb, String format)
            throws IOException, InterruptedException {
        Path out = folder.resolve("out");
        List<String> ours = program(verb, source, "-o", out + "", "--force", "--to", format);
        pair(what + " : cp --sparse=always, sync", ours,
                List.of("bash", "-c", CP_AND_SYNC, "cp", "--sparse=always", like + "", out + ""),
                NOT_SLOWER_BY_A_QUARTER);
        pair(what + " : cp --sparse=always", ours, List.of("cp", "--sparse=always", like + "", out + ""), NO_TARGET);
        if (verb.equals("convert")) {
            warm(what, source, format, List.of("cp", "--sparse=always", like + "", out + ""));
        }
        pair(what + " : cp --sparse=never, sync", ours,
                List.of("bash", "-c", CP_AND_SYNC, "cp", "--sparse=never", like + "", out + ""), NO_TARGET);
    }

    /** The same as a call of the library, in a JVM that has done it before: what is left without the start. */
    private void warm(String what, String source, String format, List<String> cp)
            throws IOException, InterruptedException {
        List<Pass> ours = new ArrayList<>();
        List<Pass> theirs = new ArrayList<>();
        Path out = folder.resolve("out");
        Files.deleteIfExists(out);
        try (LineProcess process = new LineProcess(worker)) {
            for (int round = 0; round <= rounds; round++) {
                add(round, process.pass("convert " + source + " " + out + " " + format), ours);
                add(round, run(cp, out), theirs);
                Files.delete(out);
            }
        }
        results.rates(what + ", warm : cp --sparse=always", ours, theirs, NO_TARGET, false);
    }

    private List<String> program(String... arguments) {
        return Stream.concat(Stream.of(guestcore), Stream.of(arguments)).toList();
    }

    /** Both end with 1 where there is nothing to find, as in a dump that somebody brought. */
    private static List<String> foundOrNot(List<String> search) {
        return Stream.concat(Stream.of("bash", "-c", "\"$@\" || [ $? -eq 1 ]", "bash"), search.stream()).toList();
    }

    /** One row; the output of each program is thrown away. */
    private void pair(String what, List<String> our, List<String> their, double target)
            throws IOException, InterruptedException {
        List<Pass> ours = new ArrayList<>();
        List<Pass> theirs = new ArrayList<>();
        Path out =
                folder.resolve(our.contains("-o") ? Path.of(our.get(our.indexOf("-o") + 1)).getFileName() + "" : "out");
        if (byTurns(our, their, out, ours, theirs)) {
            results.rates(what, ours, theirs, target, false);
        } else {
            results.rate(what, ours, "not installed");
        }
    }

    private boolean byTurns(List<String> our, List<String> their, Path out, List<Pass> ours, List<Pass> theirs)
            throws IOException, InterruptedException {
        boolean installed = isInstalled(their.getFirst());
        for (int round = 0; round <= rounds; round++) {
            add(round, run(our, out), ours);
            if (installed) {
                add(round, run(their, out), theirs);
            }
        }
        return installed;
    }

    private static void add(int round, Pass pass, List<Pass> passes) {
        if (round > 0) {
            passes.add(pass);
        }
    }

    /** Each run makes its files anew. */
    private static Pass run(List<String> program, @Nullable Path out) throws IOException, InterruptedException {
        if (out != null) {
            Files.deleteIfExists(out);
            Files.deleteIfExists(Path.of(out + ".map.json"));
        }
        return Shell.run(program, null).pass();
    }

    private static boolean isInstalled(String program) {
        return Stream.of(System.getenv("PATH").split(":"))
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
    }
}
