package dev.guestcore.fuzz;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** The runs so far, a line each, and their sums as a table. */
final class RunTable {

    private RunTable() {}

    static void append(Path file, String line) throws IOException {
        Files.writeString(file, line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    /** What all runs of a target come to: times and executions add up, of coverage and corpus the most counts. */
    static String markdown(Path file) throws IOException {
        Map<String, long[]> sums = new TreeMap<>();
        long[] total = new long[5];
        for (String line : Files.readAllLines(file)) {
            String[] fields = line.split("\t");
            long[] sum = sums.computeIfAbsent(fields[0], name -> new long[5]);
            sum[0] += Long.parseLong(fields[1]);
            sum[1] += Long.parseLong(fields[2]);
            for (int i = 2; i < sum.length; i++) {
                sum[i] = Math.max(sum[i], Long.parseLong(fields[i + 1]));
            }
            total[0] += Long.parseLong(fields[1]);
            total[1] += Long.parseLong(fields[2]);
        }
        StringBuilder text = new StringBuilder(
                "| target | seconds | executions | a second | edges | features | corpus |\n"
                        + "|---|---:|---:|---:|---:|---:|---:|\n");
        sums.forEach((name, sum) -> text.append(String.format(
                Locale.ROOT,
                "| `%s` | %,d | %,d | %,d | %,d | %,d | %,d |%n",
                name, sum[0], sum[1], sum[1] / Math.max(1, sum[0]), sum[2], sum[3], sum[4])));
        text.append(String.format(
                Locale.ROOT,
                "| all | %,d | %,d | %,d | | | |%n",
                total[0], total[1], total[1] / Math.max(1, total[0])));
        return text.toString();
    }
}
