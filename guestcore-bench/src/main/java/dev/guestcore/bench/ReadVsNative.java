package dev.guestcore.bench;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Reads, opens, searches and writes dumps by turns with Guestcore and with the native tools: libkdumpfile, grep,
 * makedumpfile. Each pass opens the dump anew and reads every page once; files lie in the page cache.
 *
 * <p>Arguments: rounds, folder for the files, the program built of {@code kdumpfile-reader.c}, the java command for
 * workers up to their class path in one string each, "--", MiB of memory of the test guest, then the {@link Part}s to
 * run, or none for all. Instead of a size a dump may be named, of which kdumps are written.
 */
public final class ReadVsNative {

    private static final int PAGE = 4096;
    private static final int CHUNK = 1 << 16;
    private static final int MOST_RANGES = 4000;
    private static final double NO_TARGET = 0;

    /** Apart from chance. */
    private static final double AS_FAST = 0.95;

    private static final List<String> CODECS = List.of("none", "zlib", "lzo", "snappy", "zstd");

    /** makedumpfile's switch for each codec that Debian's has. */
    private static final Map<String, String> MAKEDUMPFILE = Map.of("none", "", "zlib", "-c", "lzo", "-l");

    /** What can be asked for alone. */
    private enum Part {
        READ,
        FLATTENED,
        SEARCH,
        WRITE
    }

    private final Set<Part> parts;
    private final int rounds;
    private final Path folder;
    private final LineProcess kdumpfile;
    private final List<String> worker;
    private final List<AddressRange> ranges;
    private final Results results;

    private ReadVsNative(
            Set<Part> parts, int rounds, Path folder, LineProcess kdumpfile, List<String> worker,
            List<AddressRange> ranges) {
        this.parts = parts;
        this.rounds = rounds;
        this.folder = folder;
        this.kdumpfile = kdumpfile;
        this.worker = worker;
        this.ranges = ranges;
        this.results =
                new Results(ranges.stream().mapToLong(AddressRange::size).sum());
    }

