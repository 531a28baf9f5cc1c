package dev.guestcore.bench;

import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.ToLongFunction;

/** Prints the table, a line as soon as it is known. Ratios above 1 are in favour of the left side. */
final class Results {

    private static final String LINE = "| %-34s | %14s | %14s | %6s | %6s | %8s | %4s |%n";

    private final long memoryBytes;

    /** A table of rates, for so much memory. */
    Results(long memoryBytes) {
        this.memoryBytes = memoryBytes;
    }

    /** Begins a part of the table. */
    void heading(String what, String left, String right) {
        System.out.println();
        System.out.printf(LINE, what, left, right, "ratio", "CPU", "target", "met");
        System.out.printf("|%s|%s:|%s:|%s:|%s:|%s:|:%s:|%n",
                "-".repeat(36), "-".repeat(15), "-".repeat(15), "-".repeat(7), "-".repeat(7), "-".repeat(9),
                "-".repeat(4));
    }

    /**
     * Compares rates of the medians.
     *
     * @param target least ratio that is wanted, 0 where there is none
     * @param perCore whether the target is about processor time rather than the clock
     */
    void rates(String what, List<Pass> left, List<Pass> right, double target, boolean perCore) {
        double ratio = (double) median(right, Pass::nanoseconds) / median(left, Pass::nanoseconds);
        double cpuRatio = (double) median(right, Pass::cpuNanoseconds) / median(left, Pass::cpuNanoseconds);
        System.out.printf(
                Locale.ROOT,
                LINE,
                what,
                rate(left),
                rate(right),
                number(ratio),
                number(cpuRatio),
                target == 0 ? "" : ">= " + number(target),
                target == 0 ? "" : (perCore ? cpuRatio : ratio) >= target ? "yes" : "no");
    }

    /** A rate with nothing to compare it with. */
    void rate(String what, List<Pass> left, String why) {
        System.out.printf(LINE, what, rate(left), why, "", "", "", "");
    }

    /** Compares times of which one has a limit. */
    void times(String what, List<Long> left, List<Long> right, double limitMilliseconds) {
        double milliseconds = median(left, time -> time) / 1e6;
        System.out.printf(
                Locale.ROOT,
                LINE,
                what,
                number(milliseconds) + " ms",
                right.isEmpty() ? "" : number(median(right, time -> time) / 1e6) + " ms",
                right.isEmpty() ? "" : number(median(right, time -> time) / 1e6 / milliseconds),
                "",
                "< " + number(limitMilliseconds) + " ms",
                milliseconds < limitMilliseconds ? "yes" : "no");
    }

    private String rate(List<Pass> passes) {
        return number((double) memoryBytes / median(passes, Pass::nanoseconds)) + " GB/s";
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value);
    }

    private static <T> long median(List<T> values, ToLongFunction<T> key) {
        return key.applyAsLong(
                values.stream().sorted(Comparator.comparingLong(key)).toList().get(values.size() / 2));
    }
}
