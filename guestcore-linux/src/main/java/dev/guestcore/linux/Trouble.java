package dev.guestcore.linux;

import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A report of trouble in the kernel's log: of one report all lines that follow each other closely. Lines that programs wrote into
 * the log do not count. How the kernel begins such lines: oops and die (arch/x86/kernel/dumpstack.c, arch/x86/mm/fault.c,
 * arch/arm64/mm/fault.c), BUG (lib/bug.c), panic (kernel/panic.c), watchdogs (kernel/watchdog.c, kernel/hung_task.c,
 * kernel/rcu/tree_stall.h), memory gone (mm/oom_kill.c) of Linux.
 *
 * @param kind the worst that the report tells
 * @param begin the record with which it begins
 * @param headline the record that says what happened
 */
public record Trouble(Kind kind, LogRecord begin, LogRecord headline) {

    /** What lies between the lines of one report at most. */
    private static final long SAME_REPORT = TimeUnit.SECONDS.toNanos(2);

    private static final int KERNEL = 0;

    /** Kinds of trouble, the worst first. */
    public enum Kind {
        /** The kernel stopped itself. */
        PANIC("panic", "Kernel panic - not syncing|sysrq: Trigger a crash"),
        /** A fault or a failed assertion in the kernel. */
        OOPS("oops", "BUG: unable to handle|BUG: kernel NULL pointer|kernel BUG at |Oops|Unable to handle kernel "
                + "|general protection fault|Internal error: |divide error: |invalid opcode: |stack segment: |double fault: "),
        /** A CPU no longer took interrupts. */
        HARD_LOCKUP("hard lockup", "Watchdog detected hard LOCKUP"),
        /** A CPU ran kernel code for long without scheduling. */
        SOFT_LOCKUP("soft lockup", "BUG: soft lockup"),
        /** A CPU did not let RCU go on. */
        STALL("RCU stall", "rcu: INFO: .* detected .*stall"),
        /** A task waited for long without being woken by signals. */
        HUNG_TASK("hung task", "INFO: task .* blocked for more than "),
        /** There was no memory left, and a process was killed. */
        OUT_OF_MEMORY("out of memory", ".* invoked oom-killer: "),
        /** The kernel found something wrong in itself, and went on. */
        BUG("bug", "BUG: ");

        private final String label;
        private final Pattern pattern;

        Kind(String label, String pattern) {
            this.label = label;
            this.pattern = Pattern.compile(pattern);
        }

        /** As the user reads it. */
        public String label() {
            return label;
        }

        private static Optional<Kind> of(LogRecord record) {
            if (record.facility() == KERNEL) {
                for (Kind kind : values()) {
                    if (kind.pattern.matcher(record.text()).find()) {
                        return Optional.of(kind);
                    }
                }
            }
            return Optional.empty();
        }
    }

    /** Checks for null. */
    public Trouble {
        Objects.requireNonNull(kind);
        Objects.requireNonNull(begin);
        Objects.requireNonNull(headline);
    }

    /** The last report among the records of a log; empty if there is none. */
    static Optional<Trouble> last(Stream<LogRecord> records) {
        Search search = new Search();
        records.forEach(search::look);
        return Optional.ofNullable(search.found);
    }

    private static final class Search {

        private @Nullable Trouble found;
        private @Nullable LogRecord before;
        private long last;

        void look(LogRecord record) {
            Kind.of(record).ifPresent(kind -> add(kind, record));
            before = record;
        }

        private void add(Kind kind, LogRecord record) {
            Trouble known = found;
            if (known == null || record.nanoseconds() - last > SAME_REPORT) {
                LogRecord ruler = before;
                LogRecord first = ruler != null && ruler.text().contains("[ cut here ]") ? ruler : record;
                found = new Trouble(kind, first, record);
            } else if (kind.compareTo(known.kind) < 0
                    || kind == Kind.PANIC && !known.headline.text().startsWith("Kernel panic")) {
                found = new Trouble(kind, known.begin, record);
            }
            last = record.nanoseconds();
        }
    }
}