    /** Runs the comparison. */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        List<String> all = List.of(arguments);
        int end = all.indexOf("--");
        int rounds = Integer.parseInt(all.get(0));
        Path folder = Files.createTempDirectory(Path.of(all.get(1)), "guestcore-bench");
        try (LineProcess kdumpfile = new LineProcess(List.of(all.get(2)))) {
            load("at the start");
            String what = all.get(end + 1);
            Set<Part> parts = EnumSet.noneOf(Part.class);
            all.subList(end + 2, all.size()).forEach(part -> parts.add(Part.valueOf(part.toUpperCase(Locale.ROOT))));
            boolean made = what.chars().allMatch(Character::isDigit);
            if (!made) {
                parts.clear();
                parts.add(Part.WRITE);
            } else if (parts.isEmpty()) {
                parts.addAll(EnumSet.allOf(Part.class));
            }
            Path memory = folder.resolve("memory");
            String guest = made ? make(folder, memory, Integer.parseInt(what)) : what;
            System.out.printf("medians of %d rounds after one that does not count%n", rounds);
            new ReadVsNative(parts, rounds, folder, kdumpfile, all.subList(3, end), rangesOf(guest)).all(guest, memory);
            load("at the end");
        } finally {
            try (Stream<Path> tree = Files.walk(folder)) {
                for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(path);
                }
            }
        }
    }

    private static String make(Path folder, Path memory, int mebibytes) throws IOException {
        TestGuest.writeMemory(memory, mebibytes);
        TestGuest.describe(folder.resolve("guest.json"), memory, mebibytes);
        System.out.printf("guest of %d MiB, half of its pages zero%n", mebibytes);
        return "file:" + folder.resolve("guest.json");
    }

    private static void load(String when) throws IOException {
        System.out.printf(
                "%s: %d processors, load average %s%n",
                when,
                Runtime.getRuntime().availableProcessors(),
                Files.readString(Path.of("/proc/loadavg")).strip());
    }

    /** Memory that can be read. */
    private static List<AddressRange> rangesOf(String location) {
        List<AddressRange> found = new ArrayList<>();
        try (Guest guest = Guests.open(location)) {
            for (MemoryRegion region : guest.memory().regions()) {
                long at = region.range().first();
                long left = region.hasContent() ? region.range().size() / PAGE * PAGE : 0;
                while (left > 0) {
                    PageRun run = guest.memory().runAt(at);
                    long size = Math.min(left, run.range().last() - at + 1);
                    if (run.state() == PageState.PRESENT || run.state() == PageState.ZERO) {
                        int last = found.size() - 1;
                        AddressRange range = AddressRange.ofSize(at, size);
                        if (last >= 0 && found.get(last).isFollowedBy(range)) {
                            found.set(last, new AddressRange(found.get(last).first(), range.last()));
                        } else {
                            found.add(range);
                        }
                    }
                    at += size;
                    left -= size;
                }
            }
        }
        return found.stream()
                .sorted(Comparator.comparingLong(AddressRange::size).reversed())
                .limit(MOST_RANGES)
                .sorted(Comparator.comparingLong(AddressRange::first))
                .toList();
    }

    private void all(String guest, Path memory) throws IOException, InterruptedException {
        Path elf = written(guest, "elf", Map.of());
        if (parts.contains(Part.READ)) {
            readAll(guest, elf);
        }
        if (parts.contains(Part.FLATTENED)) {
            flattened(elf);
        }
        if (parts.contains(Part.SEARCH)) {
            search(memory);
        }
        if (parts.contains(Part.WRITE)) {
            write(elf);
        }
    }

    private void readAll(String guest, Path elf) throws IOException {
        results.heading("reading every page once", "guestcore", "libkdumpfile");
        read("elf", elf, 1, NO_TARGET);
        Path vmCore = written(guest, "vbox", Map.of("analyst-notes", "true"));
        read("VMCore", vmCore, 1, NO_TARGET);
        Files.delete(vmCore);
        Path dumpCore = written(guest, "xen", Map.of());
        read("dump-core", dumpCore, 1, NO_TARGET);
        Files.delete(dumpCore);
        for (String codec : CODECS) {
            Path file = written(guest, "kdump", Map.of("compression", codec));
            read("kdump " + codec, file, 1.5, 1.7);
            Files.delete(file);
        }
    }

    private Path written(String source, String format, Map<String, String> options) {
        Path file = folder.resolve(format + String.join("", options.values()));
        try (Guest guest = Guests.open(source)) {
            Guests.format(format).writer(options).write(guest, file, Progress.none());
        }
        return file;
    }

    /** One format: both readers, page by page and in larger pieces; two threads; opening. */
    private void read(String name, Path dump, double target, double scalingTarget) {
        String listed = ranges.stream()
                .map(range -> range.first() + " " + range.size())
                .collect(Collectors.joining(" "));
        kdumpfile.ask("open " + dump);
        long expected = kdumpfile.pass("read " + CHUNK + " full " + listed).checksum();
        try (Guest guest = Guests.open(dump)) {
            requireSame(expected, Pass.full(guest.memory(), ranges, CHUNK).checksum(), dump);
        }
        for (int chunk : List.of(PAGE, CHUNK)) {
            List<Pass> ours = new ArrayList<>();
            List<Pass> theirs = new ArrayList<>();
            for (int round = 0; round <= rounds; round++) {
                Pass our = touch(dump, chunk, 1);
                kdumpfile.ask("open " + dump);
                Pass their = kdumpfile.pass("read " + chunk + " touch " + listed);
                requireSame(their.checksum(), our.checksum(), dump);
                if (round > 0) {
                    ours.add(our);
                    theirs.add(their);
                }
            }
            results.rates(name + ", by " + chunk / 1024 + " KiB", ours, theirs, target, true);
        }
        List<Pass> alone = new ArrayList<>();
        List<Pass> two = new ArrayList<>();
        for (int round = 0; round <= rounds; round++) {
            Pass first = touch(dump, CHUNK, 1);
            Pass both = touch(dump, CHUNK, 2);
            requireSame(first.checksum(), both.checksum(), dump);
            if (round > 0) {
                alone.add(first);
                two.add(both);
            }
        }
        results.rates(name + ", 2 threads : 1 thread", two, alone, scalingTarget, false);
        open(name, dump);
    }

    private void open(String name, Path dump) {
        List<Long> ours = new ArrayList<>();
        List<Long> theirs = new ArrayList<>();
        for (int round = 0; round < 3 * rounds; round++) {
            long begin = System.nanoTime();
            Guest guest = Guests.open(dump);
            ours.add(System.nanoTime() - begin);
            guest.close();
            theirs.add(kdumpfile.ask("open " + dump)[0]);
        }
        results.times(name + ", opening", ours, theirs, 10);
    }

    /** What makedumpfile wrote into a pipe, beside what it wrote into a file. */
    private void flattened(Path elf) throws IOException, InterruptedException {
        results.heading("read by guestcore", "flattened", "assembled");
        for (String kind : List.of("-E", "-l")) {
            Path assembled = folder.resolve("assembled");
            Path flat = folder.resolve("flat");
            Shell.run(List.of("makedumpfile", kind, "-d", "0", elf.toString(), assembled.toString()), null);
            Shell.run(List.of("makedumpfile", "-F", kind, "-d", "0", elf.toString()), flat);
            List<Pass> left = new ArrayList<>();
            List<Pass> right = new ArrayList<>();
            for (int round = 0; round <= rounds; round++) {
                Pass one = touch(flat, CHUNK, 1);
                Pass other = touch(assembled, CHUNK, 1);
                requireSame(other.checksum(), one.checksum(), flat);
                if (round > 0) {
                    left.add(one);
                    right.add(other);
                }
            }
            String name = kind.equals("-E") ? "elf" : "kdump lzo";
            results.rates(name + " of makedumpfile", left, right, AS_FAST, true);
            List<Long> times = new ArrayList<>();
            for (int round = 0; round < 3 * rounds; round++) {
                long begin = System.nanoTime();
                Guest guest = Guests.open(flat);
                times.add(System.nanoTime() - begin);
                guest.close();
            }
            results.times(name + ", flattened, opening", times, List.of(), 10);
            Files.delete(assembled);
            Files.delete(flat);
        }
    }

    private void search(Path memory) throws IOException, InterruptedException {
        results.heading("searching " + TestGuest.NEEDLE.substring(0, 16) + "...", "guestcore", "grep -c -F");
        for (boolean pinned : List.of(true, false)) {
            try (LineProcess process = new LineProcess(worker(pinned))) {
                List<Pass> ours = new ArrayList<>();
                List<Pass> theirs = new ArrayList<>();
                for (int round = 0; round <= rounds; round++) {
                    Pass our = process.pass("search raw:" + memory + " " + TestGuest.NEEDLE);
                    Shell.Outcome grep =
                            Shell.run(List.of("grep", "-c", "-F", TestGuest.NEEDLE, memory.toString()), null);
                    requireSame(Long.parseLong(grep.output().strip()), our.checksum(), memory);
                    if (round > 0) {
                        ours.add(our);
                        theirs.add(grep.pass());
                    }
                }
                results.rates(
                        "a raw image, " + (pinned ? "one processor" : "all processors"), ours, theirs, 0.8, pinned);
            }
        }
    }

    private void write(Path elf) throws IOException, InterruptedException {
        results.heading("writing a kdump", "guestcore", "makedumpfile");
        for (boolean pinned : List.of(true, false)) {
            for (String codec : CODECS) {
                try (LineProcess process = new LineProcess(worker(pinned))) {
                    write(elf, codec, pinned, process);
                }
            }
        }
    }

    private void write(Path elf, String codec, boolean pinned, LineProcess process)
            throws IOException, InterruptedException {
        Path target = folder.resolve("written");
        String option = MAKEDUMPFILE.get(codec);
        List<Pass> ours = new ArrayList<>();
        List<Pass> theirs = new ArrayList<>();
        for (int round = 0; round <= rounds; round++) {
            Pass our = process.pass("write " + elf + " " + target + " " + codec);
            if (round > 0) {
                ours.add(our);
            }
            if (option != null) {
                // -d 1 keeps zero pages once, as Guestcore does; -d 0 would compress each.
                Pass their = Shell.run(
                        Stream.of("makedumpfile", option, "-d", "1", elf.toString(), target.toString())
                                .filter(word -> !word.isEmpty())
                                .toList(),
                        null)
                        .pass();
                Files.delete(target);
                if (round > 0) {
                    theirs.add(their);
                }
            }
        }
        String name = codec + ", " + (pinned ? "one processor" : "all processors");
        if (option == null) {
            results.rate(name, ours, "not in Debian's");
        } else {
            results.rates(name, ours, theirs, 1, pinned);
        }
    }

    private List<String> worker(boolean pinned) {
        List<String> command = new ArrayList<>();
        if (pinned) {
            command.addAll(List.of("taskset", "-c", "0"));
        }
        command.addAll(worker);
        command.add(Worker.class.getName());
        return command;
    }

    private Pass touch(Path dump, int chunk, int threads) {
        try (Guest guest = Guests.open(dump)) {
            return Pass.touch(guest, ranges, chunk, threads);
        }
    }

    private static void requireSame(long expected, long found, Path file) {
        if (expected != found) {
            throw new IllegalStateException(
                    file + ": the native tool found " + expected + ", Guestcore found " + found);
        }
    }
}
