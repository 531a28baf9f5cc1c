package dev.guestcore.cli;

import dev.guestcore.Progress;
import dev.guestcore.json.Json;
import java.io.PrintStream;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.LongSupplier;

/** One JSON line a step for programs: at the start of a phase, a few times a second, and at its end. */
final class JsonProgress implements Progress {

    private static final long REPORT_NANOS = 250_000_000L;

    private final PrintStream lines;
    private final LongSupplier clock;
    private String phase = "";
    private final Job job;
    private long total;
    private long done;
    private long started;
    private long reported;

    /** Writes to a stream; {@code clock} gives nanoseconds from any origin. */
    JsonProgress(PrintStream lines, Job job, LongSupplier clock) {
        this.job = job;
        this.lines = lines;
        this.clock = clock;
    }

    @Override
    public void begin(String newPhase, long totalBytes) {
        job.begin(totalBytes);
        phase = newPhase;
        total = totalBytes;
        done = 0;
        started = clock.getAsLong();
        report(started);
    }

    @Override
    public void advance(long bytes) {
        job.advance(bytes);
        done += bytes;
        long now = clock.getAsLong();
        if (now - reported >= REPORT_NANOS || done >= total) {
            report(now);
        }
    }

    private void report(long now) {
        reported = now;
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("phase", phase);
        line.put("done", done);
        line.put("total", total);
        line.put("seconds", (now - started) / 1_000_000 / 1e3);
        line.put("jobDone", job.done());
        line.put("jobTotal", job.total());
        Json.writeLine(lines, Json.document("progress", line));
        lines.flush();
    }
}
