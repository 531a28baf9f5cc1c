package dev.guestcore.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What whole commands cost on ever larger dumps: the clock, processor time, the most memory the process had (VmHWM of
 * Linux: heap, code, tables, buffers, and pages of files that are mapped) and what was alive on the heap (the most that any
 * garbage collection left, or all that was used where there was none).
 *
 * <p>Arguments: folder for the files, largest size in GiB, most ranges, Guestcore's program.
 */
public final class Scaling {

    private static final String LINE = "| %-12s | %-9s | %9s | %9s | %9s | %9s |%n";
    private static final long MIB = 1 << 20;
    private static final int PAGE = 4096;
    private static final int PROGRAM_HEADER = 56;
    private static final int SECTION_HEADER = 64;
    private static final long POLL_MILLISECONDS = 2;
    private static final double TICKS_PER_SECOND = 100;
    private static final Pattern COLLECTED = Pattern.compile("->(\\d+)M\\(");
    private static final Pattern USED = Pattern.compile("total \\d+K, used (\\d+)K");

    private final Path folder;
    private final String guestcore;

    private Scaling(Path folder, String guestcore) {
        this.folder = folder;
        this.guestcore = guestcore;
    }

    /** Runs all sizes. */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        Path folder = Files.createTempDirectory(Path.of(arguments[0]), "guestcore-bench");
        try {
            Scaling scaling = new Scaling(folder, arguments[3]);
            heading("size");
            for (long mebibytes = 256; mebibytes <= Long.parseLong(arguments[1]) * 1024; mebibytes *= 4) {
                Path raw = folder.resolve("guest.raw");
                sparseMemory(raw, mebibytes * MIB);
                Path elf = folder.resolve("guest.elf");
                String size = mebibytes < 1024 ? mebibytes + " MiB" : mebibytes / 1024 + " GiB";
                scaling.measure(size, "convert", "convert", "raw:" + raw, "-o", elf + "", "--to", "elf");
                Files.delete(raw);
                scaling.readers(size, elf);
                Files.delete(elf);
            }
            heading("ranges");
            for (int ranges = 1; ranges <= Integer.parseInt(arguments[2]); ranges *= 10) {
                Path elf = folder.resolve("guest.elf");
                manyRanges(elf, ranges);
                Path copy = folder.resolve("copy.elf");
                String count = String.format(Locale.ROOT, "%,d", ranges);
                scaling.measure(count, "convert", "convert", elf + "", "-o", copy + "", "--to", "elf");
                scaling.readers(count, elf);
                Files.delete(elf);
                Files.delete(copy);
            }
        } finally {
            try (Stream<Path> tree = Files.walk(folder)) {
                for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(path);
                }
            }
        }
    }

    private static void heading(String what) {
        System.out.println();
        System.out.printf(LINE, what, "command", "clock", "CPU", "RSS", "heap");
        System.out.printf("|%s|%s|%s:|%s:|%s:|%s:|%n", "-".repeat(14), "-".repeat(11), "-".repeat(10), "-".repeat(10),
                "-".repeat(10), "-".repeat(10));
    }

    private void readers(String size, Path dump) throws IOException, InterruptedException {
        measure(size, "info", "info", dump + "");
        measure(size, "verify", "verify", dump + "");
        measure(size, "search", "search", dump + "", TestGuest.NEEDLE);
        measure(size, "map", "map", dump + "");
    }

    private void measure(String size, String name, String... arguments) throws IOException, InterruptedException {
        Path log = folder.resolve("heap.log");
        ProcessBuilder builder = new ProcessBuilder(
                Stream.concat(Stream.of(guestcore), Stream.of(arguments)).toList());
        builder.environment().put("GUESTCORE_JAVA_OPTIONS", "-Xlog:gc,gc+exit:file=" + log);
        builder.redirectOutput(ProcessBuilder.Redirect.DISCARD);
        builder.redirectError(folder.resolve("errors").toFile());
        long begin = System.nanoTime();
        Process process = builder.start();
        process.getOutputStream().close();
        long resident = 0;
        double cpu = 0;
        while (!process.waitFor(Duration.ofMillis(POLL_MILLISECONDS))) {
            resident = Math.max(resident, highWater(process.pid()));
            cpu = Math.max(cpu, processorSeconds(process.pid()));
        }
        double seconds = (System.nanoTime() - begin) / 1e9;
        // A search that finds nothing says so by its exit code.
        if (process.exitValue() > (name.equals("search") ? 1 : 0)) {
            throw new IOException(
                    String.join(" ", arguments) + " failed: " + Files.readString(folder.resolve("errors")));
        }
        System.out.printf(Locale.ROOT, LINE, size, name, seconds(seconds), seconds(cpu), resident / 1024 + " MiB",
                heap(Files.readAllLines(log)) + " MiB");
        Files.delete(log);
    }

    private static String seconds(double value) {
        return String.format(Locale.ROOT, "%.2f s", value);
    }

    private static long highWater(long process) {
        try (Stream<String> lines = Files.lines(Path.of("/proc", Long.toString(process), "status"))) {
            return lines.filter(line -> line.startsWith("VmHWM:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                    .findFirst()
                    .orElse(0);
        } catch (IOException | UncheckedIOException e) {
            // It has ended just now.
            return 0;
        }
    }

    /** Fields 14 and 15 of proc_pid_stat(5), in ticks. */
    private static double processorSeconds(long process) {
        try {
            String line = Files.readString(Path.of("/proc", Long.toString(process), "stat"));
            String[] fields = line.substring(line.lastIndexOf(')') + 2).split(" ");
            return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / TICKS_PER_SECOND;
        } catch (IOException e) {
            return 0;
        }
    }

    private static long heap(List<String> log) {
        long alive = -1;
        long used = 0;
        for (String line : log) {
            Matcher collected = COLLECTED.matcher(line);
            if (line.contains("Pause") && collected.find()) {
                alive = Math.max(alive, Long.parseLong(collected.group(1)));
            }
            Matcher atEnd = USED.matcher(line);
            if (atEnd.find()) {
                used += Long.parseLong(atEnd.group(1));
            }
        }
        return alive >= 0 ? alive : used / 1024;
    }

    /** A MiB of random bytes in each 64. */
    private static void sparseMemory(Path file, long size) throws IOException {
        Random random = new Random(1);
        byte[] bytes = new byte[(int) MIB];
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            for (long at = 0; at < size; at += 64 * MIB) {
                random.nextBytes(bytes);
                channel.write(ByteBuffer.wrap(bytes), at);
            }
            channel.write(ByteBuffer.allocate(1), size - 1);
        }
    }

    /** An ELF core of that many ranges of a page, with a page between two; the layout is that of elf(5). */
    private static void manyRanges(Path file, int ranges) throws IOException {
        boolean many = ranges >= 0xffff;
        long headers = 64;
        long sections = headers + (long) ranges * PROGRAM_HEADER;
        long data = (sections + SECTION_HEADER + PAGE - 1) / PAGE * PAGE;
        ByteBuffer head = ByteBuffer.allocate((int) (sections + SECTION_HEADER)).order(ByteOrder.LITTLE_ENDIAN);
        head.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1}).position(16);
        head.putShort((short) 4).putShort((short) 62).putInt(1).putLong(0).putLong(headers);
        head.putLong(many ? sections : 0).putInt(0).putShort((short) headers).putShort((short) PROGRAM_HEADER);
        head.putShort((short) (many ? 0xffff : ranges)).putShort((short) (many ? SECTION_HEADER : 0));
        head.putShort((short) (many ? 1 : 0)).putShort((short) 0);
        for (long i = 0; i < ranges; i++) {
            long address = 2 * i * PAGE;
            head.putInt(1).putInt(7).putLong(data + i * PAGE).putLong(0).putLong(address);
            head.putLong(PAGE).putLong(PAGE).putLong(0);
        }
        if (many) {
            // The first section header says how many program headers there are.
            head.position((int) sections + 44);
            head.putInt(ranges);
        }
        head.rewind();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            while (head.hasRemaining()) {
                channel.write(head);
            }
            channel.write(ByteBuffer.allocate(1), data + (long) ranges * PAGE - 1);
        }
    }

    /** The command lines that a run would measure, for the test. */
    static List<Path> made(Path folder) throws IOException {
        List<Path> files = new ArrayList<>(List.of(folder.resolve("sparse.raw"), folder.resolve("ranges.elf")));
        sparseMemory(files.get(0), 128 * MIB);
        manyRanges(files.get(1), 70_000);
        return files;
    }
}
