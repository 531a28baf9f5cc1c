package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.error.CancelledException;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.file.Locations;
import dev.guestcore.internal.text.Names;
import dev.guestcore.linux.KernelLog;
import dev.guestcore.linux.LinuxException;
import dev.guestcore.linux.LogEntry;
import dev.guestcore.linux.LogGap;
import dev.guestcore.linux.LogRecord;
import dev.guestcore.linux.Trouble;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code guestcore log}. */
@Command(
        name = "log",
        aliases = "dmesg",
        description = {
            "Show the log of a Linux kernel, as dmesg does.",
            "",
            "Only the guest's memory is needed. Times are seconds since the guest was started."
        },
        footer = {
            "",
            "Examples:",
            "  guestcore log vm.core",
            "  guestcore log vm.core --level err",
            "  guestcore log vm.core --crash",
            "  guestcore log qemu:/run/vm.qmp --follow"
        })
final class LogVerb extends LinuxVerb {

    private static final long USUAL_PAUSE = 1000;
    private static final long SHORTEST_PAUSE = 100;

    @Option(
            names = "--level",
            paramLabel = "<level>",
            completionCandidates = Levels.class,
            description = "Only records at least as urgent as this: ${COMPLETION-CANDIDATES}.")
    @Nullable
    String level;

    @Option(
            names = "--crash",
            description = "Only from the last trouble on: a panic, an oops, a BUG, a hung task, a stall, memory that ran out. "
                    + "Exit code 1 if there was none.")
    boolean crash;

    @Option(
            names = {"-x", "--decode"},
            description = "Show the facility and level of each record as words, and the thread or CPU that wrote it.")
    boolean decode;

    @Option(
            names = "--follow",
            description = "Go on with what a live guest logs, until Ctrl-C. The guest is read every --every milliseconds.")
    boolean follow;

    @Option(
            names = "--every",
            paramLabel = "<milliseconds>",
            description = "How often --follow reads. Default: " + USUAL_PAUSE + ".")
    @Nullable
    Long every;

    private int mostLevel = LogRecord.levelNames().size() - 1;

    /** Names of levels for the shells. */
    static final class Levels implements Iterable<String> {

        @Override
        public Iterator<String> iterator() {
            return LogRecord.levelNames().iterator();
        }
    }

    LogVerb(Console console) {
        super(console);
    }

    @Override
    void check() {
        if (level != null) {
            mostLevel = LogRecord.levelNames().indexOf(level);
            if (mostLevel < 0) {
                throw usage("--level: " + Choices.unknown(level, LogRecord.levelNames()));
            }
        }
        if (every != null && every < SHORTEST_PAUSE) {
            throw usage("--every: expected at least " + SHORTEST_PAUSE + " milliseconds, found " + every);
        }
        if (every != null && !follow) {
            throw usage("--every goes with --follow");
        }
        if (crash && follow) {
            throw usage("choose one of --crash and --follow");
        }
    }

    @Override
    public Integer call() throws Exception {
        if (!follow) {
            return super.call();
        }
        check();
        return streaming(() -> new FollowedLog(this, every == null ? USUAL_PAUSE : every).follow());
    }

    /** The log, also of a guest in which only VMCOREINFO tells of the kernel. */
    KernelLog log(Guest guest) {
        LinuxException noSymbols;
        try {
            return linux(guest).log();
        } catch (LinuxException e) {
            noSymbols = e;
        }
        try (ShownProgress shown = progress(progress.mode)) {
            return KernelLog.byVmcoreInfo(guest, shown);
        } catch (CancelledException e) {
            throw e;
        } catch (GuestcoreException e) {
            // The second way is one more chance; why the first failed is what the user can do something about.
            throw noSymbols;
        }
    }

