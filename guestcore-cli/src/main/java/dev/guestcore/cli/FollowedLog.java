package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.json.Json;
import dev.guestcore.linux.KernelLog;
import dev.guestcore.linux.LogEntry;
import dev.guestcore.linux.LogGap;
import dev.guestcore.linux.LogRecord;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** What {@code guestcore log --follow} does: it reads the log of a live guest again and again. Not thread-safe. */
final class FollowedLog {

    private static final long SLICE = 50;

    private final LogVerb verb;
    private final long pause;
    private @Nullable KernelLog log;
    private long next;

    FollowedLog(LogVerb verb, long pause) {
        this.verb = verb;
        this.pause = pause;
    }

    /** Goes on until the user has enough, or the guest ends. */
    int follow() throws InterruptedException {
        while (true) {
            List<LogEntry> news = read();
            news.forEach(this::print);
            verb.console().flush();
            pause();
        }
    }

    /** Waits, and looks now and then whether the user has enough. */
    private void pause() throws InterruptedException {
        verb.console().cancellation().check();
        for (long left = pause; left > 0; left -= SLICE) {
            TimeUnit.MILLISECONDS.sleep(Math.min(left, SLICE));
            verb.console().cancellation().check();
        }
    }

    /** What is new; read at once, so that the guest stands still as briefly as possible. */
    private List<LogEntry> read() {
        try (FreezeOption.Look look = verb.freeze.look(verb);
                Guest guest = look.open(
                        verb.source,
                        log == null ? FreezeOption.Need.MUCH : FreezeOption.Need.LITTLE,
                        log == null ? verb.progress.mode : ProgressMode.NONE)) {
            if (guest.freeze().isEmpty()) {
                throw verb.usage("--follow is for a live guest; " + Printable.of(verb.source) + " does not change");
            }
            KernelLog read = log == null ? verb.log(guest) : log.again(guest);
            List<LogEntry> news = new ArrayList<>();
            Optional<LogRecord> first = read.records().findFirst();
            if (next > 0 && first.isPresent() && first.get().sequence() > next) {
                news.add(new LogGap(first.get().sequence() - next, "overwritten before they could be read", false));
            }
            long from = next;
            read.stream()
                    .filter(entry -> entry instanceof LogRecord record ? record.sequence() >= from : from == 0)
                    .forEach(entry -> {
                        news.add(entry);
                        next = entry instanceof LogRecord record ? record.sequence() + 1 : next;
                    });
            log = read;
            return news;
        } finally {
            verb.forgetRemarks();
        }
    }

    private void print(LogEntry entry) {
        if (entry instanceof LogRecord record && !verb.isWanted(record)) {
            return;
        }
        if (verb.json) {
            Json.writeLine(verb.console().out(), Json.document("log-line", LogVerb.line(entry)));
        } else {
            verb.print(entry);
        }
    }
}