    @Override
    int show(Guest guest) {
        KernelLog log = log(guest);
        long first = 0;
        if (crash) {
            Optional<Trouble> trouble = log.lastTrouble();
            if (trouble.isEmpty()) {
                remark("guestcore: " + Printable.location(source)
                        + ": the log tells of no crash; without --crash all of it is shown");
                return ExitCode.FAILED;
            }
            first = trouble.get().begin().sequence();
        }
        long from = first;
        Predicate<LogEntry> wanted = entry -> entry instanceof LogRecord record
                ? Long.compareUnsigned(record.sequence(), from) >= 0 && isWanted(record)
                : from == 0;
        long[] damaged = {0};
        Stream<LogEntry> shown = log.stream().filter(wanted).peek(entry -> damaged[0] += damage(entry));
        if (json) {
            printJson(document(shown));
        } else {
            shown.forEach(this::print);
        }
        if (damaged[0] == 0) {
            return ExitCode.DONE;
        }
        remark("guestcore: " + Printable.location(source)
                + ": the log is damaged, or was copied while the kernel wrote it: "
                + Text.counted(damaged[0], "record") + " cannot be read whole");
        return ExitCode.DAMAGED;
    }

    /** How many records of an entry are not what the kernel wrote. */
    private static long damage(LogEntry entry) {
        return switch (entry) {
            case LogRecord record -> record.state() == LogRecord.State.TEXT_MISSING ? 1 : 0;
            case LogGap gap -> gap.damage() ? gap.count() : 0;
        };
    }

    /** Whether it is urgent enough. */
    boolean isWanted(LogRecord record) {
        return record.level() <= mostLevel;
    }

    private Map<String, Object> document(Stream<LogEntry> entries) {
        List<Map<String, Object>> missing = new ArrayList<>();
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("source", Locations.printable(source));
        // The gaps are known when the records have been written.
        document.put("records", (Iterable<Object>) () -> entries.flatMap(entry -> switch (entry) {
            case LogRecord record -> {
                if (!missing.isEmpty()) {
                    missing.getLast().putIfAbsent("before", record.sequence());
                }
                yield Stream.<Object>of(json(record));
            }
            case LogGap gap -> {
                missing.add(json(gap));
                yield Stream.empty();
            }
        })
                .iterator());
        document.put("missing", missing);
        return document;
    }

    /** A record for programs. */
    static Map<String, Object> json(LogRecord record) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("sequence", record.sequence());
        json.put("nanoseconds", record.nanoseconds());
        json.put("facility", record.facility());
        json.put("level", record.level());
        record.caller().ifPresent(caller -> json.put("caller", caller));
        record.device().ifPresent(device -> json.put("device", device));
        json.put("text", record.text());
        if (record.state() != LogRecord.State.COMPLETE) {
            json.put("state", Names.of(record.state()));
        }
        return json;
    }

    /** An entry for programs that read line by line. */
    static Map<String, Object> line(LogEntry entry) {
        return switch (entry) {
            case LogRecord record -> Map.of("record", json(record));
            case LogGap gap -> Map.of("missing", json(gap));
        };
    }

    private static Map<String, Object> json(LogGap gap) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("count", gap.count());
        json.put("reason", gap.reason());
        return json;
    }

    /** Prints an entry for people. */
    void print(LogEntry entry) {
        Style style = console().style();
        switch (entry) {
            case LogRecord record -> print(record, style);
            case LogGap gap ->
                    print(style.faint("[" + Text.counted(gap.count(), "record") + ": " + gap.reason() + "]"));
        }
    }

    private void print(LogRecord record, Style style) {
        String time = time(record.nanoseconds());
        String front = decode
                ? "%-8s:%-6s: ".formatted(record.facilityName(), record.levelName())
                : "";
        String caller = decode ? record.caller().map(who -> "%7s: ".formatted(who)).orElse("") : "";
        String indent = " ".repeat(front.length() + time.length() + 1 + caller.length());
        boolean isFirst = true;
        for (String line : record.lines()) {
            String text = painted(Printable.of(line.replace("\t", "        ")), record.level(), style);
            print(isFirst ? style.faint(front + time) + " " + style.faint(caller) + text : indent + text);
            isFirst = false;
        }
        if (record.state() == LogRecord.State.TEXT_MISSING) {
            print(indent + style.faint("[the text, or the rest of it, is missing]"));
        }
    }

    /** As dmesg shows it. */
    private static String time(long nanoseconds) {
        long microseconds = Long.divideUnsigned(nanoseconds, 1000);
        return "[%5d.%06d]".formatted(microseconds / 1_000_000, microseconds % 1_000_000);
    }

    private static String painted(String text, int level, Style style) {
        return switch (level) {
            case 0, 1, 2, 3 -> style.bad(text);
            case 4 -> style.odd(text);
            case 7 -> style.faint(text);
            default -> text;
        };
    }
}
